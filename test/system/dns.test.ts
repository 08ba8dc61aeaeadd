// SRV discovery with the DNS servers that people run: updates, truncation, negative answers, DNS over HTTPS.
// World: BIND 9, dnsmasq, HAProxy in front of BIND's DNS over HTTP/2, mosquitto on localhost. Real: everything.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect, type FailoverError, type FailoverEvents, type FailoverOptions } from '../../src/index.js';
import { type Bind, bind } from '../support/bind.js';
import { daemon, freePort } from '../support/daemon.js';
import { dohProxy } from '../support/doh-proxy.js';
import { once } from '../support/events.js';
import { HOST } from '../support/listener.js';
import { mosquitto } from '../support/mosquitto.js';

const ZONE = 'example.test';

function subjectOf(
  url: string,
  dns: { servers?: string[]; doh?: string },
  more: FailoverOptions['discovery'] = {},
) {
  const client = connect(url, {
    clientId: 'device-7',
    discovery: { dns, allowedHosts: ['localhost', `*.${ZONE}`], ...more },
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.endAsync(true) });
}

const many = Array.from(
  { length: 40 },
  (_, i) => `_mqtt._tcp.big 60 IN SRV ${i % 3} ${i} ${2000 + i} node-${i}.site-${i % 7}`,
);

function world(port: number): Promise<Bind> {
  return bind(ZONE, [
    `_mqtt._tcp 2 IN SRV 0 1 ${port} localhost.`,
    `_mqtt._tcp.alias IN CNAME _mqtt._tcp`,
    '_mqtt._tcp.off IN SRV 0 0 0 .',
    '_mqtt._tcp.text IN TXT "tls=false"',
    ...many,
  ]);
}

describe('BIND 9', () => {
  it('leads to the broker, and an update is seen when its TTL is over', async () => {
    await using broker = await mosquitto();
    await using server = await world(broker.port);
    await using client = subjectOf(
      'mqtt+srv://example.test',
      { servers: [server.address] },
      { refreshMs: 1_000 },
    );
    await once(client, 'connect');
    assert.equal(client.status().current, `localhost:${broker.port}`);
    const changed = once<[FailoverEvents['topology']]>(client, 'topology', 10_000);
    await server.update(`update add _mqtt._tcp.${ZONE}. 2 SRV 5 1 1999 second.${ZONE}.`);
    const updatedAt = performance.now();
    const [{ added, removed }] = await changed;
    const tookMs = performance.now() - updatedAt;
    assert.deepEqual([added, removed], [[`second.${ZONE}:1999`], []]);
    // Two seconds, a query, and what a busy machine adds.
    assert.ok(tookMs <= 6_000, `seen after ${Math.round(tookMs)} ms`);
  });

  it('gives forty records, which do not fit into UDP', async () => {
    await using server = await world(1883);
    await using client = subjectOf(`mqtt+srv://big.${ZONE}`, { servers: [server.address] });
    await once(client, 'topology');
    const { endpoints } = client.status();
    assert.equal(endpoints.length, 40);
    const one = endpoints.find(({ id }) => id === `node-5.site-5.${ZONE}:2005`);
    assert.deepEqual([one?.priority, one?.weight], [2, 5]);
  });

  it('leads through an alias to the records behind it', async () => {
    await using broker = await mosquitto();
    await using server = await world(broker.port);
    await using client = subjectOf(`mqtt+srv://alias.${ZONE}`, { servers: [server.address] });
    await once(client, 'connect');
  });

  for (const [what, domain, message] of [
    ['has no such name', `none.${ZONE}`, /127\.0\.0\.1:\d+ says that there is no such name$/],
    ['has no records of that type', `text.${ZONE}`, /says that the name has no SRV records$/],
    ['is told that there is none', `off.${ZONE}`, /service is decidedly not available at this domain/],
    ['does not serve the domain', 'elsewhere.invalid', /127\.0\.0\.1:\d+ answered REFUSED$/],
  ] as const) {
    it(`${what}, and the error says so`, async () => {
      await using server = await world(1883);
      await using client = subjectOf(`mqtt+srv://${domain}`, { servers: [server.address] });
      const [error] = await once<[FailoverError]>(client, 'error');
      assert.equal(error.code, 'ERR_DISCOVERY');
      assert.match(error.message, message);
    });
  }

  it('is asked over HTTP just as well: records, forty of them, and no such name', async () => {
    await using broker = await mosquitto();
    await using server = await world(broker.port);
    await using proxy = await dohProxy(server.dohPort);
    {
      await using client = subjectOf(`mqtt+srv://${ZONE}`, { doh: proxy.url });
      await once(client, 'connect');
    }
    {
      await using client = subjectOf(`mqtt+srv://big.${ZONE}`, { doh: proxy.url });
      await once(client, 'topology');
      assert.equal(client.status().endpoints.length, 40);
    }
    await using client = subjectOf(`mqtt+srv://none.${ZONE}`, { doh: proxy.url });
    const [error] = await once<[FailoverError]>(client, 'error');
    assert.match(error.message, /http:\/\/127\.0\.0\.1:\d+ says that there is no such name$/);
  });
});

describe('dnsmasq', () => {
  const start = async (brokerPort: number) => {
    const port = await freePort();
    const lines = [
      ...['no-daemon', 'no-resolv', 'no-hosts', 'no-poll', 'user=root', 'pid-file=', 'bind-interfaces'],
      ...[`port=${port}`, `listen-address=${HOST}`, `local=/${ZONE}/`, 'local-ttl=3'],
      `srv-host=_mqtt._tcp.${ZONE},localhost,${brokerPort},0,6`,
      `srv-host=_mqtt._tcp.${ZONE},second.${ZONE},1999,5,4`,
      ...Array.from(
        { length: 40 },
        (_, i) => `srv-host=_mqtt._tcp.big.${ZONE},node-${i}.site-${i % 7}.${ZONE},${2000 + i},0,1`,
      ),
    ];
    const server = await daemon({
      program: 'dnsmasq',
      files: () => ({ 'dnsmasq.conf': `${lines.join('\n')}\n` }),
      args: (directory) => ['-C', `${directory}/dnsmasq.conf`],
      port,
    });
    return Object.assign(server, { address: `${HOST}:${port}` });
  };

  it('leads to the broker, with priority and weight', async () => {
    await using broker = await mosquitto();
    await using server = await start(broker.port);
    await using client = subjectOf(`mqtt+srv://${ZONE}`, { servers: [server.address] });
    await once(client, 'connect');
    assert.deepEqual(
      client.status().endpoints.map(({ id, priority, weight }) => [id, priority, weight]),
      [
        [`localhost:${broker.port}`, 0, 6],
        [`second.${ZONE}:1999`, 5, 4],
      ],
    );
  });

  it('gives forty records, and says NXDOMAIN without an SOA record', async () => {
    await using server = await start(1883);
    {
      await using client = subjectOf(`mqtt+srv://big.${ZONE}`, { servers: [server.address] });
      await once(client, 'topology');
      assert.equal(client.status().endpoints.length, 40);
    }
    await using client = subjectOf(`mqtt+srv://none.${ZONE}`, { servers: [server.address] });
    const [error] = await once<[FailoverError]>(client, 'error');
    assert.match(error.message, /no such name$/);
  });
});
