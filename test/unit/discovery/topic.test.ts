/** The retained topic over a configured source: which of the two is believed, and for how long. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSet, Resolver } from '../../../src/discovery/resolver.js';
import { TopicOverlay } from '../../../src/discovery/topic.js';
import { endpoint } from '../fakes/fake-network.js';

const signal = new AbortController().signal;

function world(base: Partial<EndpointSet> | undefined = { endpoints: [endpoint('seed')] }) {
  const source: {
    answer: Partial<EndpointSet> | undefined;
    push: (set: EndpointSet) => void;
    forgotten: number;
  } = { answer: base, push: (_: EndpointSet) => {}, forgotten: 0 };
  let now = 0;
  const resolver: Resolver = {
    resolve: async () => {
      if (!source.answer) throw new Error('the base is down');
      return { endpoints: [], source: 'base', ...source.answer };
    },
    watch: (onChange) => {
      source.push = onChange;
    },
    rebootstrap: () => {
      source.forgotten += 1;
    },
  };
  const read = async (payload: Uint8Array): Promise<EndpointSet> => {
    const { ids, ...rest } = JSON.parse(Buffer.from(payload).toString());
    return { endpoints: ids.map((id: string) => endpoint(id)), source: 'topic', ...rest };
  };
  const overlay = new TopicOverlay(resolver, read, () => now);
  const pushed: string[] = [];
  const failures: string[] = [];
  const abort = new AbortController();
  overlay.watch(
    (set) => pushed.push(set.endpoints.map(({ id }) => id).join()),
    (error) => failures.push((error as Error).message),
    abort.signal,
  );
  return {
    abort,
    failures,
    overlay,
    pushed,
    source,
    say: (document: object | string) =>
      overlay.received(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document))),
    ids: async () => (await overlay.resolve(signal)).endpoints.map(({ id }) => id).join(),
    wait: (ms: number) => {
      now += ms;
    },
  };
}

describe('topology over MQTT', () => {
  test('replaces what the source says, at once and from then on', async () => {
    const { ids, pushed, say } = world();
    assert.equal(await ids(), 'seed');
    await say({ ids: ['a', 'b'] });
    assert.deepEqual(pushed, ['a,b']);
    assert.equal(await ids(), 'a,b');
  });

  test('stands in for a source that fails', async () => {
    const { ids, say, source } = world();
    await say({ ids: ['a'] });
    source.answer = undefined;
    assert.equal(await ids(), 'a');
  });

  test('gives way to a document that was made later, and to no older one', async () => {
    const { ids, pushed, say, source } = world({ endpoints: [endpoint('registry')], generatedAt: 200 });
    await say({ ids: ['old'], generatedAt: 100 });
    assert.equal(await ids(), 'registry');
    await say({ ids: ['new'], generatedAt: 300 });
    await say({ ids: ['late'], generatedAt: 250 });
    assert.equal(await ids(), 'new');
    source.push({ endpoints: [endpoint('newest')], source: 'base', generatedAt: 400 });
    source.push({ endpoints: [endpoint('stale')], source: 'base', generatedAt: 299 });
    assert.deepEqual(pushed, ['old', 'new', 'newest']);
  });

  test('ends with its TTL, with an empty message, and with a re-bootstrap', async () => {
    const { ids, overlay, say, source, wait } = world();
    await say({ ids: ['a'], ttlMs: 1_000 });
    wait(999);
    assert.equal(await ids(), 'a');
    wait(1);
    assert.equal(await ids(), 'seed');
    await say({ ids: ['b'] });
    await say('');
    assert.equal(await ids(), 'seed');
    await say({ ids: ['c'] });
    overlay.rebootstrap();
    assert.deepEqual([await ids(), source.forgotten], ['seed', 1]);
  });

  test('heeds the last of several messages, whichever is read first', async () => {
    const { ids, say } = world();
    await Promise.all([say({ ids: ['first'] }), say({ ids: ['second'] })]);
    assert.equal(await ids(), 'second');
  });

  test('ignores what is no document, and says so', async () => {
    const { failures, ids, pushed, say } = world();
    await say('<html>');
    await say({ ids: [] });
    assert.equal(await ids(), 'seed');
    assert.deepEqual(pushed, []);
    assert.equal(failures.length, 2);
    assert.match(String(failures[1]), /topology topic was ignored: .*no usable endpoints/);
  });

  test('is quiet after the client has ended', async () => {
    const { abort, pushed, say } = world();
    abort.abort();
    await say({ ids: ['a'] });
    assert.deepEqual(pushed, []);
  });

  test('lets the error of the source through while it has nothing itself', async () => {
    const { overlay, source } = world();
    source.answer = undefined;
    await assert.rejects(overlay.resolve(signal), /base is down/);
  });
});
