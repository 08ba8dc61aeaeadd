/**
 * A client with `outbox.store` whose code has to be loaded first, or cannot be.
 *
 * World: the real outbox and backlog over a database in memory; when the code comes is up to the test.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IClientPublishOptions } from 'mqtt';
import { LateBacklog } from '../../../src/delivery/late-backlog.js';
import { createMessage, settle as settleMessage } from '../../../src/delivery/message.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { Backlog, Stores } from '../../../src/delivery/store/index.js';
import { FailoverError } from '../../../src/errors.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { MemoryDatabase } from '../fakes/memory-database.js';
import { Recorder } from '../fakes/recorder.js';

const ENDED = new FailoverError('ERR_ENDED', 'ended');

function life(database = new MemoryDatabase()) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const stores = new Stores(undefined);
  const coming: { arrive: () => void; fail: () => void }[] = [];
  const outbox = new Outbox(
    { maxMessages: 100, maxBytes: 1e6, maxAgeMs: Number.POSITIVE_INFINITY, overflow: 'reject-new' },
    {
      clock,
      events,
      elsewhere: { size: 0, bytes: 0 },
      makeBacklog: (shared, owner) => {
        const lease = () => stores.lease(database, 'c');
        const random = { next: () => 0.5 };
        const deps = { ...shared, lease, codec: undefined, random, speaksMqtt5: () => true };
        const load = () =>
          new Promise<Backlog>((resolve, reject) => {
            const fail = () => reject(new TypeError('Failed to fetch dynamically imported module'));
            coming.push({ arrive: () => resolve(new Backlog(deps, owner)), fail });
          });
        return new LateBacklog(load, owner, events);
      },
    },
  );
  const log: string[] = [];
  const add = (topic: string, qos: 0 | 1 | 2 = 1) => {
    const told = (what: string) => (error?: Error | null) =>
      void log.push(`${topic} ${what} ${(error as FailoverError | undefined)?.code ?? 'ok'}`);
    const options: IClientPublishOptions = qos === 0 ? { qos } : { qos, cbStorePut: told('stored') };
    outbox.add(createMessage(topic, '', options, told('settled'), clock.now()));
  };
  const work = () => clock.advance(1_000);
  const end = async () => {
    outbox.seal(ENDED);
    outbox.clear(ENDED);
    await work();
    await outbox.closed;
  };
  const waiting = () => {
    const topics: string[] = [];
    for (let next = outbox.first; next; next = outbox.first) {
      outbox.take(next);
      topics.push(next.topic);
      settleMessage(next);
    }
    return topics;
  };
  return { outbox, events, log, add, work, end, waiting, coming, database };
}

describe('an outbox whose store has to be loaded', () => {
  test('holds back what is published meanwhile, and stores it then in order', async () => {
    const { outbox, add, log, work, waiting, coming, end } = life();
    outbox.open();
    add('a');
    add('b', 2);
    await work();
    assert.deepEqual([outbox.isOpening, outbox.size, outbox.first, log], [true, 2, undefined, []]);
    coming[0]!.arrive();
    await work();
    assert.deepEqual(log, ['a stored ok', 'b stored ok']);
    assert.deepEqual(waiting(), ['a', 'b']);
    await end();
  });

  test('gives nothing the number of what an earlier life has stored, also after QoS 0', async () => {
    const before = life();
    before.outbox.open();
    before.coming[0]!.arrive();
    for (const topic of ['a', 'b', 'c']) before.add(topic);
    await before.work();
    await before.end();
    const { outbox, add, work, waiting, coming, end } = life(before.database);
    outbox.open();
    add('d');
    for (const topic of ['x', 'y', 'z']) add(topic, 0);
    coming[0]!.arrive();
    await work();
    assert.deepEqual(
      waiting().filter((topic) => 'abcd'.includes(topic)),
      ['a', 'b', 'c', 'd'],
    );
    await end();
  });

  test('goes on in memory when it cannot be loaded, and says so', async () => {
    const { outbox, add, log, work, waiting, coming, events, end } = life();
    outbox.open();
    add('a');
    await settle();
    coming[0]!.fail();
    await work();
    const [trouble] = events.of('storage-degraded');
    assert.deepEqual([trouble?.reason, trouble?.error.code], ['unavailable', 'ERR_STORE']);
    assert.match(trouble?.error.message ?? '', /could not be loaded/);
    add('b');
    assert.deepEqual(log, ['a stored ERR_STORE', 'b stored ERR_STORE']);
    assert.equal(outbox.isOpening, false);
    assert.deepEqual(waiting(), ['a', 'b']);
    await end();
  });

  test('is loaded again when the client is used again', async () => {
    const { outbox, add, work, coming, end, log } = life();
    outbox.open();
    await settle();
    coming[0]!.fail();
    await work();
    await end();
    outbox.open();
    add('a');
    await settle();
    coming[1]!.arrive();
    await work();
    assert.deepEqual(log, ['a stored ok']);
    await end();
  });

  test('that is ended meanwhile settles everything, and opens nothing', async () => {
    const { outbox, add, log, work, coming, end } = life();
    outbox.open();
    add('a');
    await settle();
    await end();
    assert.deepEqual(log, ['a stored ERR_ENDED', 'a settled ERR_ENDED']);
    coming[0]!.arrive();
    await work();
    assert.equal(outbox.isOpening, false);
  });
});
