// A load balancer beside the nodes behind it: the last tier of the list, for when no node can be reached.
// World: two mosquitto nodes that the client knows, and HAProxy in front of a third. Real: everything. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectAsync, type FailoverEvents } from '../../src/index.js';
import { once, until } from '../support/events.js';
import { haproxy } from '../support/haproxy.js';
import { HOST } from '../support/listener.js';
import { type Mosquitto, mosquittos } from '../support/mosquitto.js';

const balancerBefore = (backendPort: number) =>
  haproxy(
    (port) => `defaults
  mode tcp
  timeout connect 1s
  timeout client 60s
  timeout server 60s
listen mqtt
  bind ${HOST}:${port}
  server node ${HOST}:${backendPort}
`,
  );

describe('a balancer as the last tier', () => {
  it('takes the client when it can reach no node, and gives it back when it can', async () => {
    await using brokers = await mosquittos(3);
    const [a, b, behind] = brokers as Mosquitto[] as [Mosquitto, Mosquitto, Mosquitto];
    await using balancer = await balancerBefore(behind.port);
    const client = await connectAsync(
      [a.url, b.url, { id: 'balancer', url: `mqtt://${HOST}:${balancer.port}`, priority: 9, weight: 100 }],
      {
        clientId: 'pump-17',
        protocolVersion: 5,
        health: { ejectMs: 500, probeMs: 200 },
        failback: { healthyMs: 500, probes: 2, windowMs: 100, dwellMs: 100 },
      },
    );
    try {
      const { home } = client.status();
      const [first, second] = home === `${HOST}:${a.port}` ? [a, b] : [b, a];
      const moves: string[] = [];
      client.on('failover', ({ to }: FailoverEvents['failover']) => moves.push(to));
      await first.kill();
      await until(() => moves.length === 1, { what: 'the first fail-over' });
      const killed = second.kill();
      await client.publishAsync('pumps/17', 'while no node is there', { qos: 1 });
      await killed;
      assert.deepEqual(
        [home, ...moves],
        [first, second].map(({ port }) => `${HOST}:${port}`).concat('balancer'),
      );
      const returned = once<[FailoverEvents['failback']]>(client, 'failback', 20_000);
      await Promise.all([a.start(), b.start()]);
      const [{ from }] = await returned;
      assert.equal(from, 'balancer');
      await until(() => client.status().current === home, {
        timeoutMs: 20_000,
        what: `the way home to ${home}`,
      });
    } finally {
      await client.endAsync();
    }
  });
});
