/**
 * Chaos: an hour of virtual time for each seed, in which the cluster, the registry, the clocks and the process fail in
 * every way there is, and the six promises are kept all the time.
 *
 * World: the real client with MQTT.js over `chaos/cluster.ts`, on the virtual clock. A failure names its seed:
 * `CHAOS_SEED=17 npm run test:system -- chaos` lives that hour alone; `CHAOS_SEEDS=1000` as many as you like.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rank } from '../../src/index.js';
import { NODES } from './chaos/cluster.js';
import { Hour } from './chaos/hour.js';

const SEEDS = Number(process.env.CHAOS_SEEDS ?? 100);
const HOUR_MS = 3_600_000;

/** Lives one hour; then all is well, and the client must find home with nothing owed. */
async function live(seed: number): Promise<Hour> {
  const hour = new Hour(seed);
  try {
    const endsAt = hour.clock.now() + HOUR_MS;
    while (hour.clock.now() < endsAt) {
      await hour.step();
      hour.promises.verify();
    }
    hour.heal();
    const [home] = rank(
      hour.clientId,
      NODES.map((id) => ({ id })),
    );
    const isBack = () => {
      const { state, current, outbox } = hour.client.status();
      return state === 'connected' && (!hour.clean || current === home?.id) && outbox.messages === 0;
    };
    // The slow lane, a duel's hold-off and the memory of full nodes last a quarter of an hour or so.
    for (let minute = 0; minute < 40 && !isBack(); minute += 1) {
      hour.revive();
      await hour.pass(60_000);
      hour.promises.verify();
    }
    const { state, current, outbox } = hour.client.status();
    assert.equal(state, 'connected', 'the client finds back when all is well');
    assert.equal(outbox.messages, 0, 'nothing waits any more');
    if (hour.clean) assert.equal(current, home?.id, 'it is where its id belongs');
    hour.promises.checkSettled();
    hour.client.end();
    await hour.pass(10_000);
    hour.promises.verify();
    assert.deepEqual([hour.client.status().state, hour.own.pending], ['closed', 0], 'nothing is left of it');
    return hour;
  } catch (error) {
    const tail = hour.story.slice(-40).join('\n  ');
    const repeat = `CHAOS_SEED=${seed} npm run test:system -- chaos`;
    throw new Error(
      `seed ${seed}, MQTT ${hour.protocolVersion}: ${(error as Error).message}\n  repeat: ${repeat}\n  ${tail}`,
      { cause: error },
    );
  } finally {
    await hour.dispose();
  }
}

describe('chaos', () => {
  it(`breaks no promise in ${SEEDS} hours`, async (t) => {
    const only = process.env.CHAOS_SEED;
    const seeds = only ? [Number(only)] : Array.from({ length: SEEDS }, (_, n) => n + 1);
    const most = new Map<string, number>();
    const sum = { publishes: 0, waits: 0, distinct: 0, kills: 0 };
    const failures: string[] = [];
    for (const seed of seeds) {
      const hour = await live(seed).catch((error: Error) => error);
      if (hour instanceof Error) {
        failures.push(hour.message);
        continue;
      }
      const { promises, processes } = hour;
      for (const [{ what, windowMs }, count] of promises.most) {
        const name = `${what} in ${windowMs} ms`;
        most.set(name, Math.max(most.get(name) ?? 0, count));
      }
      sum.publishes += promises.publishes.length;
      sum.waits += promises.waits.length;
      sum.distinct += new Set(promises.waits).size;
      sum.kills += processes - 1;
    }
    assert.equal(failures.length, 0, failures.join('\n\n'));
    t.diagnostic(JSON.stringify({ ...sum, ...Object.fromEntries(most) }));
    // Waits are drawn: hardly two are alike.
    assert.ok(sum.distinct >= sum.waits * 0.98, `${sum.distinct} of ${sum.waits} waits are distinct`);
  });

  it('is the same for the same seed', async () => {
    const [first, second] = [await live(1), await live(1)];
    assert.deepEqual(first.story, second.story);
  });
});
