/**
 * The store under the outbox when it is slow, fails or lies.
 *
 * World: the real outbox over a database in memory, on the virtual clock.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMessage, type Message, settle as settleMessage } from '../../../../src/delivery/message.js';
import { Outbox } from '../../../../src/delivery/outbox.js';
import { Backlog, Stores } from '../../../../src/delivery/store/index.js';
import { FailoverError } from '../../../../src/errors.js';
import type { DatabaseRange, DatabaseSection } from '../../../../src/platform/database.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';
import { MemoryDatabase } from '../../fakes/memory-database.js';
import { Recorder } from '../../fakes/recorder.js';

function life(database: MemoryDatabase, maxMessages = 100_000, protocolVersion = 5) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const stores = new Stores(undefined);
  const outbox = new Outbox(
    { maxMessages, maxBytes: 1e9, maxAgeMs: Number.POSITIVE_INFINITY, overflow: 'reject-new' },
    {
      clock,
      events,
      elsewhere: { size: 0, bytes: 0 },
      makeBacklog: (shared, owner) => {
        const lease = () => stores.lease(database, 'c');
        const speaksMqtt5 = () => protocolVersion === 5;
        const deps = { ...shared, lease, codec: undefined, random: { next: () => 0.5 }, speaksMqtt5 };
        return new Backlog(deps, owner);
      },
    },
  );
  const log: string[] = [];
  const add = (topic: string, payload: string | Uint8Array = '', isLive = false): Message => {
    const told = (what: string) => (error?: Error) =>
      void log.push(`${topic} ${what} ${(error as FailoverError | undefined)?.code ?? 'ok'}`);
    const message = createMessage(
      topic,
      payload,
      { qos: 1, cbStorePut: told('stored') },
      told('settled'),
      clock.now(),
    );
    outbox.add(message, isLive);
    return message;
  };
  const work = () => clock.advance(1_000);
  const take = () => {
    const { first } = outbox;
    if (first) outbox.take(first);
    return first;
  };
  const drain = async () => {
    const topics: string[] = [];
    for (let next = take(); next; next = take()) {
      topics.push(next.topic);
      settleMessage(next);
      await settle();
    }
    return topics;
  };
  const end = async () => {
    outbox.seal(ENDED);
    outbox.clear(ENDED);
    await work();
    await outbox.closed;
  };
  outbox.open();
  return { outbox, events, log, add, work, take, drain, end, clock };
}

const ENDED = new FailoverError('ERR_ENDED', 'ended');
const records = (database: MemoryDatabase) =>
  [...database.sections.values()].flatMap((section) =>
    [...section.keys()].filter((key) => key.startsWith('r')),
  );

describe('a store', () => {
  test('gets the publishes of one turn in one synchronous batch', async () => {
    const database = new MemoryDatabase();
    const { add, work, log, end } = life(database);
    await work();
    for (const topic of ['a', 'b', 'c']) add(topic);
    assert.deepEqual(log, []);
    await work();
    assert.deepEqual(log, ['a stored ok', 'b stored ok', 'c stored ok']);
    assert.deepEqual(
      database.batches.map(({ sync }) => sync),
      [true],
    );
    await end();
  });

  test('is spared what is delivered before its turn comes', async () => {
    const database = new MemoryDatabase();
    const { add, work, take, log, end } = life(database);
    await work();
    add('a');
    settleMessage(take()!);
    await work();
    assert.deepEqual(log, ['a stored ok', 'a settled ok']);
    assert.deepEqual(records(database), []);
    await end();
  });

  test('says once that properties of MQTT 5 are lost on a client that does not speak it', async () => {
    for (const [protocolVersion, properties, warnings] of [
      [4, { contentType: 'text/plain' }, ['PROPERTIES_DROPPED']],
      [5, { contentType: 'text/plain' }, []],
      [4, undefined, []],
    ] as const) {
      const database = new MemoryDatabase();
      const before = life(database);
      await before.work();
      for (const topic of ['a', 'b']) {
        const options = { qos: 1 as const, ...(properties ? { properties } : {}) };
        before.outbox.add(
          createMessage(topic, '', options, () => {}, before.clock.now()),
          false,
        );
      }
      await before.work();
      await before.end();
      const { work, drain, events, end } = life(database, 100_000, protocolVersion);
      await work();
      assert.deepEqual(await drain(), ['a', 'b']);
      assert.deepEqual(
        events.of('warning').map(({ code }) => code),
        warnings,
      );
      await end();
    }
  });

  test('loses nothing of the life before to what this one publishes while it opens, QoS 0 among it', async () => {
    const database = new MemoryDatabase();
    const before = life(database);
    await before.work();
    for (const topic of ['a', 'b']) before.add(topic);
    await before.end();
    const { outbox, add, work, drain, end, clock } = life(database);
    add('c');
    outbox.add(createMessage('zero', '', { qos: 0 }, () => {}, clock.now()));
    await work();
    assert.equal(records(database).length, 3);
    assert.deepEqual((await drain()).toSorted(), ['a', 'b', 'c', 'zero']);
    await end();
  });

  test('forgets what is delivered, without a synchronous write', async () => {
    const database = new MemoryDatabase();
    const { add, work, drain, end } = life(database);
    for (const topic of ['a', 'b']) add(topic);
    await work();
    assert.equal(records(database).length, 2);
    await drain();
    await work();
    assert.deepEqual([records(database).length, database.batches.at(-1)!.sync], [0, false]);
    await end();
  });

  test('that fills up leaves everything in memory, and says so once', async () => {
    const database = new MemoryDatabase();
    const { add, work, drain, events, log, outbox, end } = life(database);
    const old = Array.from({ length: 1_500 }, (_, i) => `old${i}`);
    for (const topic of old) add(topic);
    await work();
    database.writeError = new DOMException('no room', 'QuotaExceededError');
    log.length = 0;
    for (const topic of ['x', 'y']) add(topic);
    await work();
    add('z');
    await work();
    assert.deepEqual(
      log,
      ['x', 'y', 'z'].map((topic) => `${topic} stored ERR_STORE`),
    );
    assert.deepEqual(
      events.of('storage-degraded').map(({ reason }) => reason),
      ['full'],
    );
    assert.equal(outbox.size, 1_503);
    assert.deepEqual(await drain(), [...old, 'x', 'y', 'z']);
    assert.equal(outbox.size, 0);
    // What was stored before stays: at least once.
    assert.equal(records(database).length, 1_500);
    await end();
  });

  test('that cannot be read back settles what is in it alone, and goes on in memory', async () => {
    const database = new MemoryDatabase();
    const { add, work, drain, events, log, end } = life(database);
    for (let i = 0; i < 1_200; i += 1) add(`t${i}`);
    await work();
    database.readError = Object.assign(new Error('block checksum mismatch'), { code: 'LEVEL_CORRUPTION' });
    add('late');
    await drain();
    await work();
    assert.deepEqual(events.of('storage-degraded')[0]!.reason, 'corrupt');
    assert.equal(
      log.filter((line) => line.endsWith('settled ok')).length +
        log.filter((line) => line.endsWith('settled ERR_STORE')).length,
      1_201,
    );
    assert.equal(records(database).length > 0, true);
    await end();
  });

  test('of large messages is read as far as the window has room for them, and for its topics a little at a time', async () => {
    const large = 64 * 1024;
    const mebibyte = 1024 * 1024;
    const database = new CountingDatabase();
    const first = life(database);
    for (let i = 0; i < 300; i += 1) first.add(`t${i}`, new Uint8Array(large));
    await first.work();
    await first.end();
    const { add, take, work, outbox, end } = life(database);
    await work();
    let taken = 0;
    let most = 0;
    for (let rounds = 0; rounds < 1_000 && taken < 150 * large; rounds += 1) {
      await settle();
      most = Math.max(most, sum(database.pages) - taken);
      const message = take();
      if (!message) continue;
      taken += large;
      settleMessage(message);
    }
    assert.ok(most > 3 * mebibyte && most < 4 * mebibyte + large, `${most} bytes in memory`);
    const before = database.pages.length;
    add('live', '', true);
    for (let pages = 0; pages < database.pages.length; await work()) pages = database.pages.length;
    const scanned = database.pages.slice(before);
    assert.ok(sum(scanned) > 80 * large, 'it was not read for its topics');
    assert.ok(Math.max(...scanned) <= mebibyte / 4, `${Math.max(...scanned)} bytes for their topics`);
    assert.equal(outbox.size, 151);
    await end();
  });

  test('with more than there is room for refuses the newest, and nothing of what it holds', async () => {
    const database = new MemoryDatabase();
    const first = life(database);
    for (const topic of ['a', 'b', 'c']) first.add(topic);
    await first.work();
    await first.end();
    const second = life(database, 4);
    for (const topic of ['d', 'e', 'f']) second.add(topic);
    await second.work();
    assert.deepEqual(
      second.events.of('dropped').map(({ topic, reason }) => `${topic} ${reason}`),
      ['f overflow', 'e overflow'],
    );
    assert.deepEqual(await second.drain(), ['a', 'b', 'c', 'd']);
    await second.end();
  });

  test('has a message of each acceptance, whatever is done in between', async () => {
    const database = new MemoryDatabase();
    let seed = 7;
    const next = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % n;
    };
    const expected: string[] = [];
    let count = 0;
    for (let round = 0; round < 12; round += 1) {
      const { add, work, take, end, outbox } = life(database);
      for (let step = 0; step < 40; step += 1) {
        const what = next(4);
        if (what < 2) {
          for (let i = next(120); i > 0; i -= 1) {
            count += 1;
            expected.push(`t${count}`);
            add(`t${count}`);
          }
        } else if (what === 2) await work();
        else {
          for (let i = next(150); i > 0; i -= 1) {
            const message = take();
            if (!message) break;
            assert.equal(message.topic, expected.shift());
            settleMessage(message);
          }
        }
      }
      await work();
      assert.equal(outbox.size, expected.length);
      await end();
    }
    assert.ok(count > 5_000);
  });
});

/** Knows the bytes of the payloads that were read, by page. */
class CountingDatabase extends MemoryDatabase {
  readonly pages: number[] = [];

  override sublevel(name: string[]): DatabaseSection {
    const section = super.sublevel(name);
    const iterator = (range: DatabaseRange) => {
      const entries = section.iterator(range);
      const page = this.pages.push(0) - 1;
      const nextv = async (size: number) => {
        const found = await entries.nextv(size);
        // Without what a record needs beside its payload.
        for (const [, value] of found) this.pages[page] = (this.pages[page] ?? 0) + (value.length & ~0xff);
        return found;
      };
      return { ...entries, nextv };
    };
    return { ...section, iterator };
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);
