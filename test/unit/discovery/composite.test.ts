/** Several sources as one: which of them is believed, and what a failure of one of them means. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FallbackResolver, UnionResolver } from '../../../src/discovery/composite.js';
import type { EndpointSet, Resolver } from '../../../src/discovery/resolver.js';
import { TopicOverlay } from '../../../src/discovery/topic.js';
import { isFailoverError } from '../../../src/errors.js';
import { endpoint } from '../fakes/fake-network.js';

/** A source whose next answer the test sets; it fails when there is none. */
class Source implements Resolver {
  readonly #name: string;
  readonly refreshJitter: number | undefined;
  answer: Partial<EndpointSet> | undefined;
  asked = 0;
  forgotten = 0;
  push: (set: EndpointSet) => void = () => {};

  constructor(name: string, ids?: readonly string[], refreshJitter?: number) {
    this.#name = name;
    this.refreshJitter = refreshJitter;
    if (ids) this.answer = { endpoints: ids.map((id) => endpoint(id)) };
  }

  set(more: Partial<EndpointSet> = {}): EndpointSet {
    return { endpoints: [], source: this.#name, ...this.answer, ...more };
  }

  async resolve(): Promise<EndpointSet> {
    this.asked += 1;
    if (!this.answer) throw new Error(`${this.#name} is down`);
    return this.set();
  }

  watch(onChange: (set: EndpointSet) => void): void {
    this.push = onChange;
  }

  rebootstrap(): void {
    this.forgotten += 1;
  }
}

const signal = new AbortController().signal;
const ids = ({ endpoints }: EndpointSet) => endpoints.map(({ id }) => id);

describe('a source that fails beside another', () => {
  for (const mode of ['fallback', 'union'] as const) {
    test(`is told of, ${mode}`, async () => {
      const sources = [new Source('registry'), new Source('seeds', ['a'])];
      const made = mode === 'union' ? new UnionResolver(sources) : new FallbackResolver(sources);
      const { endpoints, skipped } = await made.resolve(signal);
      assert.deepEqual([endpoints.length, skipped], [1, ['registry is down']]);
    });
  }
});

describe('fallback', () => {
  test('takes the first source that answers and asks none after it', async () => {
    const [registry, srv, seeds] = [
      new Source('registry'),
      new Source('srv', ['s']),
      new Source('static', ['x']),
    ];
    const set = await new FallbackResolver([registry, srv, seeds]).resolve(signal);
    assert.deepEqual([set.source, ids(set)], ['srv', ['s']]);
    assert.deepEqual([registry.asked, srv.asked, seeds.asked], [1, 1, 0]);
  });

  test('goes back to a better source as soon as that answers', async () => {
    const [registry, seeds] = [new Source('registry'), new Source('static', ['x'])];
    const resolver = new FallbackResolver([registry, seeds]);
    assert.equal((await resolver.resolve(signal)).source, 'static');
    registry.answer = { endpoints: [endpoint('r')] };
    assert.equal((await resolver.resolve(signal)).source, 'registry');
  });

  test('does not fall back to a worse source once a better one has answered: the watcher keeps its list', async () => {
    const [registry, seeds] = [new Source('registry', ['r']), new Source('static', ['x'])];
    const resolver = new FallbackResolver([registry, seeds]);
    await resolver.resolve(signal);
    registry.answer = undefined;
    await assert.rejects(resolver.resolve(signal), /registry is down/);
    assert.equal(seeds.asked, 0);
  });

  test('takes any source again after a re-bootstrap, and passes it on', async () => {
    const [registry, seeds] = [new Source('registry', ['r']), new Source('static', ['x'])];
    const resolver = new FallbackResolver([registry, seeds]);
    await resolver.resolve(signal);
    registry.answer = undefined;
    resolver.rebootstrap();
    assert.equal((await resolver.resolve(signal)).source, 'static');
    assert.deepEqual([registry.forgotten, seeds.forgotten], [1, 1]);
  });

  test('treats an empty list as a failure, and names every source in the error', async () => {
    const [registry, srv] = [new Source('registry', []), new Source('srv')];
    await assert.rejects(new FallbackResolver([registry, srv]).resolve(signal), (error) => {
      assert.ok(isFailoverError(error));
      assert.equal(error.code, 'ERR_DISCOVERY');
      assert.match(error.message, /registry has no endpoints; srv is down/);
      assert.ok(error.cause instanceof AggregateError);
      return true;
    });
  });

  test('passes on what the serving source and better ones push, not what worse ones do', async () => {
    const sources = [new Source('registry'), new Source('srv', ['s']), new Source('topic', ['t'])] as const;
    const resolver = new FallbackResolver(sources);
    await resolver.resolve(signal);
    const seen: string[] = [];
    resolver.watch(
      (set) => seen.push(set.source),
      () => {},
      signal,
    );
    sources[2].push(sources[2].set());
    sources[1].push(sources[1].set());
    sources[0].push(sources[0].set({ endpoints: [endpoint('r')] }));
    sources[1].push(sources[1].set());
    sources[0].push(sources[0].set({ endpoints: [] }));
    assert.deepEqual(seen, ['srv', 'registry']);
  });

  test('stops at once when the question is abandoned', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const first: Resolver = {
      resolve: async () => {
        abort.abort(reason);
        throw new Error('late');
      },
    };
    const second = new Source('second', ['x']);
    await assert.rejects(new FallbackResolver([first, second]).resolve(abort.signal), reason);
    assert.equal(second.asked, 0);
  });
});

describe('union', () => {
  test('merges all sources, the earlier one deciding about an id that several name', async () => {
    const near = new Source('registry', ['a', 'b']);
    const far = new Source('static', ['b', 'c']);
    near.answer = { ...near.answer, revision: '7', ttlMs: 9_000, spreadMs: 50, loads: new Map([['b', 0.5]]) };
    far.answer = { ...far.answer, ttlMs: 5_000, spreadMs: 70, loads: new Map([['b', 0.9]]) };
    const set = await new UnionResolver([near, far]).resolve(signal);
    assert.deepEqual(ids(set), ['a', 'b', 'c']);
    assert.equal(set.endpoints[1], near.answer.endpoints?.[1]);
    assert.deepEqual(
      {
        source: set.source,
        revision: set.revision,
        ttlMs: set.ttlMs,
        spreadMs: set.spreadMs,
        load: set.loads?.get('b'),
      },
      { source: 'registry+static', revision: '7', ttlMs: 5_000, spreadMs: 70, load: 0.5 },
    );
  });

  test('keeps the last answer of a source that fails, and fails when all do', async () => {
    const [a, b] = [new Source('a', ['a']), new Source('b', ['b'])];
    const resolver = new UnionResolver([a, b]);
    await resolver.resolve(signal);
    a.answer = undefined;
    assert.deepEqual(ids(await resolver.resolve(signal)), ['a', 'b']);
    b.answer = { endpoints: [] };
    await assert.rejects(resolver.resolve(signal), /a is down; The list from b has no endpoints/);
    resolver.rebootstrap();
    b.answer = { endpoints: [endpoint('b2')] };
    assert.deepEqual(ids(await resolver.resolve(signal)), ['b2']);
  });

  test('passes a pushed change on with what the others said', async () => {
    const [a, b] = [new Source('a', ['a']), new Source('b', ['b'])];
    const resolver = new UnionResolver([a, b]);
    await resolver.resolve(signal);
    const seen: string[][] = [];
    resolver.watch(
      (set) => seen.push(ids(set)),
      () => {},
      signal,
    );
    b.push(b.set({ endpoints: [endpoint('b'), endpoint('b2')] }));
    b.push(b.set({ endpoints: [] }));
    assert.deepEqual(seen, [['a', 'b', 'b2']]);
  });

  test('is as careful as its most careful source: shrinking, keeping, and what was skipped', async () => {
    const registry = new Source('registry', ['a']);
    registry.answer = {
      ...registry.answer,
      confirmShrink: true,
      storable: false,
      skipped: ['node b: no port'],
    };
    for (const sources of [
      [registry, new Source('static', ['s'])],
      [new Source('static', ['s']), registry],
    ]) {
      const { confirmShrink, storable, skipped } = await new UnionResolver(sources).resolve(signal);
      assert.deepEqual(
        { confirmShrink, storable, skipped },
        { confirmShrink: true, storable: false, skipped: ['node b: no port'] },
      );
    }
    const plain = await new UnionResolver([new Source('static', ['s'])]).resolve(signal);
    assert.deepEqual(Object.keys(plain).sort(), ['endpoints', 'source']);
  });
});

test('several sources are asked with the widest jitter of them, as is what a topic lies over', () => {
  const sources = [new Source('dns'), new Source('registry', [], 0.2), new Source('other', [], 0.1)];
  for (const Composite of [FallbackResolver, UnionResolver]) {
    const composite = new Composite(sources);
    assert.equal(composite.refreshJitter, 0.2);
    const overlay = new TopicOverlay(
      composite,
      () => Promise.reject(new Error('unread')),
      () => 0,
    );
    assert.equal(overlay.refreshJitter, 0.2);
    assert.equal(new Composite([new Source('dns')]).refreshJitter, undefined);
  }
});
