/**
 * What a power cut would do, as near as a process can come to it: `kill -9` while publishing into a store.
 *
 * MQTT_FAILOVER_CRASHES sets how many times: a few is what `npm test` has time for, and the system suite has the 200 that are promised.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { aedesBroker } from '../support/aedes-cluster.js';
import { client } from './world.js';

const CRASHES = Number(process.env.MQTT_FAILOVER_CRASHES ?? 6);
const PROGRAM = fileURLToPath(new URL('outbox-store/publishing-process.ts', import.meta.url));
/** Lives between two deliveries. */
const LIVES = 4;

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-crash-'));
});
after(() => rm(directory, { recursive: true, force: true }));

/** Lets a process publish, and kills it some milliseconds after its first message was stored. */
async function live(store: string, name: string, ms: number): Promise<string[]> {
  const report = join(directory, name);
  // A file, as a full pipe would make the process wait, or fail.
  const out = await open(report, 'w');
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, store, name], {
    stdio: ['ignore', out.fd, 'pipe'],
  });
  let failure = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    failure += text;
  });
  const closed = once(child, 'close');
  while ((await out.stat()).size === 0 && child.exitCode === null) await sleep(2);
  await sleep(ms);
  child.kill('SIGKILL');
  await closed;
  await out.close();
  assert.equal(failure, '');
  return (await readFile(report, 'utf8')).split('\n').slice(0, -1);
}

/** Everything that the store delivers to a new broker, in the order of its arrival. */
async function deliver(store: string): Promise<string[]> {
  await using broker = await aedesBroker();
  await using next = client([broker.url], { clientId: 'pump', protocolVersion: 4, outbox: { store } });
  await new Promise<void>((resolve) => next.once('connect', () => resolve()));
  const { unsettled } = await next.flush({ timeoutMs: 60_000 });
  assert.equal(unsettled, 0);
  await next.endAsync();
  return broker.publishes.map(({ payload }) => payload);
}

function check(stored: readonly string[], delivered: readonly string[], lives: readonly string[]): void {
  const missing = new Set(stored);
  for (const line of delivered) missing.delete(line);
  assert.deepEqual([...missing], [], 'stored and not delivered');
  const order = delivered.map((line) => {
    const [life = '', n = ''] = line.split(':');
    return { life: lives.indexOf(life), n: Number(n) };
  });
  for (const [i, { life, n }] of order.entries()) {
    const previous = order[i - 1];
    assert.ok(life >= 0, `invented: ${delivered[i]}`);
    if (!previous) continue;
    const isNext = previous.life === life ? n === previous.n + 1 : life > previous.life && n === 1;
    assert.ok(isNext, `${delivered[i]} after ${delivered[i - 1]}`);
  }
}

describe('kill -9', () => {
  test(`loses nothing that was stored, in ${CRASHES} crashes at random moments`, async () => {
    const store = join(directory, 'random');
    for (let crash = 0; crash < CRASHES; crash += LIVES) {
      const lives = Array.from({ length: Math.min(LIVES, CRASHES - crash) }, (_, i) => `life${crash + i}`);
      const stored: string[] = [];
      for (const name of lives) stored.push(...(await live(store, name, Math.random() * 60)));
      assert.ok(stored.length > 0);
      check(stored, await deliver(store), lives);
    }
  });
});
