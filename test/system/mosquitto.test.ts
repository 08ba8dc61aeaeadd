// The client against real mosquitto processes: what a broker of another make does when it dies, stops and returns.
// World: three independent mosquitto 2 nodes, TCP, TLS and WebSocket. Real: everything. Fake: nothing.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import { connect, connectAsync, type FailoverEvents, type FailoverOptions } from '../../src/index.js';
import { once, until } from '../support/events.js';
import { type Mosquitto, mosquittos, secureMosquittos } from '../support/mosquitto.js';
import { type CertificateAuthority, certificateAuthority } from '../support/tls.js';
import { brokerOf, watch } from './world.js';

const VARIANTS: readonly { name: string; url: (broker: Mosquitto) => string; options: FailoverOptions }[] = [
  { name: 'MQTT 3.1.1 over TCP', url: ({ url }) => url, options: { protocolVersion: 4 } },
  { name: 'MQTT 5 over TCP', url: ({ url }) => url, options: { protocolVersion: 5 } },
  { name: 'MQTT 5 over WebSocket', url: ({ wsUrl }) => wsUrl, options: { protocolVersion: 5 } },
];

describe('three mosquitto nodes', () => {
  for (const { name, url, options } of VARIANTS) {
    it(`loses nothing at QoS 1 when its node is killed: ${name}`, async () => {
      await using brokers = await mosquittos(3);
      await using watcher = await watch(brokers);
      const client = await connectAsync(brokers.map(url), { clientId: 'device-7', ...options });
      try {
        const published: Promise<unknown>[] = [];
        const send = (n: number) => published.push(client.publishAsync('readings/a', `${n}`, { qos: 1 }));
        for (let n = 0; n < 50; n += 1) send(n);
        const moved = once<[FailoverEvents['failover']]>(client, 'failover');
        const dying = brokerOf(client, brokers);
        const killed = dying.kill();
        for (let n = 50; n < 100; n += 1) send(n);
        await killed;
        const [failover] = await moved;
        await Promise.all(published);
        assert.notEqual(failover.to, failover.from);
        const sent = Array.from({ length: 100 }, (_, n) => `${n}`);
        const missing = () => watcher.missing(sent);
        await until(() => missing().length === 0, { what: () => `readings ${missing()} to arrive` });
      } finally {
        await client.endAsync();
      }
    });
  }

  it('takes its subscriptions along', async () => {
    await using brokers = await mosquittos(3);
    const client = await connectAsync(
      brokers.map((b) => b.url),
      { clientId: 'device-7', protocolVersion: 5 },
    );
    try {
      await client.subscribeAsync({ 'cmd/a': { qos: 1 }, 'cmd/b': { qos: 0 } });
      const moved = once(client, 'failover');
      await brokerOf(client, brokers).kill();
      await moved;
      const control = await mqtt.connectAsync(brokerOf(client, brokers).url);
      const command = once<[string, Buffer]>(client, 'message');
      // The SUBACK may still be on its way.
      const again = setInterval(() => control.publish('cmd/a', 'go', { qos: 1 }), 50);
      const [topic, payload] = await command;
      clearInterval(again);
      await control.endAsync();
      assert.deepEqual([topic, payload.toString()], ['cmd/a', 'go']);
    } finally {
      await client.endAsync();
    }
  });

  it('leaves a node that shuts down in order, and one that is frozen before CONNACK', async () => {
    await using brokers = await mosquittos(3);
    const client = await connectAsync(
      brokers.map((b) => b.url),
      {
        clientId: 'device-7',
        dial: { connackTimeoutMs: 300 },
        backoff: { spreadMs: 0 },
      },
    );
    try {
      const [home, second, third] = client.status().endpoints.map(({ id }) => id);
      const node = (id: string | undefined) =>
        brokers.find(({ port }) => id === `127.0.0.1:${port}`) as Mosquitto;
      node(second).freeze();
      const moved = once<[FailoverEvents['failover']]>(client, 'failover');
      await node(home).kill('SIGTERM');
      const [failover] = await moved;
      node(second).thaw();
      assert.equal(failover.to, third);
      assert.equal(client.status().endpoints[1]?.state, 'suspect');
    } finally {
      await client.endAsync();
    }
  });

  it('waits out the loss of all nodes and delivers what was published meanwhile, in order', async () => {
    await using brokers = await mosquittos(3);
    const client = await connectAsync(
      brokers.map((b) => b.url),
      {
        clientId: 'device-7',
        backoff: { minMs: 100, baseMs: 100, maxMs: 300 },
      },
    );
    try {
      const down = until(() => client.status().state === 'backoff' && client.status().counters.failedPasses, {
        what: 'a failed pass',
      });
      await Promise.all(brokers.map((broker) => broker.kill()));
      const published = Array.from({ length: 20 }, (_, n) =>
        client.publishAsync('readings/a', `${n}`, { qos: 1 }),
      );
      await down;
      await brokers[1]?.start();
      await using watcher = await watch([brokers[1] as Mosquitto]);
      await Promise.all(published);
      await until(() => watcher.seen.flat().length > 0 || client.connected, { what: 'the connection' });
      assert.equal(client.status().outbox.messages, 0);
    } finally {
      await client.endAsync();
    }
  });
});

describe('three mosquitto nodes with a certificate for each', () => {
  const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  let authority: CertificateAuthority;
  before(async () => {
    authority = await certificateAuthority();
  });
  after(() => authority[Symbol.asyncDispose]());

  for (const [name, url] of [
    ['TLS', ({ tlsUrl }: Mosquitto) => tlsUrl],
    ['secure WebSocket', ({ wssUrl }: Mosquitto) => wssUrl],
  ] as const) {
    it(`loses nothing at QoS 1 when its node is killed: MQTT 5 over ${name}`, async () => {
      await using brokers = await secureMosquittos(authority, ADDRESSES);
      await using watcher = await watch(brokers);
      const endpoints = brokers.map((broker, n) => ({ url: url(broker), id: `n${n}` }));
      const client = await connectAsync(endpoints, {
        clientId: 'device-7',
        protocolVersion: 5,
        ca: authority.ca,
        wsOptions: { ca: authority.ca },
      });
      try {
        const sent = Array.from({ length: 100 }, (_, n) => `${n}`);
        const publish = (payload: string) => client.publishAsync('readings/a', payload, { qos: 1 });
        const published = sent.slice(0, 50).map(publish);
        const moved = once<[FailoverEvents['failover']]>(client, 'failover');
        const home = endpoints.findIndex(({ id }) => id === client.status().current);
        await brokers[home]?.kill();
        published.push(...sent.slice(50).map(publish));
        assert.equal((await moved)[0].from, `n${home}`);
        await Promise.all(published);
        await until(() => watcher.missing(sent).length === 0, { what: () => `${watcher.missing(sent)}` });
      } finally {
        await client.endAsync();
      }
    });
  }

  it('is not served by the one that shows the certificate of another, and says so', async () => {
    await using brokers = await secureMosquittos(authority, ['127.0.0.2', '127.0.0.2']);
    const client = connect(
      brokers.map(({ tlsUrl: url }, n) => ({ url, id: `n${n}` })),
      { clientId: 'device-7', selection: 'ordered', ca: authority.ca },
    );
    try {
      const [security] = await once<[FailoverEvents['security']]>(client, 'security');
      assert.deepEqual([security.endpoint, security.code], ['n0', 'ERR_TLS_CERT_ALTNAME_INVALID']);
      await until(() => client.connected);
      assert.equal(client.status().current, 'n1');
    } finally {
      await client.endAsync();
    }
  });
});
