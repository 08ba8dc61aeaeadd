/** Push: event streams, Consul's blocking queries and etcd's watch, on the virtual clock; broken ones must not matter. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createRegistryResolver,
  type RegistryWorld,
} from '../../../../src/discovery/registry/create-registry-resolver.js';
import { fixedRandom } from '../../../support/seeded-random.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';
import {
  type Answer,
  bare,
  documentOf,
  json,
  registryWorld,
  ScriptedFetch,
  type SeenRequest,
} from '../../fakes/registry-world.js';

/** A body that the test writes. */
class Stream {
  readonly response: Response;
  cancelled = false;
  #body!: ReadableStreamDefaultController<Uint8Array>;

  constructor(type: string) {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
      },
      cancel: () => {
        this.cancelled = true;
      },
    });
    this.response = new Response(body, { headers: { 'content-type': type } });
  }

  async send(text: string | Uint8Array): Promise<void> {
    this.#body.enqueue(typeof text === 'string' ? new TextEncoder().encode(text) : text);
    await settle();
  }

  async end(): Promise<void> {
    this.#body.close();
    await settle();
  }

  async cut(): Promise<void> {
    this.#body.error(new TypeError('terminated'));
    await settle();
  }
}

/** Turns of the real event loop: an import() and a body need them. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await settle();
  }
}

async function world(
  answer: (request: SeenRequest) => Answer,
  given: Partial<RegistryWorld> = {},
  url = 'https://h.test/nodes.json',
) {
  const clock = new VirtualClock();
  const net = new ScriptedFetch(clock, answer);
  const resolver = createRegistryResolver(
    url,
    registryWorld({ clock, fetch: net.fetch, random: fixedRandom(0), ...given }),
  );
  const lists: string[] = [];
  const failures: string[] = [];
  const abort = new AbortController();
  resolver.watch(
    ({ endpoints }) => lists.push(endpoints.map(({ id }) => id).join('')),
    (error) => failures.push((error as Error).message),
    abort.signal,
  );
  await resolver.resolve(abort.signal);
  // The resolver has asked for this module as well; who asks last gets it last.
  await import('../../../../src/discovery/registry/push.js');
  await turns();
  const advance = async (ms: number) => {
    await clock.advance(ms);
    await turns();
  };
  const stop = async () => {
    abort.abort();
    await turns();
    assert.equal(clock.pending, 0, 'no timer is left');
  };
  return { clock, net, resolver, lists, failures, advance, stop };
}

const text = (ids: string) => JSON.stringify(documentOf([...ids]));
const wantsEvents = ({ headers }: SeenRequest) => headers.get('accept') === 'text/event-stream';

describe('an event stream', () => {
  /** Streams as they are opened; polls are answered with `a`. */
  function streams() {
    const opened: Stream[] = [];
    return {
      opened,
      answer: (request: SeenRequest) => {
        if (!wantsEvents(request)) return json(documentOf(['a']));
        const stream = new Stream('text/event-stream');
        opened.push(stream);
        return stream.response;
      },
    };
  }

  test('is opened only when asked for, and its lists are handed on when they have settled', async () => {
    for (const push of [undefined, false]) {
      const idle = await world(streams().answer, { push });
      assert.deepEqual(idle.net.requests.filter(wantsEvents), []);
      await idle.stop();
    }
    const { opened, answer } = streams();
    const { lists, advance, stop } = await world(answer, { push: true });
    await opened[0]!.send(`data: ${text('ab')}\n\n`);
    await advance(249);
    assert.deepEqual(lists, []);
    await advance(1);
    assert.deepEqual(lists, ['ab']);
    await stop();
    assert.ok(opened[0]!.cancelled);
  });

  test('is read as the standard says: CR, LF, CRLF, BOM, comments, several data lines, split UTF-8', async () => {
    const [head, tail] = ['{"schema":"mqtt-nodes/1",', `"nodes":[{"id":"é","urls":["mqtts://h"]}]}`];
    for (const end of ['\n', '\r\n', '\r']) {
      const { opened, answer } = streams();
      const { lists, failures, advance, stop } = await world(answer, { push: true });
      const lines = [
        `: hello`,
        'event: ping',
        'data: {}',
        '',
        `id: 7`,
        `data: ${head}`,
        `data:${tail}`,
        '',
        '',
      ];
      const bytes = new TextEncoder().encode(`\uFEFF${lines.join(end)}: and on`);
      for (const byte of bytes) await opened[0]!.send(Uint8Array.of(byte));
      await advance(250);
      assert.deepEqual([lists, failures], [['é'], []], JSON.stringify(end));
      await stop();
    }
  });

  test('that is pushed a thousand times a second causes four readings', async () => {
    const { opened, answer } = streams();
    const { lists, advance, stop } = await world(answer, { push: true });
    for (let ms = 0; ms < 1_000; ms += 10) {
      for (let n = 0; n < 10; n++) void opened[0]!.send(`data: ${text(n % 2 ? 'ab' : 'cd')}\n\n`);
      await advance(10);
    }
    assert.ok(lists.length <= 4 && lists.length >= 3, `${lists.length} readings`);
    await stop();
  });

  test('is resumed after a cut, with the last id, as late as the server wishes within bounds', async () => {
    for (const [retry, wait] of [
      ['1500', 1_500],
      ['1', 1_000],
      ['99999999', 300_000],
      ['x', 1_000],
    ] as const) {
      const { opened, answer } = streams();
      const { net, failures, advance, stop } = await world(answer, { push: true });
      await opened[0]!.send(`retry: ${retry}\nid: 42\ndata: ${text('a')}\n\n`);
      await opened[0]!.cut();
      assert.deepEqual(failures, ['terminated']);
      await advance(wait - 1);
      assert.equal(opened.length, 1);
      await advance(1);
      assert.equal(opened.length, 2, `after ${retry}`);
      assert.equal(net.requests.at(-1)!.headers.get('last-event-id'), '42');
      await stop();
    }
  });

  test('in a browser sends no header that costs a preflight', async () => {
    const { opened, answer } = streams();
    const { net, advance, stop } = await world(answer, { push: true, httpCache: true });
    await opened[0]!.send(`id: 42\ndata: ${text('a')}\n\n`);
    await opened[0]!.end();
    await advance(1_000);
    assert.deepEqual([...net.requests.at(-1)!.headers.keys()], ['accept']);
    assert.equal(net.requests.at(-1)!.init.cache, 'no-store');
    await stop();
  });

  test('that is silent for 45 s, or sends a line without end, is opened anew', async () => {
    const { opened, answer } = streams();
    const { failures, advance, stop } = await world(answer, { push: true });
    await advance(44_000);
    await opened[0]!.send(': alive\n');
    await advance(44_999);
    assert.deepEqual([failures, opened.length], [[], 1]);
    await advance(1);
    assert.deepEqual(failures, ['nothing from the event stream within 45000 ms']);
    await advance(1_000);
    assert.equal(opened.length, 2);
    for (let sent = 0; sent <= 262_144; sent += 65_536) await opened[1]!.send('x'.repeat(65_536));
    assert.match(failures[1]!, /longer than 262144 bytes/);
    await stop();
  });

  test('ends for good with 204', async () => {
    const { net, advance, stop } = await world(
      (request) => (wantsEvents(request) ? bare(204) : json(documentOf(['a']))),
      { push: true },
    );
    await advance(3_600_000);
    assert.equal(net.requests.filter(wantsEvents).length, 1);
    await stop();
  });

  test('that is not offered is not asked for again for five minutes', async () => {
    const { net, failures, advance, stop } = await world(() => json(documentOf(['a'])), { push: true });
    assert.deepEqual(failures, ['https://h.test/nodes.json offers no event stream']);
    await advance(299_999);
    assert.equal(net.requests.filter(wantsEvents).length, 1);
    await advance(1);
    assert.equal(net.requests.filter(wantsEvents).length, 2);
    await stop();
  });

  test('with a bad list tells of it and goes on', async () => {
    const { opened, answer } = streams();
    const { lists, failures, advance, stop } = await world(answer, { push: true });
    await opened[0]!.send('data: {"schema":"mqtt-nodes/9"}\n\n');
    await advance(250);
    await opened[0]!.send(`data: ${text('b')}\n\n`);
    await advance(250);
    assert.match(failures.join(), /the document is refused: schema/);
    assert.deepEqual(lists, ['b']);
    await stop();
  });
});

describe('a blocking query of Consul', () => {
  const entry = (id: string) => ({ Node: { Node: id, Address: 'h' }, Service: { ID: 's', Port: 1 } });
  const list = (ids: string, index: string) => json([...ids].map(entry), { 'x-consul-index': index });
  const query = ({ url }: SeenRequest) => new URL(url).search;
  const CONSUL = 'https://c.test/v1/health/service/mqtt?passing';

  test('waits at the server for the index to grow; the same index is no news', async () => {
    const waiting: ((response: Response) => void)[] = [];
    const { net, lists, advance, stop } = await world(
      (request) =>
        query(request).includes('index') ? new Promise((resolve) => waiting.push(resolve)) : list('a', '10'),
      {},
      CONSUL,
    );
    await advance(1_000);
    assert.deepEqual(lists, ['a/s']);
    assert.equal(query(net.requests.at(-1)!), '?passing=&index=10&wait=55s');
    waiting.shift()!(list('a', '10'));
    await advance(1_000);
    assert.deepEqual(lists, ['a/s']);
    waiting.shift()!(list('ab', '12'));
    await advance(1_000);
    assert.deepEqual(lists, ['a/s', 'a/sb/s']);
    assert.equal(query(net.requests.at(-1)!), '?passing=&index=12&wait=55s');
    // An index that goes backwards starts from the beginning.
    waiting.shift()!(list('b', '3'));
    await advance(1_000);
    assert.equal(lists.at(-1), 'b/s');
    await advance(1_000);
    assert.deepEqual(net.requests.slice(-2).map(query), ['?passing', '?passing=&index=10&wait=55s']);
    await stop();
  });

  test('has its wait, a sixteenth of it and five seconds', async () => {
    const { failures, advance, stop } = await world(
      (request) => (query(request).includes('index') ? new Promise(() => {}) : list('a', '10')),
      {},
      CONSUL,
    );
    await advance(1_000);
    await advance(63_436);
    assert.deepEqual(failures, []);
    await advance(2);
    assert.match(failures[0]!, /no answer to a long poll within 63437.5 ms/);
    await stop();
  });

  test('that returns at once is asked once a second', async () => {
    const { net, advance, stop } = await world(() => list('a', '10'), {}, CONSUL);
    const before = net.requests.length;
    await advance(0);
    for (let second = 0; second < 100; second++) await advance(1_000);
    assert.ok(net.requests.length - before <= 100, `${net.requests.length - before} requests in 100 s`);
    await stop();
  });

  test('without an index, or with index 0, is no channel', async () => {
    for (const headers of [{}, { 'x-consul-index': '0' }, { 'x-consul-index': 'x' }] as Record<
      string,
      string
    >[]) {
      const { net, failures, advance, stop } = await world(() => json([entry('a')], headers), {}, CONSUL);
      for (let second = 0; second < 60; second++) await advance(1_000);
      assert.match(failures[0]!, /gives no X-Consul-Index/);
      assert.ok(net.requests.length < 12, `${net.requests.length} requests in a minute`);
      await stop();
    }
  });

  test('is not used when push is false', async () => {
    const { net, advance, stop } = await world(() => list('a', '10'), { push: false }, CONSUL);
    await advance(60_000);
    assert.equal(net.requests.length, 1);
    await stop();
  });
});

describe("etcd's watch", () => {
  const ETCD = 'https://e.test/v3/kv/range?prefix=/n/';
  const range = (ids: string) =>
    json({
      header: { revision: '1' },
      kvs: [...ids].map((id) => ({ key: btoa(`/n/${id}`), value: btoa('mqtts://h') })),
    });

  async function etcd() {
    const watches: Stream[] = [];
    const state = { ids: 'a' };
    const made = await world(
      ({ url }) => {
        if (!url.endsWith('/v3/watch')) return range(state.ids);
        watches.push(new Stream('application/json'));
        return watches.at(-1)!.response;
      },
      {},
      ETCD,
    );
    return { ...made, watches, state };
  }

  test('makes the range be read again, once for many events, also when it was opened', async () => {
    const { net, watches, state, lists, advance, stop } = await etcd();
    const ranges = () => net.requests.filter(({ url }) => url.endsWith('/range')).length;
    await watches[0]!.send('{"result":{"header":{},"created":true}}\n');
    await advance(250);
    assert.deepEqual([lists, ranges()], [['a'], 2]);
    state.ids = 'ab';
    for (let n = 0; n < 50; n++) await watches[0]!.send('{"result":{"events":[{"kv":{}}]}}\n');
    await advance(250);
    assert.deepEqual([lists, ranges()], [['a', 'ab'], 3]);
    await stop();
  });

  test('is read line by line over pieces', async () => {
    const { watches, state, lists, failures, advance, stop } = await etcd();
    state.ids = 'ab';
    await watches[0]!.send('{"result":{"eve');
    await advance(300);
    assert.deepEqual(lists, []);
    await watches[0]!.send('nts":[{"type":"DELETE"}]}}\n\n{"result":{"header":{}}}\n');
    await advance(250);
    assert.deepEqual([lists, failures], [['ab'], []]);
    await stop();
  });

  test('that is cancelled, cut or refused is opened anew; silence is no failure', async () => {
    const { watches, failures, advance, stop } = await etcd();
    await watches[0]!.send('{"result":{"canceled":true,"compact_revision":"9"}}\n');
    assert.match(failures[0]!, /cancelled the watch/);
    await advance(1_000);
    await watches[1]!.cut();
    assert.equal(failures[1], 'terminated');
    await advance(1_000);
    assert.equal(watches.length, 3);
    await advance(240_000);
    assert.equal(failures.length, 2);
    await advance(1_000);
    assert.equal(watches.length, 4);
    await stop();
  });
});
