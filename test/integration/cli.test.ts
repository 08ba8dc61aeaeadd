// The command line as a user runs it: child processes of the source against real brokers, registries and DNS servers.
// World: scripted brokers, aedes, a registry, a DNS server, a black hole, certificates made on the spot. Real: all of it.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { rank } from '../../src/index.js';
import { aedesBroker, aedesCluster } from '../support/aedes-cluster.js';
import { blackhole } from '../support/blackhole.js';
import { command, startCommand } from '../support/command-line.js';
import { freePort } from '../support/daemon.js';
import { srv } from '../support/dns-messages.js';
import { DnsServer } from '../support/dns-server.js';
import { until } from '../support/events.js';
import { RegistryServer } from '../support/registry-server.js';
import { answer, type Script, scriptedBroker } from '../support/scripted-broker.js';
import { certificateAuthority } from '../support/tls.js';
import { TlsFront } from './world.js';

const NAME = '_mqtt._tcp.brokers.example.test';

interface Diagnosis {
  ok: boolean;
  endpoints: {
    id: string;
    url: string;
    ok: boolean;
    steps: { step: string; ok: boolean; ms: number; detail: string }[];
  }[];
  problems: { code: string; endpoint: string; text: string }[];
}

/** Runs `doctor` and reads its document; there must be nothing beside it. */
async function diagnose(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await command(['doctor', ...words, '--json'], { env });
  assert.equal(stderr, '');
  assert.match(stdout, /^\{.*\}\n$/);
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  assert.equal(code, diagnosis.ok ? 0 : 1);
  assert.equal(diagnosis.ok, diagnosis.problems.length === 0);
  return { ...diagnosis, codes: diagnosis.problems.map((problem) => problem.code), stdout };
}

async function withFile<T>(name: string, content: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'test-cli-'));
  try {
    const path = join(directory, name);
    await writeFile(path, content);
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const passwordIs =
  (expected: string): Script =>
  (packet, connection) => {
    if (packet.cmd !== 'connect' || String(packet.password) === expected) return false;
    const refusal = connection.protocolVersion === 5 ? { reasonCode: 0x86 } : { returnCode: 4 };
    connection.send({ cmd: 'connack', sessionPresent: false, ...refusal });
    connection.end();
    return true;
  };

describe('mqtt-failover doctor', () => {
  it('goes through every step of a healthy broker with one CONNECT', async () => {
    await using broker = await scriptedBroker();
    const { ok, endpoints } = await diagnose([`n1=${broker.url}`]);
    assert.equal(ok, true);
    assert.deepEqual(
      endpoints.map(({ id, steps }) => [id, steps.map(({ step }) => step)]),
      [['n1', ['resolve', 'dial', 'connack', 'protocol', 'limits', 'round-trip']]],
    );
    const connects = broker.packets('connect');
    assert.equal(connects.length, 1);
    assert.match(connects[0]?.clientId ?? '', /^failover-doctor-[0-9a-f]{6}$/);
    assert.equal(connects[0]?.clean, true);
    assert.equal(connects[0]?.will, undefined);
    assert.deepEqual(broker.packets('publish'), []);
  });

  it('checks the WebSocket upgrade and tells limits and missing features', async () => {
    await using broker = await scriptedBroker(
      (packet, connection) => {
        if (packet.cmd !== 'connect') return false;
        const properties = { maximumQoS: 1, receiveMaximum: 7, sharedSubscriptionAvailable: false };
        connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0, properties });
        return true;
      },
      { ws: true },
    );
    const { ok, endpoints } = await diagnose([broker.url]);
    assert.equal(ok, true);
    const steps = new Map(endpoints[0]?.steps.map(({ step, detail }) => [step, detail]));
    assert.ok(steps.has('websocket'));
    assert.match(steps.get('limits') ?? '', /QoS 1, .* 7 in flight, without shared subscriptions/);
  });

  it('shows names and expiry of a certificate that is fine', async () => {
    await using authority = await certificateAuthority();
    await using broker = await scriptedBroker();
    await using front = await TlsFront.open(await authority.issue(['localhost']), broker);
    await withFile('ca.pem', authority.ca, async (ca) => {
      const { ok, endpoints } = await diagnose([`mqtts://localhost:${front.port}`, '--ca', ca]);
      assert.equal(ok, true);
      const tls = endpoints[0]?.steps.find(({ step }) => step === 'tls');
      assert.match(tls?.detail ?? '', /DNS:localhost.*until \d{4}-\d\d-\d\d \(\d days left\)/);
    });
  });

  it('finds a wrong SRV name', async () => {
    await using dns = await DnsServer.open(() => ({ rcode: 3 }));
    const { problems, codes } = await diagnose(['mqtt+srv://brokers.example.test', '--dns', dns.address]);
    assert.deepEqual(codes, ['srv-not-found']);
    assert.match(problems[0]?.text ?? '', /_mqtt\._tcp\.brokers\.example\.test.*no such name/);
  });

  it('finds a foreign host in SRV records and does not dial it', async () => {
    await using broker = await scriptedBroker();
    const answers = [
      srv(NAME, 'n1.brokers.example.test', { port: 1883 }),
      srv(NAME, 'localhost', { port: broker.port }),
    ];
    await using dns = await DnsServer.open(() => ({ answers }));
    const { problems } = await diagnose(['mqtt+srv://brokers.example.test', '--dns', dns.address]);
    const foreign = problems.filter(({ code }) => code === 'foreign-host');
    assert.equal(foreign.length, 1);
    assert.match(foreign[0]?.text ?? '', /localhost:\d+.*neither under the domain/);
    assert.equal(broker.connections.length, 0);
  });

  it('finds an expired certificate, also beside a chain that is not trusted', async () => {
    await using authority = await certificateAuthority();
    const certificate = await authority.issue(['localhost'], { days: 0 });
    await until(() => Date.parse(new X509Certificate(certificate.cert).validTo) < Date.now());
    await using broker = await scriptedBroker();
    await using front = await TlsFront.open(certificate, broker);
    await withFile('ca.pem', authority.ca, async (ca) => {
      const trusted = await diagnose([`mqtts://localhost:${front.port}`, '--ca', ca]);
      assert.deepEqual(trusted.codes, ['certificate-expired']);
      const untrusted = await diagnose([`mqtts://localhost:${front.port}`]);
      assert.equal(untrusted.codes[0], 'certificate-expired');
      assert.equal(broker.connects, 0);
    });
  });

  it('finds a certificate for another name', async () => {
    await using authority = await certificateAuthority();
    await using broker = await scriptedBroker();
    await using front = await TlsFront.open(await authority.issue(['other.example.test']), broker);
    await withFile('ca.pem', authority.ca, async (ca) => {
      const { problems, codes } = await diagnose([`wss://localhost:${front.port}/mqtt`, '--ca', ca]);
      assert.deepEqual(codes, ['certificate-name']);
      assert.match(problems[0]?.text ?? '', /not for localhost but for DNS:other\.example\.test/);
    });
  });

  it('finds a closed port', async () => {
    const { codes, problems } = await diagnose([`a=mqtt://127.0.0.1:${await freePort()}`]);
    assert.deepEqual(codes, ['connection-refused']);
    assert.equal(problems[0]?.endpoint, 'a');
  });

  it('finds a host that drops packets', async () => {
    await using hole = await blackhole();
    const { codes } = await diagnose([`mqtt://127.0.0.1:${hole.port}`, '--timeout', '0.5']);
    assert.deepEqual(codes, ['no-answer']);
  });

  it('finds a wrong password and never shows it', async () => {
    await using broker = await scriptedBroker(passwordIs('right'));
    const wrong = await diagnose([broker.url, '--username', 'monitor'], { MQTT_PASSWORD: 'w0ng-s3cret' });
    assert.deepEqual(wrong.codes, ['credentials-refused']);
    assert.doesNotMatch(wrong.stdout, /w0ng-s3cret/);
    const right = await diagnose([broker.url, '--username', 'monitor'], { MQTT_PASSWORD: 'right' });
    assert.equal(right.ok, true);
  });

  it('finds a clock that differs from that of the registry', async () => {
    await using broker = await scriptedBroker();
    const nodes = [{ id: 'n1', urls: [broker.url] }];
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', nodes });
    registry.headers.date = new Date(Date.now() - 3 * 3_600_000).toUTCString();
    const { codes, problems } = await diagnose([registry.url]);
    assert.deepEqual(codes, ['clock-skew']);
    assert.match(problems[0]?.text ?? '', /clock of this machine is [23] hours ahead/);
    delete registry.headers.date;
    assert.deepEqual((await diagnose([registry.url])).codes, []);
  });

  it('finds a registry that serves a web page', async () => {
    await using registry = await RegistryServer.open({});
    registry.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome to our hotel</html>');
    };
    const { codes, problems } = await diagnose([registry.url]);
    assert.deepEqual(codes, ['registry-not-json']);
    assert.match(problems[0]?.text ?? '', /HTML/);
  });

  it('finds a broker that speaks MQTT 3.1.1 only, however it says so', async () => {
    await using broker = await aedesBroker();
    await using curt = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'connect' || packet.protocolVersion === 4) return false;
      connection.destroy();
      return true;
    });
    const { codes, endpoints } = await diagnose([`a=${broker.url},b=${curt.url}`]);
    assert.deepEqual(codes, ['mqtt-3-only', 'mqtt-3-only']);
    assert.ok(endpoints.every(({ steps }) => steps.some(({ step, ok }) => step === 'round-trip' && ok)));
    assert.equal((await diagnose([broker.url, '--protocol-version', '4'])).ok, true);
  });

  it('finds a broker that accepts TCP and stays silent', async () => {
    await using broker = await scriptedBroker(() => true);
    const { codes } = await diagnose([broker.url, '--timeout', '0.5']);
    assert.deepEqual(codes, ['no-connack']);
  });

  it('shows steps and problems to people', async () => {
    await using broker = await scriptedBroker();
    const { code, stdout } = await command([
      'doctor',
      `up=${broker.url},off=mqtt://127.0.0.1:${await freePort()}`,
    ]);
    assert.equal(code, 1);
    assert.match(stdout, /^✔ up {2}mqtt:.*$/m);
    assert.match(stdout, /^✖ off {2}mqtt:.*$/m);
    assert.match(stdout, /^1 problem\nconnection-refused {2}off: /m);
    assert.ok(!stdout.includes('\u001b'), 'no colours in a pipe');
  });
});

describe('mqtt-failover where', () => {
  it('ranks a list that a registry gives, and says why a broker is not eligible', async () => {
    const nodes = [
      { id: 'n1', urls: ['mqtt://127.0.0.1:1'] },
      { id: 'n2', urls: ['mqtt://127.0.0.1:2'], state: 'draining' },
      { id: 'n3', urls: ['mqtt://evil.example.net'] },
    ];
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', nodes, ttl: 60 });
    const { code, stdout, stderr } = await command(['where', 'pump-17', '--brokers', registry.url, '--json']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const ranking = JSON.parse(stdout) as {
      id: string;
      url: string;
      rank: number;
      eligible: boolean;
      reason: string;
    }[];
    assert.deepEqual(
      ranking.map(({ id }) => id),
      rank('pump-17', nodes).map(({ id }) => id),
    );
    assert.deepEqual(
      ranking.map(({ rank: place }) => place),
      [0, 1, 2],
    );
    const byId = new Map(ranking.map((line) => [line.id, line]));
    assert.equal(byId.get('n1')?.eligible, true);
    assert.match(byId.get('n2')?.reason ?? '', /draining/);
    assert.match(byId.get('n3')?.reason ?? '', /does not belong/);
    assert.deepEqual(Object.keys(ranking[0] ?? {}), ['id', 'url', 'rank', 'eligible', 'reason']);
  });

  it('answers no, with an empty list, when there is no list', async () => {
    const brokers = `registry+http://127.0.0.1:${await freePort()}/nodes.json`;
    const { code, stdout, stderr } = await command(['where', 'x', '--brokers', brokers, '--json']);
    assert.deepEqual([code, stdout], [1, '[]\n']);
    assert.match(stderr, /^mqtt-failover: [^\n]*ECONNREFUSED[^\n]*\n$/);
  });
});

describe('mqtt-failover plan', () => {
  it('reads ids from a file and writes a chart', async () => {
    await withFile('ids.txt', 'pump-1\r\npump-2\n\npump-3', async (ids) => {
      const svg = `${ids}.svg`;
      const lists = ['--from', 'a=mqtt://a,b=mqtt://b', '--to', 'a=mqtt://a,<c>=mqtt://c'];
      const { code, stdout, stderr } = await command([
        'plan',
        ...lists,
        '--ids',
        ids,
        '--svg',
        svg,
        '--json',
      ]);
      assert.deepEqual([code, stderr], [0, '']);
      const plan = JSON.parse(stdout) as { ids: number; needless: number; after: Record<string, number> };
      assert.deepEqual([plan.ids, plan.needless], [3, 0]);
      assert.deepEqual(Object.keys(plan.after), ['a', '<c>']);
      const chart = await readFile(svg, 'utf8');
      assert.match(chart, /^<svg xmlns=.*&lt;c&gt;.*<\/svg>\n$/s);
    });
  });

  it('places a million clients on fifty brokers', async () => {
    const list = (from: number) =>
      Array.from({ length: 50 }, (_, i) => `n${from + i}=mqtt://n${from + i}.example.test`).join(',');
    const { code, stdout } = await command([
      'plan',
      '--from',
      list(0),
      '--to',
      list(1),
      '--ids',
      '1000000',
      '--json',
    ]);
    assert.equal(code, 0);
    const { ids, moved, needless, before } = JSON.parse(stdout) as {
      ids: number;
      moved: number;
      needless: number;
      before: Record<string, number>;
    };
    assert.deepEqual([ids, needless], [1_000_000, 0]);
    assert.equal(
      Object.values(before).reduce((sum, each) => sum + each, 0),
      1_000_000,
    );
    assert.ok(moved > 30_000 && moved < 50_000, `${moved} moved`);
  });
});

describe('mqtt-failover pub and sub', () => {
  it('carries lines from stdin through the brokers to stdout', async () => {
    await using cluster = await aedesCluster(2);
    const [first, second] = cluster.brokers;
    const list = `a=mqtt://127.0.0.1:${first?.port},b=mqtt://127.0.0.1:${second?.port}`;
    const home = rank('one', [{ id: 'a' }, { id: 'b' }])[0]?.id;
    const sameHome = Array.from({ length: 50 }, (_, i) => `two-${i}`).find(
      (id) => rank(id, [{ id: 'a' }, { id: 'b' }])[0]?.id === home,
    ) as string;
    await using sub = startCommand([
      'sub',
      'plant/#',
      '--brokers',
      list,
      '--client-id',
      'one',
      '--count',
      '3',
      '--json',
    ]);
    await until(() => cluster.brokers.some((broker) => broker.subscriptions.length > 0), {
      timeoutMs: 20_000,
    });
    const pub = await command(['pub', 'plant/level', '--brokers', list, '--client-id', sameHome, '--lines'], {
      stdin: 'one\ntwo\nthree',
    });
    assert.equal(pub.code, 0, pub.stderr);
    assert.equal(pub.stdout, '');
    assert.match(pub.stderr, /^3 delivered, 0 not delivered$/m);
    const { code, stdout } = await sub.result();
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
      ['one', 'two', 'three'].map((payload) => ({ topic: 'plant/level', payload, qos: 1, retain: false })),
    );
  });

  it('says what was not delivered, and answers no', async () => {
    const brokers = `mqtt://127.0.0.1:${await freePort()},127.0.0.1:${await freePort()}`;
    const { code, stdout, stderr } = await command([
      'pub',
      't',
      'x',
      '--brokers',
      brokers,
      '--timeout',
      '0.5',
      '--json',
    ]);
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), { topic: 't', qos: 1, delivered: 0, failed: 1 });
    assert.match(stderr, /no broker yet/);
  });

  it('answers no, and blames no broker, when none was there to subscribe to', async () => {
    const brokers = `mqtt://127.0.0.1:${await freePort()}`;
    const { code, stdout, stderr } = await command(['sub', '#', '--brokers', brokers, '--for', '0.3']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^no broker yet, still trying: .+\n$/);
  });

  it('tells each step of the connection with --trace', async () => {
    await using broker = await scriptedBroker();
    const words = ['pub', 't', 'x', '--brokers', `n1=${broker.url}`, '--trace'];
    const { code, stderr } = await command(words);
    assert.equal(code, 0);
    const lines = stderr.split('\n').map((line) => line.replace(/[\d.]+ m?s/, '<time>'));
    assert.deepEqual(
      lines.map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} {2}/, '<at> ')),
      [
        '<at> n1: dialed in <time>',
        '<at> n1: CONNACK after <time>, new session',
        '1 delivered, 0 not delivered',
        '',
      ],
    );
  });

  it('ends quietly on SIGINT', async () => {
    await using broker = await scriptedBroker();
    await using sub = startCommand(['sub', '#', '--brokers', broker.url]);
    await broker.waitFor('subscribe', 20_000);
    sub.child.kill('SIGINT');
    const { code, stderr } = await sub.result();
    assert.deepEqual([code, stderr], [0, '']);
  });

  it('answers no when the broker refuses the subscription', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'subscribe') return false;
      connection.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [0x80] });
      return true;
    });
    const { code, stderr } = await command(['sub', 'secret/#', '--brokers', broker.url]);
    assert.equal(code, 1);
    assert.match(stderr, /refused: secret\/#/);
  });

  it('ends quietly when nobody reads its output any more', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      answer(packet, connection);
      if (packet.cmd === 'subscribe')
        connection.send({
          cmd: 'publish',
          topic: 't',
          payload: 'x'.repeat(1_000),
          qos: 0,
          dup: false,
          retain: false,
        });
      return true;
    });
    await using sub = startCommand(['sub', '#', '--brokers', broker.url]);
    await until(() => sub.stdout.length > 0, { timeoutMs: 20_000 });
    sub.child.stdout.destroy();
    const publish = { cmd: 'publish', topic: 't', payload: 'y', qos: 0, dup: false, retain: false } as const;
    await until(() => {
      broker.latest.send(publish);
      return !broker.latest.isOpen;
    });
    const { code, stderr } = await sub.result();
    assert.deepEqual([code, stderr], [0, '']);
  });
});

describe('mqtt-failover watch', () => {
  it('tells of the list and of the health of each broker, and of what changes', async () => {
    await using broker = await scriptedBroker();
    const node = { id: 'n1', urls: [broker.url] };
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', ttl: 1, nodes: [node] });
    await using watch = startCommand(['watch', registry.url, '--interval', '0.2', '--json']);
    const events = () =>
      watch.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const sees = (wanted: (event: Record<string, unknown>) => boolean) =>
      until(() => events().some(wanted), { timeoutMs: 20_000, what: () => watch.stdout + watch.stderr });
    await sees(({ event, added }) => event === 'topology' && String(added) === 'n1');
    await sees(({ endpoint, state }) => endpoint === 'n1' && state === 'healthy');
    assert.equal(broker.connects, 0);
    await broker.stop();
    await sees(({ endpoint, state }) => endpoint === 'n1' && state === 'unreachable');
    watch.child.kill('SIGINT');
    const { code, stderr } = await watch.result();
    assert.deepEqual([code, stderr], [1, '']);
  });
});

describe('mqtt-failover registry lint', () => {
  const DOCUMENT = {
    schema: 'mqtt-nodes/1',
    nodes: [
      { id: 'good', urls: ['mqtts://a.example.test'] },
      { id: 'plain', urls: ['mqtt://b.example.test'] },
      { id: 'broken' },
      { id: 'far', urls: ['mqtts://c.example.net'] },
    ],
  };

  it('names bad nodes and those that clients would skip', async () => {
    await withFile('nodes.json', JSON.stringify(DOCUMENT), async (file) => {
      const served = ['--served-at', 'https://registry.example.test/nodes.json'];
      const { code, stdout } = await command(['registry', 'lint', file, ...served, '--json']);
      assert.equal(code, 1);
      const { ok, nodes, errors, warnings } = JSON.parse(stdout) as {
        ok: boolean;
        nodes: number;
        errors: { node: string; text: string }[];
        warnings: { node: string; text: string }[];
      };
      assert.deepEqual([ok, nodes], [false, 3]);
      assert.deepEqual(errors, [{ node: 'nodes[2] broken', text: 'urls must be given' }]);
      assert.deepEqual(
        warnings.map(({ node }) => node),
        ['plain', 'far'],
      );
    });
  });

  it('reads a document from its registry', async () => {
    const nodes = [{ id: 'n1', urls: ['mqtt://127.0.0.1:1'] }];
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', nodes });
    const { code, stdout } = await command(['registry', 'lint', registry.url]);
    assert.equal(code, 0);
    assert.match(stdout, /^1 usable node, 0 errors, 0 warnings\n$/);
  });
});

describe('mqtt-failover', () => {
  it('ends with code 2 and one line, without a stack trace, for wrong use', async () => {
    const { code, stdout, stderr } = await command(['doktor', 'mqtt://a']);
    assert.deepEqual([code, stdout], [2, '']);
    assert.equal(stderr, 'mqtt-failover: unknown command "doktor"; did you mean mqtt-failover doctor?\n');
  });
});
