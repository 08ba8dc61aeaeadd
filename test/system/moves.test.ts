// Planned moves between nodes of another make: nothing lost, nothing twice, no will, however often.
// World: two independent mosquitto nodes and a client under load. Real: everything. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectAsync, type FailoverEvents } from '../../src/index.js';
import { collect, until } from '../support/events.js';
import { mosquittos } from '../support/mosquitto.js';
import { watch } from './world.js';

const MOVES = 1_000;

describe('a thousand planned moves under load', () => {
  for (const protocolVersion of [4, 5] as const) {
    it(`cost nothing but a moment each: MQTT ${protocolVersion}`, async (t) => {
      await using brokers = await mosquittos(2);
      await using watcher = await watch(brokers);
      const client = await connectAsync(
        brokers.map(({ url }) => url),
        {
          clientId: 'device-7',
          protocolVersion,
          failback: { mode: 'off' },
          will: { topic: 'wills/device-7', payload: Buffer.from('gone'), qos: 1, retain: false },
        },
      );
      try {
        const moves = collect<FailoverEvents['move']>(client, 'move');
        const sent: string[] = [];
        let moving = true;
        const lane = async () => {
          while (moving) {
            sent.push(`${sent.length}`);
            await client.publishAsync('readings/a', `${sent.length - 1}`, { qos: 1 });
          }
        };
        const lanes = [lane(), lane()];
        const ids = client.status().endpoints.map(({ id }) => id);
        for (let n = 1; n <= MOVES; n += 1) await client.moveTo(`${ids[n % 2]}`);
        moving = false;
        await Promise.all(lanes);
        await until(() => watcher.missing(sent).length === 0, {
          what: () => `${watcher.missing(sent)} to arrive`,
        });
        const arrived = watcher.seen.flat().length;
        assert.deepEqual([moves.length, arrived - sent.length, watcher.wills], [MOVES, 0, []]);
        const gaps = moves.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
        t.diagnostic(`gap p50 ${gaps[MOVES / 2]?.toFixed(2)} ms, p99 ${gaps[MOVES * 0.99]?.toFixed(2)} ms`);
      } finally {
        await client.endAsync();
      }
    });
  }
});
