// A broker that is frozen, not dead, keeps every connection open and says nothing: only the client can tell.
// World: three independent mosquitto 2 nodes, default options. Real: everything. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync, type FailoverEvents } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { type Mosquitto, mosquittos } from '../support/mosquitto.js';
import { indexOf, watch } from './world.js';

/** About two seconds, on a machine that may be busy; keepalive would take 75 and more. */
const SOON_MS = 15_000;

describe('a mosquitto node that is frozen', () => {
  for (const protocolVersion of [4, 5] as const) {
    it(`under QoS 1 traffic is left in seconds, with nothing lost: MQTT ${protocolVersion}`, async () => {
      await using brokers = await mosquittos(3);
      await using watcher = await watch(brokers);
      const client = await connectAsync(
        brokers.map(({ url }) => url),
        { clientId: 'device-7', protocolVersion },
      );
      let traffic: NodeJS.Timeout | undefined;
      try {
        const sent: string[] = [];
        const settled: Promise<unknown>[] = [];
        traffic = setInterval(() => {
          sent.push(`${sent.length}`);
          settled.push(client.publishAsync('readings/a', `${sent.length - 1}`, { qos: 1 }));
        }, 10);
        const home = indexOf(client, brokers);
        await until(() => (watcher.seen[home]?.length ?? 0) >= 50);

        const frozen = brokers[home] as Mosquitto;
        const moved = once<[FailoverEvents['failover']]>(client, 'failover');
        frozen.freeze();
        const frozenAt = performance.now();
        const [failover] = await moved;
        const took = performance.now() - frozenAt;
        assert.ok(took < SOON_MS, `failed over after ${Math.round(took)} ms`);
        assert.notEqual(failover.to, failover.from);

        await until(() => (watcher.seen[indexOf(client, brokers)]?.length ?? 0) >= 50);
        clearInterval(traffic);
        await Promise.all(settled);
        frozen.thaw();
        // What the frozen node had acknowledged reached its subscribers; everything else is on the other nodes.
        const missing = () => watcher.missing(sent);
        await until(() => missing().length === 0, { what: () => `readings ${missing()} to arrive` });
      } finally {
        clearInterval(traffic);
        await client.endAsync();
      }
    });

    it(`for less than the deadlines is not left: MQTT ${protocolVersion}`, async () => {
      await using brokers = await mosquittos(2);
      const client = await connectAsync(
        brokers.map(({ url }) => url),
        { clientId: 'device-7', protocolVersion },
      );
      let traffic: NodeJS.Timeout | undefined;
      try {
        const closes = collect(client, 'close');
        const settled: Promise<unknown>[] = [];
        traffic = setInterval(() => {
          settled.push(client.publishAsync('readings/a', 'x', { qos: 1 }));
        }, 10);
        await until(() => settled.length >= 50);
        const node = brokers[indexOf(client, brokers)] as Mosquitto;
        node.freeze();
        await pause(1_500);
        node.thaw();
        await until(() => settled.length >= 300);
        clearInterval(traffic);
        await Promise.all(settled);
        assert.deepEqual(closes, []);
      } finally {
        clearInterval(traffic);
        await client.endAsync();
      }
    });
  }

  it('while the client is idle is left in seconds after its next publish, which arrives elsewhere', async () => {
    await using brokers = await mosquittos(3);
    await using watcher = await watch(brokers);
    const client = await connectAsync(
      brokers.map(({ url }) => url),
      { clientId: 'device-7', protocolVersion: 5 },
    );
    try {
      const frozen = brokers[indexOf(client, brokers)] as Mosquitto;
      frozen.freeze();
      const moved = once(client, 'failover');
      const publishedAt = performance.now();
      const published = client.publishAsync('readings/a', 'alone', { qos: 1 });
      await moved;
      assert.ok(performance.now() - publishedAt < SOON_MS);
      await published;
      const now = indexOf(client, brokers);
      await until(() => watcher.seen[now]?.includes('alone'));
      frozen.thaw();
    } finally {
      await client.endAsync();
    }
  });
});
