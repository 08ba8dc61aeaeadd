// SRV discovery from the URL to the broker: real UDP, TCP and HTTP, real brokers on localhost.
// World: a DNS server inside the process that answers as each test says, aedes brokers. Fake: the time, where a test says so.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once as onceOf } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { connect, type FailoverError, type FailoverEvents, type FailoverOptions } from '../../src/index.js';
import { nodeDns } from '../../src/platform/node-dns.js';
import { type AedesCluster, aedesCluster } from '../support/aedes-cluster.js';
import { cname, type Reply, srv } from '../support/dns-messages.js';
import { DnsServer } from '../support/dns-server.js';
import { dohServer } from '../support/doh-server.js';
import { collect, once, until } from '../support/events.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';
import { HOST } from '../support/listener.js';
import { client, disposable, hurried } from './world.js';

/** Nobody listens at `tcpmux`, and no system hands it out by itself: a port of the free ones may be the sender's own. */
const VACANT_PORT = 1;
const NAME = '_mqtt._tcp.example.test';

const via = (
  server: { readonly address: string },
  more: FailoverOptions['discovery'] = {},
): FailoverOptions => ({
  discovery: { dns: { servers: [server.address] }, allowedHosts: ['localhost'], ...more },
});

/** The brokers of a cluster as SRV records for localhost. */
const recordsOf = (cluster: AedesCluster, ...which: number[]) =>
  which.map((i, weight) =>
    srv(NAME, 'localhost', { port: cluster.at(i)?.port ?? 0, weight: weight + 1, ttl: 5 }),
  );

describe('connect("mqtt+srv://example.test")', () => {
  it('reaches a broker through the SRV records of the given DNS server', async () => {
    await using cluster = await aedesCluster(2);
    await using server = await DnsServer.open(() => ({ answers: recordsOf(cluster, 0, 1) }));
    await using subject = client('mqtt+srv://example.test', via(server));
    await once(subject, 'connect');
    const { current, endpoints, discovery } = subject.status();
    assert.ok(
      cluster.brokers.some(({ port }) => current === `localhost:${port}`),
      `${current}`,
    );
    assert.equal(endpoints.length, 2);
    assert.equal(discovery.source, 'srv');
    assert.deepEqual(
      server.questions.map(({ name, type, via: transport }) => [name.toLowerCase(), type, transport]),
      [[NAME, 'SRV', 'udp']],
    );
  });

  it('gets forty records over TCP when UDP truncates them (R31)', async () => {
    await using server = await DnsServer.open(({ via: transport }) => {
      const answers = Array.from({ length: 40 }, (_, i) => srv(NAME, `broker-number-${i}.site.example.test`));
      return transport === 'tcp' ? { answers } : { truncated: true, answers: answers.slice(0, 9) };
    });
    await using subject = client('mqtt+srv://example.test', {
      discovery: { dns: { servers: [server.address] } },
    });
    await once(subject, 'topology');
    assert.equal(subject.status().endpoints.length, 40);
  });

  it('follows aliases, but only to hosts of the configured domain (R26)', async () => {
    const hosts = ['a.example.test', 'a.evil.test'];
    await using server = await DnsServer.open(() => ({
      answers: [cname(NAME, 'there.evil.test'), ...hosts.map((host) => srv('there.evil.test', host))],
    }));
    await using subject = client('mqtt+srv://example.test', {
      discovery: { dns: { servers: [server.address] } },
    });
    const reports = collect<FailoverEvents['discovery-error']>(subject, 'discovery-error');
    await once(subject, 'topology');
    assert.deepEqual(
      subject.status().endpoints.map(({ id }) => id),
      ['a.example.test:1883'],
    );
    await until(() => reports.length > 0, { what: 'word of what was left out' });
    assert.match(
      `${reports[0]?.error.message}`,
      /"a\.evil\.test:1883": the host is neither under the domain/,
    );
  });

  it('never asks for the insecure service when TLS is wanted (R4)', async () => {
    await using cluster = await aedesCluster(1);
    await using server = await DnsServer.open(({ name }) =>
      name.toLowerCase() === NAME ? { answers: recordsOf(cluster, 0) } : { rcode: 3 },
    );
    await using subject = client('mqtts+srv://example.test', via(server));
    const [error] = await once<[FailoverError]>(subject, 'error');
    assert.equal(error.code, 'ERR_DISCOVERY');
    assert.match(
      error.message,
      /_secure-mqtt\._tcp\.example\.test failed: 127\.0\.0\.1:\d+ says that there is no such name$/,
    );
    assert.deepEqual(subject.status().endpoints, []);
    assert.ok(server.questions.every(({ name }) => name.toLowerCase() === '_secure-mqtt._tcp.example.test'));
  });

  it('connects when the DNS is down at first and comes up later (R19)', async () => {
    await using cluster = await aedesCluster(1);
    let isUp = false;
    await using server = await DnsServer.open(() =>
      isUp ? { answers: recordsOf(cluster, 0) } : { rcode: 2 },
    );
    await using subject = client('mqtt+srv://example.test', { ...via(server), ...hurried(10) });
    const failed = once(subject, 'discovery-error');
    await once(subject, 'error');
    await failed;
    isUp = true;
    await once(subject, 'connect', 15_000);
  });

  it('keeps its list and its link when the DNS fails, and takes a new list after the TTL (R18, R22)', async () => {
    await using cluster = await aedesCluster(2);
    let reply: Reply = { answers: recordsOf(cluster, 0) };
    await using server = await DnsServer.open(() => reply);
    await using subject = client('mqtt+srv://example.test', {
      ...via(server, { refreshMs: 1_000 }),
      ...hurried(10),
    });
    await once(subject, 'connect');
    const closes: unknown[] = [];
    subject.on('close', () => closes.push(1));
    reply = { rcode: 2 };
    await once(subject, 'discovery-error');
    assert.equal(subject.status().endpoints.length, 1);
    reply = { answers: recordsOf(cluster, 0, 1) };
    const [change] = await once<[FailoverEvents['topology']]>(subject, 'topology', 10_000);
    assert.deepEqual([change.added, change.removed], [[`localhost:${cluster.at(1)?.port}`], []]);
    assert.deepEqual(closes, []);
  });

  it('asks over HTTPS where it is told to, and never the DNS servers', async () => {
    await using cluster = await aedesCluster(1);
    await using server = await DnsServer.open(() => assert.fail('asked over UDP'));
    await using doh = await dohServer(() => ({ answers: recordsOf(cluster, 0) }));
    const dns = { servers: [server.address], doh: doh.url };
    await using subject = client('mqtt+srv://example.test', via(server, { dns }));
    await once(subject, 'connect');
    assert.deepEqual(doh.methods, ['GET']);
  });

  it('leaves no socket and no timer behind, also when ended while it asks', async () => {
    await using server = await DnsServer.open(() => undefined);
    const before = openHandles();
    const subject = disposable(connect('mqtt+srv://example.test', via(server)));
    await until(() => server.questions.length > 0);
    await new Promise<void>((resolve) => subject.end(true, () => resolve()));
    await expectNoNewHandles(before);
  });
});

describe("Node's DNS transport", () => {
  const message = Buffer.from('question');
  const never = new AbortController().signal;

  it('hears only the server that it asked, from a new port each time (R27, R28)', async () => {
    const server = dgram.createSocket('udp4').bind(0, HOST);
    const stranger = dgram.createSocket('udp4').bind(0, HOST);
    await Promise.all([onceOf(server, 'listening'), onceOf(stranger, 'listening')]);
    const ports = new Set<number>();
    server.on('message', (_, from) => {
      ports.add(from.port);
      stranger.send('forged', from.port, from.address, () => server.send('true', from.port, from.address));
    });
    try {
      const seen: string[] = [];
      const accept = (reply: Uint8Array) => seen.push(String(reply)) > 0;
      const to = { host: HOST, port: server.address().port };
      for (let i = 0; i < 5; i++) await nodeDns.udp(to, message, accept, never);
      assert.deepEqual(new Set(seen), new Set(['true']));
      assert.ok(ports.size >= 4, `${ports.size} ports`);
    } finally {
      server.close();
      stranger.close();
    }
  });

  it('reports a port where nobody listens at once', async () => {
    const to = { host: HOST, port: VACANT_PORT };
    await assert.rejects(
      nodeDns.udp(to, message, () => true, never),
      { code: 'ECONNREFUSED' },
    );
    await assert.rejects(nodeDns.tcp(to, message, never), { code: 'ECONNREFUSED' });
  });

  it('stops when told to, before, while and after looking up the server', async () => {
    const silent = dgram.createSocket('udp4').bind(0, HOST);
    await onceOf(silent, 'listening');
    try {
      const before = openHandles();
      const to = { host: HOST, port: silent.address().port };
      const enough = new Error('enough');
      await assert.rejects(
        nodeDns.udp(to, message, () => true, AbortSignal.abort(enough)),
        enough,
      );
      for (const turns of [0, 1, 5]) {
        const abort = new AbortController();
        const rejected = assert.rejects(
          nodeDns.udp(to, message, () => true, abort.signal),
          enough,
        );
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        abort.abort(enough);
        await rejected;
      }
      await expectNoNewHandles(before);
    } finally {
      silent.close();
    }
  });

  it('reads the resolv.conf of this machine, if it has one', async () => {
    const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => undefined);
    assert.equal(await nodeDns.resolvConf(), text);
  });
});
