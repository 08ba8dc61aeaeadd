/**
 * What every outbox does, wherever it keeps its messages. Run for memory and for each kind of database, in Node
 * and in a page.
 *
 * World: the real outbox over a real store, the platform's clock; the test takes what the replayer would.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { IClientPublishOptions } from 'mqtt';
import type { OutboxBounds } from '../../src/delivery/bounds.js';
import { LateBacklog, type MakeBacklog } from '../../src/delivery/late-backlog.js';
import { createMessage, type Message, settle } from '../../src/delivery/message.js';
import { Outbox } from '../../src/delivery/outbox.js';
import type { OutboxCodec } from '../../src/delivery/store/codec.js';
import { Backlog, Stores } from '../../src/delivery/store/index.js';
import { FailoverError } from '../../src/errors.js';
import type { Database, Databases } from '../../src/platform/database.js';
import type { Platform } from '../../src/platform/ports.js';
import { Recorder } from '../unit/fakes/recorder.js';

/** A kind of store. */
export interface StoreUnderTest {
  /** A store that is empty; `undefined` for memory. */
  make(): Promise<Database | string | undefined>;
  /** Opens stores by name. */
  readonly databases?: Databases;
  readonly platform: Pick<Platform, 'clock' | 'random'>;
}

const ENDED = new FailoverError('ERR_ENDED', 'ended');
const BOUNDS: OutboxBounds = {
  maxMessages: 100_000,
  maxBytes: 1_000_000_000,
  maxAgeMs: Number.POSITIVE_INFINITY,
  overflow: 'reject-new',
};

interface Life {
  readonly outbox: Outbox;
  readonly events: Recorder;
  /** Topics whose callback was called, with the error's code. */
  readonly settled: string[];
  add(topic: string, options?: IClientPublishOptions, payload?: string | Uint8Array): Message;
  /** As {@link add}; resolves when it is stored. */
  store(topic: string, options?: IClientPublishOptions, payload?: string | Uint8Array): Promise<void>;
  /** Takes the next message out, as the replayer does. */
  take(): Promise<Message>;
  /** Takes the next message out and acknowledges it. */
  deliver(): Promise<string>;
  /** Delivers everything. */
  deliverAll(): Promise<string[]>;
  end(): Promise<void>;
}

/** The suite. */
export function outboxContract(name: string, { make, databases, platform }: StoreUnderTest): void {
  const { clock, random } = platform;
  let store: Database | string | undefined;
  let stores: Stores;
  let lives: Life[] = [];

  function life(bounds: Partial<OutboxBounds> = {}, codec?: OutboxCodec): Life {
    const events = new Recorder();
    const at = store;
    const makeBacklog: MakeBacklog = (shared, owner) => {
      const lease = () => stores.lease(at as Database | string, 'pump/17 ü');
      const deps = { ...shared, lease, codec, random, speaksMqtt5: () => true };
      return new LateBacklog(async () => new Backlog(deps, owner), owner, shared.events);
    };
    const outbox = new Outbox(
      { ...BOUNDS, ...bounds },
      {
        clock,
        events,
        elsewhere: { size: 0, bytes: 0 },
        makeBacklog: at === undefined ? undefined : makeBacklog,
      },
    );
    const settled: string[] = [];
    const add: Life['add'] = (topic, options = { qos: 1 }, payload = topic) => {
      const message = createMessage(
        topic,
        payload,
        options,
        (error) => settled.push(`${topic} ${(error as FailoverError | undefined)?.code ?? 'ok'}`),
        clock.now(),
      );
      outbox.add(message);
      return message;
    };
    const take = async () => {
      while (!outbox.first) {
        assert.ok(outbox.isOpening || outbox.size > 0, 'the outbox is empty');
        await turn();
      }
      const message = outbox.first;
      outbox.take(message);
      return message;
    };
    const deliver = async () => {
      const message = await take();
      settle(message);
      return message.topic;
    };
    const made: Life = {
      outbox,
      events,
      settled,
      add,
      store: (topic, options = { qos: 1 }, payload = topic) =>
        new Promise((resolve, reject) => {
          const cbStorePut = (error?: Error) => (error ? reject(error) : resolve());
          add(topic, { ...options, cbStorePut }, payload);
        }),
      take,
      deliver,
      deliverAll: async () => {
        const topics: string[] = [];
        while (outbox.isOpening || outbox.size > 0) {
          if (outbox.first) topics.push(await deliver());
          else await turn();
        }
        return topics;
      },
      end: async () => {
        outbox.seal(ENDED);
        outbox.clear(ENDED);
        await outbox.closed;
      },
    };
    outbox.open();
    lives.push(made);
    return made;
  }

  describe(`the outbox in ${name}`, () => {
    beforeEach(async () => {
      store = await make();
      stores = new Stores(databases);
      lives = [];
    });
    afterEach(async () => {
      for (const each of lives) await each.end();
    });

    test('gives back what was published, in the order of the calls', async () => {
      const { add, deliverAll, settled, outbox } = life();
      const topics = Array.from({ length: 50 }, (_, i) => `t${i}`);
      for (const topic of topics) add(topic, { qos: 1 });
      assert.deepEqual(await deliverAll(), topics);
      assert.deepEqual(
        settled,
        topics.map((topic) => `${topic} ok`),
      );
      assert.deepEqual([outbox.size, outbox.bytes], [0, 0]);
    });

    test('tells once that a message is stored', async () => {
      const { add, deliverAll } = life();
      let stored = 0;
      await new Promise<void>((resolve) => {
        add('a', {
          qos: 1,
          cbStorePut: () => {
            stored += 1;
            resolve();
          },
        });
      });
      await deliverAll();
      assert.equal(stored, 1);
    });

    test('counts exactly what waits, however much of it is in memory', async () => {
      const { store: put, outbox, deliver } = life();
      const all = Array.from({ length: 3_000 }, (_, i) => `${i}`.padStart(6, '0'));
      await Promise.all(all.map((topic) => put(topic, { qos: 1 }, 'x'.repeat(10))));
      assert.deepEqual([outbox.size, outbox.bytes], [3_000, 48_000]);
      for (const [i, topic] of all.slice(0, 2_500).entries()) {
        assert.equal(await deliver(), topic);
        assert.equal(outbox.size, 3_000 - i - 1);
      }
      assert.deepEqual([outbox.size, outbox.bytes], [500, 8_000]);
    });

    test('refuses what does not fit, wherever the rest is', async () => {
      const { store: put, add, settled, events, deliver } = life({ maxMessages: 1_500 });
      await Promise.all(Array.from({ length: 1_500 }, (_, i) => put(`t${i}`)));
      add('over');
      assert.deepEqual(settled, ['over ERR_OVERFLOW']);
      assert.equal(events.of('dropped')[0]!.reason, 'overflow');
      await deliver();
      await put('fits');
    });

    test('settles every callback at its end', async () => {
      const { store: put, end, settled } = life();
      const all = Array.from({ length: 1_200 }, (_, i) => `t${i}`);
      await Promise.all(all.map((topic) => put(topic)));
      await end();
      assert.deepEqual(settled.sort(), all.map((topic) => `${topic} ERR_ENDED`).sort());
    });

    test('keeps only the newest of each topic where that is the policy', async () => {
      const { store: put, deliverAll } = life({ overflow: 'latest-per-topic' });
      for (const topic of ['a', 'b', 'a']) await put(topic);
      assert.deepEqual(await deliverAll(), ['b', 'a']);
    });

    if (name === 'memory') return;

    test('delivers in the next life what this one could not, before anything new', async () => {
      const first = life();
      const old = Array.from({ length: 2_100 }, (_, i) => `old${i}`);
      await Promise.all(old.map((topic) => first.store(topic)));
      await first.end();
      const second = life();
      second.add('new');
      assert.deepEqual(await second.deliverAll(), [...old, 'new']);
      await second.end();
      assert.deepEqual(await life().deliverAll(), []);
    });

    test('brings messages back as they were', async () => {
      const first = life();
      const properties = {
        messageExpiryInterval: 3_600,
        contentType: 'text/ü',
        correlationData: Uint8Array.of(0, 255) as Buffer,
        userProperties: { a: ['1', '2'], __proto__: 'x' },
      };
      await first.store('ü/t', { qos: 2, retain: true, properties }, Uint8Array.of(0, 1, 255));
      await first.store('plain', { qos: 1 }, '');
      await first.end();
      const { take } = life();
      const message = await take();
      assert.deepEqual([message.topic, message.qos, message.options.retain], ['ü/t', 2, true]);
      assert.deepEqual([...(message.payload as Uint8Array)], [0, 1, 255]);
      assert.deepEqual(message.options.properties, {
        ...properties,
        userProperties: { a: ['1', '2'] },
      });
      const plain = await take();
      assert.deepEqual([plain.payload.length, plain.options], [0, { qos: 1, retain: false }]);
    });

    test('keeps what was on the wire when a life ends', async () => {
      const first = life();
      for (const topic of ['a', 'b', 'c']) await first.store(topic);
      const onTheWire = await first.take();
      settle(await first.take());
      assert.equal(onTheWire.topic, 'a');
      await first.end();
      assert.deepEqual(await life().deliverAll(), ['a', 'c']);
    });

    test('numbers on after everything was delivered', async () => {
      for (const round of [1, 2, 3]) {
        const writer = life();
        await writer.store(`kept${round}`);
        await writer.end();
        const reader = life();
        assert.deepEqual(await reader.deliverAll(), [`kept${round}`]);
        await reader.end();
      }
    });

    test('has one owner for each client id, who may come back', async () => {
      const owner = life();
      await owner.store('mine');
      const other = life();
      await assert.rejects(other.store('theirs'), { code: 'ERR_STORE' });
      assert.equal(other.events.of('storage-degraded')[0]!.reason, 'locked');
      assert.deepEqual(await other.deliverAll(), ['theirs']);
      await other.end();
      await owner.end();
      assert.deepEqual(await life().deliverAll(), ['mine']);
    });

    test('tells the next life that a broker had PUBREC for a message', async () => {
      const first = life();
      await first.store('sent', { qos: 2 });
      await first.store('waiting', { qos: 2 });
      first.outbox.received(await first.take());
      await first.end();
      const { take } = life();
      assert.deepEqual([(await take()).received, (await take()).received], [true, false]);
    });

    test('goes through the codec, and leaves alone what that cannot read', async () => {
      const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff);
      const codec = { encode: async (bytes: Uint8Array) => flip(bytes), decode: flip };
      const first = life({}, codec);
      await first.store('secret');
      await first.end();
      const wrong = life();
      await wrong.deliverAll();
      assert.deepEqual(
        wrong.events.of('storage-degraded').map(({ reason, error }) => [reason, error.code]),
        [['corrupt', 'ERR_STORE']],
      );
      await wrong.store('other');
      assert.equal(await wrong.deliver(), 'other');
      await wrong.end();
      assert.deepEqual(await life({}, codec).deliverAll(), ['secret']);
    });
  });
}
