/**
 * The client of a page before, while and after the code of its engine is loaded.
 *
 * World: virtual time; a chunk that arrives, or fails, when the test says so; an engine that writes down what it is asked.
 */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, mock, test } from 'node:test';
import type { ISubscriptionMap } from 'mqtt';
import type { ClientEngine } from '../../../src/client/engine.js';
import { LateEngine } from '../../../src/client/late-engine.js';
import type { FailoverError } from '../../../src/errors.js';
import type { MqttCore } from '../../../src/mqtt/mqtt-core.js';
import type { FailoverOptions } from '../../../src/options/options.js';
import { resolveOptions } from '../../../src/options/resolve.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeOrigin } from '../fakes/fake-page.js';
import { Recorder } from '../fakes/recorder.js';

interface Asked {
  readonly arrive: () => Promise<void>;
  readonly fail: () => Promise<void>;
}

function world({ make, given = {} }: { make?: () => ClientEngine; given?: FailoverOptions } = {}) {
  const clock = new VirtualClock();
  const page = new FakeOrigin().page();
  const events = new Recorder();
  const log: string[] = [];
  const settled: string[] = [];
  const asked: Asked[] = [];
  const client = { disconnecting: false };
  const core = {
    options: { clientId: 'desk' },
    client,
    revive: () => {
      client.disconnecting = false;
      log.push('revive');
    },
    end: (_force: boolean, _options: unknown, done: () => void) => {
      log.push('core ended');
      queueMicrotask(done);
    },
    emitError: (error: FailoverError) => {
      log.push(`error ${error.code}`);
      heardErrors.push(error);
      onError();
    },
  } as unknown as MqttCore;
  const heardErrors: FailoverError[] = [];
  let onError = () => {};
  /** Writes down every call, and gives what the client waits for. */
  const real = new Proxy({} as ClientEngine, {
    get:
      (_, name: string) =>
      (...args: unknown[]) => {
        log.push([name, ...args.filter((arg) => typeof arg === 'string')].join(' '));
        if (name === 'status') return { state: 'connected' };
        if (name === 'hears') return true;
        if (name === 'explain') return ['explained'];
        if (name === 'end') (args[2] as () => void)();
        return Promise.resolve();
      },
  });
  const engine = new LateEngine({
    load: () =>
      new Promise((resolve, reject) => {
        asked.push({
          arrive: () => {
            resolve(make ?? (() => real));
            return settle();
          },
          fail: () => {
            reject(new TypeError('Failed to fetch dynamically imported module'));
            return settle();
          },
        });
      }),
    core,
    events,
    platform: { clock, random: fixedRandom(0.5), page },
    options: resolveOptions(
      { outbox: { maxMessages: 3, maxBytes: 100 }, ...given },
      { maxMessages: 1_000, maxBytes: 1_000 },
    ),
  });
  const told = (what: string) => (error?: Error | null) =>
    void settled.push(`${what} ${(error as FailoverError | null | undefined)?.code ?? 'ok'}`);
  return {
    clock,
    page,
    client,
    core,
    events,
    log,
    settled,
    asked,
    heardErrors,
    engine,
    told,
    onError: (listener: () => void) => {
      onError = listener;
    },
    /** What happened since the last call. */
    heard: () => log.splice(0).join(', '),
    publish: (topic: string, payload: string | Uint8Array = 'x') =>
      engine.publish(topic, payload, { qos: 1 }, told(topic)),
    end: () => new Promise<unknown>((resolve) => engine.end(true, undefined, resolve)),
  };
}

/** What `act` leaves to a microtask of its own, such as to throw what the application has thrown. */
async function callbacksOf(act: () => Promise<void>): Promise<(() => void)[]> {
  const later: (() => void)[] = [];
  const queue = mock.method(globalThis, 'queueMicrotask', (callback: () => void) => later.push(callback));
  try {
    await act();
  } finally {
    queue.mock.restore();
  }
  return later;
}

describe('a client whose code is loaded', () => {
  test('asks for it at once, is idle meanwhile, and hands everything over in order', async () => {
    const w = world();
    assert.equal(w.asked.length, 1);
    w.publish('a');
    w.engine.connect('test');
    w.engine.subscribe(['s'], undefined, w.told('s'));
    w.publish('b');
    w.engine.unsubscribe(['s'], undefined, w.told('u'));
    const moved = w.engine.moveTo('x');
    const balanced = w.engine.rebalance();
    w.engine.reconnect('again');
    await w.clock.advance(40);
    assert.deepEqual(w.engine.status(), {
      state: 'idle',
      clientId: 'desk',
      current: null,
      home: null,
      endpoints: [],
      outbox: { messages: 2, bytes: 4, oldestAgeMs: 40 },
      discovery: { source: null, revision: null, updatedAt: null, error: null },
      counters: {},
    });
    assert.deepEqual(w.engine.explain(undefined), []);
    assert.equal(w.engine.hears('connect', []), false);
    assert.equal(w.heard(), 'revive, revive');
    await w.asked[0]!.arrive();
    assert.equal(
      w.heard(),
      'publish a x, connect test, subscribe, publish b x, unsubscribe, moveTo x, rebalance, reconnect again',
    );
    await Promise.all([moved, balanced]);
    assert.deepEqual([w.settled, w.events.names, w.clock.pending], [[], [], 0]);
  });

  test('is the engine itself from then on', async () => {
    const w = world();
    await w.asked[0]!.arrive();
    w.heard();
    w.publish('a');
    w.engine.connect('test');
    assert.equal(w.engine.status().state, 'connected');
    assert.deepEqual(w.engine.explain('desk'), ['explained']);
    assert.equal(w.engine.hears('connect', []), true);
    w.engine.takeStream();
    w.engine.stayEnded();
    await w.engine.drained(5);
    await w.engine.flushed(5);
    await w.engine.room(undefined);
    await w.end();
    assert.equal(
      w.heard(),
      'publish a x, connect test, status, explain desk, hears connect, takeStream, stayEnded, drained, flushed, room, end',
    );
    assert.equal(w.asked.length, 1);
  });

  test('puts what is asked during the hand-over behind what was asked before', async () => {
    let isFirst = true;
    const order: string[] = [];
    const w = world({
      make: () =>
        ({
          publish: (topic: string) => {
            order.push(topic);
            if (isFirst) w.publish('late');
            isFirst = false;
            throw new Error('a listener of the application threw');
          },
        }) as unknown as ClientEngine,
    });
    for (const topic of ['a', 'b']) w.publish(topic);
    const later = await callbacksOf(() => w.asked[0]!.arrive());
    assert.deepEqual(order, ['a', 'b', 'late']);
    assert.equal(later.length, 3);
    assert.throws(later[0]!, /listener/, 'what throws stops nothing, and is as uncaught as ever');
  });

  test('bounds what waits, and refuses what no broker takes', async () => {
    const w = world();
    w.publish('a', 'xy');
    w.publish('no/+/topic');
    w.publish('large', 'x'.repeat(100));
    for (const topic of ['b', 'c', 'd']) w.publish(topic);
    await settle();
    assert.deepEqual(w.settled, ['no/+/topic ERR_MESSAGE', 'large ERR_OVERFLOW', 'd ERR_OVERFLOW']);
    assert.deepEqual(
      w.events.of('dropped').map(({ topic, reason }) => `${topic} ${reason}`),
      ['no/+/topic rejected', 'large overflow', 'd overflow'],
    );
    assert.match(w.events.of('dropped')[2]!.error!.message, /3 of 3 messages and 7 of 100 bytes/);
  });

  test('lets the caller reuse its buffer, and its lists of topics', async () => {
    const given: unknown[] = [];
    const publish: ClientEngine['publish'] = (_, payload) => void given.push(payload);
    const take = (topics: unknown) => void given.push(topics);
    const w = world({
      make: () => ({ publish, subscribe: take, unsubscribe: take }) as unknown as ClientEngine,
    });
    const buffer = Buffer.from('read me');
    const topics = ['a'];
    const map: ISubscriptionMap = { b: { qos: 1 } };
    w.publish('a', buffer);
    w.engine.subscribe(topics, undefined, () => {});
    w.engine.subscribe(map, undefined, () => {});
    w.engine.unsubscribe(topics, undefined, () => {});
    buffer.fill(0);
    topics[0] = 'z';
    map.z = { qos: 0 };
    await w.asked[0]!.arrive();
    assert.deepEqual(given, [Buffer.from('read me'), ['a'], { b: { qos: 1 } }, ['a']]);
  });

  test('counts the age of a message from the call', async () => {
    const given: unknown[] = [];
    const w = world({
      make: () =>
        ({ publish: (...args: unknown[]) => void given.push([args[0], args[4]]) }) as unknown as ClientEngine,
    });
    w.publish('a');
    await w.clock.advance(500);
    w.publish('b');
    const now = w.clock.now();
    await w.clock.advance(700);
    await w.asked[0]!.arrive();
    assert.deepEqual(given, [
      ['a', now - 500],
      ['b', now],
    ]);
  });

  test('takes no publishes again after drain(), which may be called before the code is there', async () => {
    const w = world({
      make: () => ({ connect: () => w.core.revive(), publish() {} }) as unknown as ClientEngine,
    });
    w.engine.connect('test');
    w.publish('a');
    w.client.disconnecting = true;
    await w.asked[0]!.arrive();
    assert.equal(w.client.disconnecting, true);
  });

  test('asks again at once when the application does, as often as the retry budget allows', async () => {
    const w = world();
    w.engine.connect('test');
    for (let attempt = 0; attempt < 11; attempt += 1) {
      await w.asked[attempt]!.fail();
      w.publish('joins the wait');
      assert.equal(w.asked.length, attempt + 1);
      w.engine.reconnect('again');
      assert.equal(w.asked.length, attempt + 2);
      w.engine.reconnect('under way already');
    }
    await w.asked[11]!.fail();
    w.engine.reconnect('too often');
    w.page.signal('online');
    assert.equal(w.asked.length, 12, 'no storm');
    await w.clock.advance(60_000);
    assert.equal(w.asked.length, 13, 'the wait itself goes on');
  });

  test('tells of a request that nobody answers, and takes the answer when it comes after all', async () => {
    const w = world();
    w.engine.connect('test');
    w.heard();
    await w.clock.advance(29_999);
    assert.equal(w.heard(), '');
    await w.clock.advance(1);
    assert.equal(w.heard(), 'error ERR_LINK');
    assert.match(w.heardErrors[0]!.message, /nothing came within 30 s/);
    await w.asked[0]!.arrive();
    assert.equal(w.engine.status().state, 'backoff');
    await w.clock.advance(2_000);
    await w.asked[1]!.arrive();
    assert.equal(w.heard(), 'connect test');
    assert.equal(w.clock.pending, 0);
  });

  test('with `reconnectPeriod: 0` it tries once, and again when it is asked to', async () => {
    const w = world({ given: { reconnectPeriod: 0 } });
    w.engine.connect('test');
    w.publish('a');
    await w.asked[0]!.fail();
    assert.deepEqual([w.heard(), w.engine.status().state], ['revive, error ERR_LINK', 'failed']);
    await w.clock.advance(3_600_000);
    w.publish('b');
    assert.equal(w.asked.length, 1);
    w.engine.reconnect('test');
    w.heard();
    await w.asked[1]!.arrive();
    assert.equal(w.heard(), 'connect test, publish a x, publish b x, reconnect test');
    assert.equal(w.clock.pending, 0);
  });

  test('asks again when it could not be loaded: after a wait that grows, and when the page is online again', async () => {
    const w = world();
    w.engine.connect('test');
    w.publish('a');
    w.heard();
    await w.asked[0]!.fail();
    assert.equal(w.heard(), 'error ERR_LINK');
    const [error] = w.heardErrors;
    assert.match(
      error!.message,
      /could not be loaded \(Failed to fetch .*\): is the chunk beside the bundle\?/,
    );
    assert.equal(error!.retryable, true);
    assert.equal(w.engine.status().state, 'backoff');
    await w.clock.advance(1_999);
    assert.equal(w.asked.length, 1);
    await w.clock.advance(1);
    assert.equal(w.asked.length, 2);
    await w.asked[1]!.fail();
    await w.clock.advance(2_999);
    assert.equal(w.asked.length, 2, 'min + 0.5 × base × 2');
    w.page.signal('offline');
    assert.equal(w.asked.length, 2);
    w.page.signal('online');
    w.page.signal('online');
    assert.equal(w.asked.length, 3);
    w.heard();
    await w.asked[2]!.arrive();
    assert.equal(w.heard(), 'connect test, publish a x');
    assert.deepEqual(w.events.states, ['idle', 'backoff', 'idle']);
    assert.equal(w.clock.pending, 0);
    assert.equal(w.page.listeners, 0);
  });

  test('leaves what a listener of its error throws as uncaught as in any emitter, and asks again', async () => {
    const w = world();
    w.engine.connect('test');
    w.onError(() => assert.fail('mine'));
    const later = await callbacksOf(() => w.asked[0]!.fail());
    assert.throws(later[0]!, /mine/);
    await w.clock.advance(2_000);
    assert.equal(w.asked.length, 2);
    await w.end();
  });

  test('says nothing of a failure while nobody has asked for anything, and asks again when somebody does', async () => {
    const w = world();
    await w.asked[0]!.fail();
    await w.clock.advance(3_600_000);
    assert.deepEqual([w.heard(), w.asked.length, w.clock.pending], ['', 1, 0]);
    w.publish('a');
    assert.equal(w.asked.length, 2);
    await w.asked[1]!.arrive();
    assert.equal(w.heard(), 'publish a x');
  });

  test('ended before it is there, settles what waited, makes no engine, and leaves nothing running', async () => {
    for (const failed of [false, true]) {
      const w = world();
      w.engine.connect('test');
      w.publish('a');
      w.engine.subscribe(['s'], undefined, w.told('s'));
      const moved = assert.rejects(w.engine.moveTo('x'), { code: 'ERR_ENDED' });
      if (failed) await w.asked[0]!.fail();
      await w.end();
      await moved;
      assert.deepEqual(w.settled, ['a ERR_ENDED', 's ERR_ENDED']);
      const { state, outbox } = w.engine.status();
      assert.deepEqual([state, outbox], ['closed', { messages: 0, bytes: 0, oldestAgeMs: 0 }]);
      w.heard();
      if (!failed) await w.asked[0]!.arrive();
      await w.clock.advance(60_000);
      assert.deepEqual([w.heard(), w.asked.length, w.clock.pending, w.page.listeners], ['', 1, 0, 0]);
    }
  });

  test('ended by a listener of its own, stays ended', async () => {
    for (const event of ['error', 'state'] as const) {
      const w = world();
      const end = () => w.engine.end(true, undefined, () => {});
      w.engine.connect('test');
      if (event === 'error') w.onError(end);
      else w.events.listener = () => w.engine.status().state === 'backoff' && end();
      await w.asked[0]!.fail();
      await w.clock.advance(60_000);
      assert.deepEqual([w.engine.status().state, w.asked.length, w.clock.pending], ['closed', 1, 0]);
      assert.equal(w.heardErrors.length, event === 'error' ? 1 : 0, 'no error after the end');
    }
  });

  test('connects after the end when it is asked to meanwhile, unless it is ended once more', async () => {
    for (const again of [false, true]) {
      const w = world();
      const ended = Promise.all([w.end(), w.end()]);
      w.engine.connect('once more');
      if (again) w.engine.stayEnded();
      await ended;
      await settle();
      assert.equal(w.asked.length, again ? 1 : 2);
      assert.equal(w.engine.status().state, again ? 'closed' : 'idle');
      if (again) continue;
      w.heard();
      await w.asked[1]!.arrive();
      assert.equal(w.heard(), 'connect once more');
      assert.deepEqual(w.events.states, ['idle', 'closed', 'idle']);
    }
  });

  test('has failed when its engine cannot be made, and tells everybody', async () => {
    const w = world({
      make: () => {
        throw new Error('no such part');
      },
    });
    w.engine.connect('test');
    w.publish('a');
    w.heard();
    await w.asked[0]!.arrive();
    assert.deepEqual([w.heard(), w.settled], ['error ERR_OPTION', ['a ERR_OPTION']]);
    assert.match(w.heardErrors[0]!.message, /no such part.*`overrides`/);
    assert.equal(w.engine.status().state, 'failed');
  });

  test('waits with the caller: for room, for what is unsettled, and no longer than it was told', async () => {
    const w = world();
    const order: string[] = [];
    const asked = { begun: new AbortController(), over: new AbortController() };
    const note = (what: string) => () => void order.push(what);
    await w.engine.room(undefined);
    await w.engine.flushed(10);
    for (const topic of ['a', 'b']) w.publish(topic);
    void w.engine.room(asked.begun.signal).then(note('room'));
    void w.engine.room(asked.over.signal).then(note('nobody asks'));
    void w.engine.flushed(1_000).then(note('flushed'));
    void w.engine.drained(50).then(note('drained'));
    await w.clock.advance(49);
    assert.deepEqual(order, []);
    asked.over.abort();
    await w.clock.advance(1);
    assert.deepEqual(order, ['nobody asks', 'drained']);
    await w.asked[0]!.arrive();
    assert.deepEqual(order.slice(2).sort(), ['flushed', 'room']);
    assert.equal(getEventListeners(asked.begun.signal, 'abort').length, 0);
    await w.clock.advance(1_000);
    assert.equal(w.clock.pending, 0);
  });

  test('has no room when half of the bytes wait, either', async () => {
    const w = world();
    w.publish('a', 'x'.repeat(60));
    let hasRoom = false;
    void w.engine.room(undefined).then(() => {
      hasRoom = true;
    });
    await settle();
    assert.equal(hasRoom, false);
    await w.asked[0]!.arrive();
    assert.equal(hasRoom, true);
  });

  test('leaves the engine what is left of the time', async () => {
    const waits: number[] = [];
    const wait = async (ms: number) => void waits.push(ms);
    const w = world({
      make: () => ({ publish() {}, drained: wait, flushed: wait }) as unknown as ClientEngine,
    });
    w.publish('a');
    void w.engine.drained(50);
    void w.engine.flushed(20);
    await w.clock.advance(30);
    await w.asked[0]!.arrive();
    assert.deepEqual(waits, [20], 'the other was over before there was an engine');
  });
});
