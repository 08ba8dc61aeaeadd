/**
 * Stores that are damaged, not ours, or not to be written: something is said, and what can be read stays.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Level } from 'level';
import type { FailoverEvents } from '../../src/events.js';
import { aedesBroker } from '../support/aedes-cluster.js';
import { client } from './world.js';

const NOBODY = 'mqtt://127.0.0.1:9';
const PROGRAM = fileURLToPath(new URL('outbox-store/publishing-process.ts', import.meta.url));

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-damage-'));
});
after(() => rm(directory, { recursive: true, force: true }));

/** Stores messages for the next client with that store. */
async function fill(store: string, topics: readonly string[]): Promise<void> {
  await using first = client([NOBODY], { clientId: 'pump', outbox: { store } });
  for (const topic of topics)
    await new Promise<void>((resolve) =>
      first.publish(topic, topic, { qos: 1, cbStorePut: resolve }, () => {}),
    );
  await first.endAsync();
}

interface Recovery {
  readonly topics: string[];
  readonly events: FailoverEvents['storage-degraded'][];
}

/** What a client finds in a store and delivers. */
async function recover(store: string): Promise<Recovery> {
  await using broker = await aedesBroker();
  const events: Recovery['events'] = [];
  await using next = client([broker.url], { clientId: 'pump', protocolVersion: 4, outbox: { store } });
  next.on('storage-degraded', (event) => events.push(event));
  await new Promise<void>((resolve) => next.once('connect', () => resolve()));
  await next.flush();
  await next.endAsync();
  return { topics: broker.publishes.map(({ topic }) => topic), events };
}

/** Publishes through a client whose store fails, which must work all the same. */
async function worksInMemory(store: string): Promise<FailoverEvents['storage-degraded']> {
  await using broker = await aedesBroker();
  await using one = client([broker.url], { clientId: 'pump', protocolVersion: 4, outbox: { store } });
  const degraded = once(one, 'storage-degraded');
  const stored = new Promise<unknown>((resolve) => {
    one.publish('t', 'x', { qos: 1, cbStorePut: (error?: Error) => resolve(error) } as object, () => {});
  });
  const [event] = (await degraded) as [FailoverEvents['storage-degraded']];
  await one.publishAsync('t', 'y', { qos: 1 });
  assert.equal(await stored, event.error);
  assert.equal(event.error.code, 'ERR_STORE');
  assert.equal(broker.publishes.length, 2);
  return event;
}

describe('a store', () => {
  test('whose path is a file is said to be unusable, and the client works in memory', async () => {
    const store = join(directory, 'file');
    await writeFile(store, 'precious');
    await worksInMemory(store);
    assert.equal(await readFile(store, 'utf8'), 'precious');
  });

  test('that another process has is said to be locked', async () => {
    const store = join(directory, 'locked');
    const out = await open(`${store}.out`, 'w');
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, store, 'other'], {
      stdio: ['ignore', out.fd, 'inherit'],
    });
    while ((await out.stat()).size === 0 && child.exitCode === null) await sleep(5);
    try {
      const { reason, error } = await worksInMemory(store);
      assert.deepEqual([reason, error.retryable], ['locked', true]);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
      await out.close();
    }
  });

  test('serves several clients of one process, each with its own messages', async () => {
    const store = join(directory, 'gateway');
    await using broker = await aedesBroker();
    const ids = ['a', 'b', 'c'];
    for (const urls of [[NOBODY], [broker.url]]) {
      const clients = ids.map((clientId) =>
        client(urls, { clientId, protocolVersion: 4, outbox: { store } }),
      );
      for (const [i, each] of clients.entries()) {
        each.on('storage-degraded', ({ error }) => assert.fail(error));
        if (urls[0] === NOBODY)
          await new Promise<void>((resolve) =>
            each.publish(`from/${ids[i]}`, '', { qos: 1, cbStorePut: resolve }, () => {}),
          );
        else await each.flush();
      }
      await Promise.all(clients.map((each) => each.endAsync()));
    }
    assert.deepEqual(broker.publishes.map(({ clientId, topic }) => `${clientId} ${topic}`).sort(), [
      'a from/a',
      'b from/b',
      'c from/c',
    ]);
  });

  test('of a newer version is left as it is', async () => {
    const store = join(directory, 'newer');
    await fill(store, ['old']);
    const level = new Level<string, Uint8Array>(store, { valueEncoding: 'view' });
    const section = level.sublevel<string, Uint8Array>(['mqtt-failover', 'pump'], { valueEncoding: 'view' });
    const { frame } = await import('../../src/delivery/store/record.js');
    await section.put('meta', frame(new TextEncoder().encode('{"format":2}')));
    await level.close();
    const { reason } = await worksInMemory(store);
    assert.equal(reason, 'version');
    await level.open();
    const again = level.sublevel<string, Uint8Array>(['mqtt-failover', 'pump'], { valueEncoding: 'view' });
    assert.equal((await again.keys({ gte: 'r', lt: 's' }).all()).length, 1);
    await level.close();
  });

  test('with any byte of the last write flipped loses nothing without a word, and nothing before it', async () => {
    const store = join(directory, 'flipped');
    const { log, from } = await lastWrite(store);
    const content = await readFile(join(store, log));
    for (let at = from; at < content.length; at += 1) {
      const copy = join(directory, 'flip');
      await rm(copy, { recursive: true, force: true });
      await cp(store, copy, { recursive: true });
      const damaged = Buffer.from(content);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      await writeFile(join(copy, log), damaged);
      const { topics, events } = await recover(copy);
      const where = `byte ${at} of ${content.length}: ${topics.join(' ')}`;
      assert.deepEqual(topics.slice(0, 2), ['a', 'b'], where);
      assert.ok(topics.length === 3 || events.some(({ reason }) => reason === 'corrupt'), where);
    }
  });

  test('with the last write cut at any byte keeps everything before it', async () => {
    const store = join(directory, 'cut');
    const { log, from } = await lastWrite(store);
    const { size } = await stat(join(store, log));
    for (let length = from; length < size; length += 1) {
      const copy = join(directory, 'shorter');
      await rm(copy, { recursive: true, force: true });
      await cp(store, copy, { recursive: true });
      const file = await open(join(copy, log), 'r+');
      await file.truncate(length);
      await file.close();
      const { topics, events } = await recover(copy);
      assert.deepEqual(topics, ['a', 'b'], `cut at ${length} of ${size}`);
      // Cut between two writes it is whole.
      assert.deepEqual(events.length, length === from ? 0 : 1, `cut at ${length} of ${size}`);
    }
  });
});

/** A store with three messages, copied as a crash leaves it; where in its log the last one begins. */
async function lastWrite(store: string): Promise<{ log: string; from: number }> {
  const living = `${store}.living`;
  await using one = client([NOBODY], { clientId: 'pump', outbox: { store: living } });
  const put = (topic: string) =>
    new Promise<void>((resolve) => one.publish(topic, '', { qos: 1, cbStorePut: resolve }, () => {}));
  await put('a');
  await put('b');
  const log = (await readdir(living)).find((name) => name.endsWith('.log')) as string;
  const from = (await stat(join(living, log))).size;
  await put('c');
  // LevelDB keeps its files open; what is on the disk is what a crash leaves.
  await cp(living, store, { recursive: true });
  return { log, from };
}
