/**
 * Whatever happens to the broker in use, the client is at another one soon, and says what it did.
 *
 * The world: two or three scripted brokers in a fixed order, broken one way at a time: refused, reset, closed, silent,
 * dropped by a firewall, unresolvable, or answering CONNECT with a refusal.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type BrokerSpec,
  connect,
  connectAsync,
  FailoverError,
  type FailoverEvents,
} from '../../src/index.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { blackhole } from '../support/blackhole.js';
import { collect, once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { accept, client, disposable, hurried, payloads, QUICK, refuse, twice, within } from './world.js';

/** A port of this machine that nobody listens at. */
const CLOSED = 'mqtt://127.0.0.1:1';
const id = ({ port }: { readonly port: number }) => `127.0.0.1:${port}`;
const silent = () => scriptedBroker((packet) => packet.cmd === 'connect');
const refusing = (code: number) =>
  scriptedBroker((packet, connection) => (packet.cmd === 'connect' ? refuse(connection, code) : false));

/** CONNECT packets whose connection is open at this moment, over all brokers: the sum that must never pass 1. */
function watchConnects(brokers: readonly ScriptedBroker[]): { readonly most: number } {
  const watch = { most: 0 };
  for (const broker of brokers) {
    const { script } = broker;
    broker.script = (packet, connection) => {
      if (packet.cmd === 'connect') {
        const open = brokers
          .flatMap(({ connections }) => connections)
          .filter((each) => each.connectPacket && each.isOpen);
        watch.most = Math.max(watch.most, open.length);
      }
      return script?.(packet, connection) === true;
    };
  }
  return watch;
}

describe('an endpoint that cannot be used', () => {
  const cases: [string, () => Promise<{ url: string } & AsyncDisposable>, RegExp][] = [
    [
      'refuses connections',
      async () => ({ url: CLOSED, [Symbol.asyncDispose]: async () => {} }),
      /ECONNREFUSED/,
    ],
    [
      'has a name that does not resolve',
      async () => ({ url: 'mqtt://nonexistent.invalid', [Symbol.asyncDispose]: async () => {} }),
      /ENOTFOUND|EAI_AGAIN/,
    ],
    [
      'resets the connection at once',
      async () => {
        const proxy = await faultProxy(1);
        proxy.set({ resetAtAccept: true });
        return proxy;
      },
      /ECONNRESET|closed|EPIPE/,
    ],
    [
      'closes the connection instead of answering CONNECT',
      () =>
        scriptedBroker((packet, connection) => {
          if (packet.cmd === 'connect') connection.end();
          return packet.cmd === 'connect';
        }),
      /closed/,
    ],
    ['never answers CONNECT', silent, /No CONNACK from .* within 300 ms/],
    [
      'answers CONNECT with a malformed packet',
      () =>
        scriptedBroker((packet, connection) => {
          if (packet.cmd === 'connect') connection.sendRaw(Buffer.from([0x2f, 0x02, 0x00, 0x00]));
          return packet.cmd === 'connect';
        }),
      /[Ii]nvalid/,
    ],
  ];
  for (const [what, open, reason] of cases) {
    test(`is passed over when it ${what}`, async () => {
      await using bad = await open();
      await using good = await scriptedBroker();
      await using subject = client([bad.url, good.url], { dial: { connackTimeoutMs: 300 } });
      const errors = collect(subject, 'error');
      await once(subject, 'connect');
      const { current, endpoints } = subject.status();
      assert.equal(current, id(good));
      assert.equal(endpoints[0]?.state, 'suspect');
      assert.match(endpoints[0]?.reason ?? '', reason);
      assert.equal(endpoints[1]?.state, 'healthy');
      assert.deepEqual(errors, []);
    });
  }

  test('is passed over after one stagger when a firewall drops everything sent to it', async () => {
    await using hole = await blackhole();
    await using good = await scriptedBroker();
    const startedAt = performance.now();
    await using subject = client([`mqtt://127.0.0.1:${hole.port}`, good.url], { dial: { staggerMs: 50 } });
    await once(subject, 'connect');
    assert.equal(subject.status().current, id(good));
    const took = performance.now() - startedAt;
    assert.ok(took >= 45 && took < 4_500, `took ${took} ms`);
  });

  const refusals: [what: string, state: string, codes: [version: 4 | 5, code: number][]][] = [
    [
      'blamed',
      'suspect',
      [
        [4, 1],
        [4, 3],
        [5, 0x80],
        [5, 0x88],
        [5, 0x89],
        [5, 0x9f],
      ],
    ],
    [
      'not used again for this configuration',
      'unusable',
      [
        [5, 0x84],
        [5, 0x95],
      ],
    ],
    [
      'not blamed, as the credentials are ours',
      'healthy',
      [
        [4, 4],
        [4, 5],
        [5, 0x86],
        [5, 0x87],
      ],
    ],
  ];
  for (const [what, state, codes] of refusals) {
    for (const [protocolVersion, code] of codes) {
      test(`is passed over and ${what} when it refuses CONNECT with ${code} (version ${protocolVersion})`, async () => {
        await using bad = await refusing(code);
        await using good = await scriptedBroker();
        await using subject = client([bad.url, good.url], { protocolVersion });
        const errors = collect(subject, 'error');
        await once(subject, 'connect');
        const [first] = subject.status().endpoints;
        assert.equal(first?.state, state);
        if (state !== 'healthy')
          assert.match(first?.reason ?? '', new RegExp(`refused CONNECT with code ${code} `));
        assert.deepEqual(errors, []);
        assert.equal(bad.connects, 1);
      });
    }
  }

  for (const [protocolVersion, code] of [
    [4, 2],
    [5, 0x85],
    [5, 0x8a],
  ] as const) {
    test(`stops the client when it refuses CONNECT with ${code} (version ${protocolVersion}): waiting cannot help`, async () => {
      await using bad = await refusing(code);
      await using good = await scriptedBroker();
      await using subject = client([bad.url, good.url], { protocolVersion });
      const [error] = await once<[FailoverError]>(subject, 'error');
      assert.equal(error.retryable, false);
      assert.equal(subject.status().state, 'failed');
      assert.equal(good.connections.length, 0);
    });
  }

  test('makes the client wait when two of them say that a quota is exceeded (0x97): it is the whole cluster', async () => {
    await using bad = await refusing(0x97);
    await using alike = await refusing(0x97);
    await using good = await scriptedBroker();
    await using subject = client([bad.url, alike.url, good.url], { protocolVersion: 5 });
    await once(subject, 'error');
    assert.equal(subject.status().state, 'backoff');
    assert.equal(good.connections.length, 0);
  });

  for (const code of [0x89, 0x97, 0x9f]) {
    test(`is full when it refuses CONNECT with ${code}: the client remembers, and ejects nobody for it (S7)`, async () => {
      await using full = await refusing(code);
      await using good = await scriptedBroker();
      await using subject = client([full.url, good.url], { protocolVersion: 5, health: { failures: 1 } });
      const health = collect<FailoverEvents['health']>(subject, 'health');
      await once(subject, 'connect');
      const [first] = subject.status().endpoints;
      assert.deepEqual([first?.state, subject.status().current], ['suspect', id(good)]);
      assert.ok((first?.retryAt ?? 0) - Date.now() > 290_000);
      const again = once(subject, 'connect');
      subject.reconnect();
      await again;
      assert.deepEqual([full.connects, subject.status().current], [1, id(good)]);
      assert.deepEqual(
        health.map(({ state }) => state),
        ['suspect'],
      );
    });
  }

  test('is not asked again at once when all of them refuse our credentials', async () => {
    await using one = await refusing(5);
    await using two = await refusing(5);
    await using subject = client([one.url, two.url], { protocolVersion: 4 });
    await once(subject, 'error');
    assert.equal(subject.status().state, 'auth-wait');
    assert.deepEqual([one.connects, two.connects], [1, 1]);
  });
});

describe('the order of the endpoints', () => {
  test('is that of the ranking, dead ones skipped', async () => {
    await using third = await scriptedBroker();
    const brokers: BrokerSpec[] = [
      { url: CLOSED, id: 'a' },
      { url: CLOSED, id: 'b' },
      { url: third.url, id: 'c' },
    ];
    await using subject = client(brokers, { selection: 'client-id', clientId: 'placed' });
    const failed = collect<FailoverEvents['health']>(subject, 'health');
    await once(subject, 'connect');
    const ranking = subject.explain().map((each) => each.id);
    const before = ranking.slice(0, ranking.indexOf('c'));
    assert.deepEqual(
      failed.filter(({ state }) => state === 'suspect').map(({ endpoint }) => endpoint),
      before,
    );
    assert.equal(subject.status().home, ranking[0]);
  });

  test('puts lower priorities first and weight 0 last within its tier', async () => {
    await using broker = await scriptedBroker();
    const at = (name: string, priority: number, weight?: number): BrokerSpec => ({
      url: name === 'second-tier' ? broker.url : CLOSED,
      id: name,
      priority,
      ...(weight === undefined ? {} : { weight }),
    });
    const brokers = [at('second-tier', 1), at('last-resort', 0, 0), at('first', 0, 1), at('third-tier', 2)];
    await using subject = client(brokers, { selection: 'client-id', clientId: 'any' });
    const tried = collect<FailoverEvents['health']>(subject, 'health');
    await once(subject, 'connect');
    assert.deepEqual(
      subject.explain().map((each) => each.id),
      ['first', 'last-resort', 'second-tier', 'third-tier'],
    );
    assert.deepEqual(tried.map(({ endpoint }) => endpoint).slice(0, 2), ['first', 'last-resort']);
    assert.equal(subject.status().current, 'second-tier');
  });

  test('is the same for the same client id, and differs between client ids', async () => {
    const brokers = ['a', 'b', 'c'].map((name) => ({ url: CLOSED, id: name }));
    await using one = client(brokers, { selection: 'client-id', clientId: 'x', manualConnect: true });
    const orders = new Set<string>();
    one.connect();
    await once(one, 'close');
    for (const clientId of ['x', 'y', 'z', 'w', 'v', 'u']) {
      const order = one.explain(clientId).map((each) => each.id);
      assert.deepEqual(
        one.explain(clientId).map((each) => each.id),
        order,
      );
      orders.add(order.join());
    }
    assert.ok(orders.size > 1);
  });
});

describe('a connection that is lost', () => {
  for (const [what, lose] of [
    ['is reset', (broker: ScriptedBroker) => broker.latest.reset()],
    ['is closed in order', (broker: ScriptedBroker) => broker.latest.end()],
    ['dies with its broker', (broker: ScriptedBroker) => void broker.stop()],
    [
      'delivers a malformed packet',
      (broker: ScriptedBroker) => broker.latest.sendRaw(Buffer.from([0x00, 0x00])),
    ],
  ] as const) {
    test(`is replaced when it ${what}`, async () => {
      await using first = await scriptedBroker();
      await using second = await scriptedBroker();
      await using subject = client([first.url, second.url]);
      const errors = collect(subject, 'error');
      await once(subject, 'connect');
      const failovers = collect<FailoverEvents['failover']>(subject, 'failover');
      lose(first);
      await once(subject, 'connect');
      assert.equal(subject.connected, true);
      assert.equal(failovers.length, 1);
      const [{ from, to, reason, offlineMs, resumed } = {} as FailoverEvents['failover']] = failovers;
      assert.deepEqual([from, to, resumed], [id(first), id(second), false]);
      assert.match(reason, /^The connection to .* ended: ./);
      assert.ok(offlineMs >= 0 && offlineMs < 10_000, `${offlineMs} ms`);
      assert.deepEqual(errors, []);
      assert.equal(subject.status().counters.failovers, 1);
    });
  }

  test('tells that the session was resumed', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection, { sessionPresent: connection.index > 0 }) : false,
    );
    await using subject = client(twice(broker), { clean: false, clientId: 'resumed' });
    await once(subject, 'connect');
    broker.latest.reset();
    const [payload] = await once<[FailoverEvents['failover']]>(subject, 'failover');
    assert.deepEqual([payload.from, payload.to, payload.resumed], ['front', 'back', true]);
  });

  test('is no failover when the same endpoint takes us back', async () => {
    await using broker = await scriptedBroker();
    await using subject = client([broker.url], hurried());
    const failovers = collect(subject, 'failover');
    await once(subject, 'connect');
    broker.latest.reset();
    await once(subject, 'connect');
    assert.deepEqual(failovers, []);
    assert.equal(subject.status().counters.connects, 2);
  });

  test('is told as offline and close before the next connect', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    const seen: string[] = [];
    for (const name of ['connect', 'offline', 'close', 'reconnect', 'failover'] as const)
      subject.on(name as 'close', () => void seen.push(name));
    await once(subject, 'connect');
    broker.latest.reset();
    await once(subject, 'connect');
    assert.deepEqual(seen, ['connect', 'offline', 'close', 'reconnect', 'failover', 'connect']);
  });
});

describe('brokers that crash one after another', () => {
  test('are not taken for a twin with our client id', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, { protocolVersion: 4 });
    const conflicts = collect(subject, 'conflict');
    await once(subject, 'connect');
    for (let round = 0; round < 5; round += 1) {
      const used = [...cluster].find((broker) => id(broker) === subject.status().current);
      await used?.kill();
      await within(once(subject, 'connect'), `a connection after crash ${round + 1}`);
      await used?.revive();
    }
    assert.deepEqual(conflicts, []);
  });
});

describe('events and snapshots', () => {
  test('state tells every change with its reason', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using subject = client([first.url, second.url], { backoff: { ...QUICK, spreadMs: 1 } });
    const states = collect<FailoverEvents['state']>(subject, 'state');
    await once(subject, 'connect');
    await first.stop();
    await once(subject, 'connect');
    await subject.endAsync();
    const path = states.map(({ from, to }) => `${from}→${to}`);
    assert.deepEqual(path, [
      'idle→discovering',
      'discovering→connecting',
      'connecting→connected',
      'connected→backoff',
      'backoff→connecting',
      'connecting→connected',
      'connected→closed',
    ]);
    for (const { reason } of states) assert.match(reason, /\w/);
  });

  test('health tells suspicion, ejection with its end, and recovery', async () => {
    await using broker = await scriptedBroker();
    await using other = await scriptedBroker();
    await other.stop();
    await broker.stop();
    await using subject = client([broker.url, other.url], {
      ...hurried(),
      health: { failures: 2, ejectMs: 60_000, panicAbove: 1 },
    });
    const health = collect<FailoverEvents['health']>(subject, 'health');
    await until(() => health.filter(({ state }) => state === 'ejected').length === 2);
    const [entry] = subject.status().endpoints;
    assert.equal(entry?.state, 'ejected');
    assert.ok((entry?.retryAt ?? 0) > Date.now());
    assert.deepEqual(
      subject.explain().map(({ eligible }) => eligible),
      [false, false],
    );
    await broker.restart();
    await once(subject, 'connect');
    const story = health.filter(({ endpoint }) => endpoint === id(broker));
    assert.equal(story[0]?.state, 'suspect');
    assert.equal(story[1]?.state, 'ejected');
    assert.equal(typeof story[1]?.until, 'number');
    assert.equal(story.at(-1)?.state, 'healthy');
    assert.equal(story.at(-1)?.until, null);
    assert.match(story[0]?.reason ?? '', /ECONNREFUSED/);
  });

  test('status and explain show what the contract lists, as plain JSON', async () => {
    await using broker = await scriptedBroker();
    const brokers = [
      { url: broker.url.replace('//', '//user:canary@'), id: 'a', zone: 'z', weight: 3, priority: 0 },
      { url: `${CLOSED}?token=canary`, id: 'b', priority: 1, password: 'canary' },
    ];
    await using subject = client(brokers, { clientId: 'shown', username: 'canary', password: 'canary' });
    await once(subject, 'connect');
    subject.publish('t', '12345', { qos: 1 });
    const status = subject.status();
    assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
    assert.deepEqual(Object.keys(status).sort(), [
      'clientId',
      'counters',
      'current',
      'discovery',
      'endpoints',
      'home',
      'outbox',
      'state',
    ]);
    assert.deepEqual(
      [status.state, status.clientId, status.current, status.home],
      ['connected', 'shown', 'a', 'a'],
    );
    assert.deepEqual(status.endpoints[0], {
      id: 'a',
      url: broker.url,
      rank: 0,
      priority: 0,
      weight: 3,
      zone: 'z',
      state: 'healthy',
      reason: null,
      retryAt: null,
    });
    assert.deepEqual([status.outbox.messages, status.outbox.bytes], [1, 6]);
    assert.deepEqual(Object.keys(status.discovery).sort(), ['error', 'revision', 'source', 'updatedAt']);
    assert.equal(status.discovery.source, 'static');
    assert.ok(Math.abs((status.discovery.updatedAt ?? 0) - Date.now()) < 10_000);
    const explained = subject.explain();
    assert.deepEqual(JSON.parse(JSON.stringify(explained)), explained);
    assert.deepEqual(
      explained.map(({ id, rank, eligible }) => [id, rank, eligible]),
      [
        ['a', 0, true],
        ['b', 1, true],
      ],
    );
    for (const { reason } of explained) assert.match(reason, /\w/);
    assert.doesNotMatch(JSON.stringify([status, explained]), /canary/);
  });

  test('endpoints that Node cannot dial are not there: every scheme of the contract is usable', async () => {
    await using broker = await scriptedBroker();
    const urls = ['mqtts://127.0.0.1:1', 'ws://127.0.0.1:2', 'wss://127.0.0.1:3', broker.url];
    await using subject = client(urls);
    await once(subject, 'connect');
    assert.equal(subject.status().current, id(broker));
    assert.ok(subject.status().endpoints.every(({ state }) => state !== 'unusable'));
  });

  test('a throwing listener does not stop the client', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    const thrown = once<[Error]>(process, 'uncaughtException');
    const [runner] = process.rawListeners('uncaughtException');
    process.off('uncaughtException', runner as never);
    subject.once('state', () => {
      throw new Error('a bug of the application');
    });
    const [error] = await thrown;
    process.prependListener('uncaughtException', runner as never);
    assert.equal(error.message, 'a bug of the application');
    await until(() => subject.connected);
  });
});

describe('when every endpoint is down', () => {
  test('it says so in one error that names each, keeps trying with backoff, and recovers', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await Promise.all([first.stop(), second.stop()]);
    await using subject = client([first.url, second.url], hurried());
    const errors = collect<FailoverError>(subject, 'error');
    await until(() => errors.length === 3);
    for (const error of errors) {
      assert.ok(error instanceof FailoverError);
      assert.equal(error.code, 'ERR_ALL_FAILED');
      assert.equal(error.retryable, true);
      const { errors: each } = error.cause as AggregateError & { errors: FailoverError[] };
      assert.deepEqual(
        each.map(({ code, endpoint }) => `${code} ${endpoint}`).sort(),
        [`ERR_TRANSPORT ${id(first)}`, `ERR_TRANSPORT ${id(second)}`].sort(),
      );
    }
    const { state, current, counters } = subject.status();
    assert.ok(state === 'backoff' || state === 'connecting', state);
    assert.equal(current, null);
    assert.ok((counters.failedPasses ?? 0) >= 3);
    const sent = subject.publishAsync('t', 'waited', { qos: 1 });
    await second.restart();
    await sent;
    assert.deepEqual(payloads(second), ['waited']);
    assert.equal(subject.status().state, 'connected');
  });

  test('no wait is shorter than minMs', async () => {
    await using subject = client([CLOSED, 'mqtt://127.0.0.1:2'], {
      ...hurried(20),
      backoff: { minMs: 1_000, baseMs: 1_000, maxMs: 5_000, spreadMs: 0 },
    });
    const at: number[] = [];
    subject.on('error', () => void at.push(performance.now() * 20));
    await until(() => at.length === 6);
    const waits = at.slice(1).map((time, index) => time - (at[index] as number));
    // How long they may be is for the virtual clock to tell: what a timer is late here counts twenty times.
    for (const wait of waits) assert.ok(wait >= 980, `waits of ${waits.map(Math.round)} ms`);
  });

  test('connectAsync rejects, names each endpoint and no password, and leaves nothing behind', async () => {
    await using deaf = await silent();
    await using busy = await refusing(3);
    const urls = [
      CLOSED.replace('//', '//user:canary@'),
      deaf.url.replace('//', '//user:canary@'),
      busy.url.replace('//', '//user:canary@'),
      'mqtt://user:canary@nonexistent.invalid:1883',
    ];
    const attempt = connectAsync(urls, { selection: 'ordered', dial: { connackTimeoutMs: 200 } });
    const error = await attempt.then(
      () => assert.fail('it must not connect'),
      (reason: FailoverError) => reason,
    );
    assert.equal(error.code, 'ERR_ALL_FAILED');
    const { errors } = error.cause as AggregateError & { errors: FailoverError[] };
    assert.deepEqual(
      errors.map(({ code, endpoint, reasonCode }) => [code, endpoint, reasonCode]),
      [
        ['ERR_TRANSPORT', '127.0.0.1:1', undefined],
        ['ERR_CONNACK_TIMEOUT', id(deaf), undefined],
        ['ERR_REFUSED', id(busy), 3],
        ['ERR_TRANSPORT', 'nonexistent.invalid:1883', undefined],
      ],
    );
    for (const { endpoint } of errors) assert.ok(error.message.includes(endpoint ?? '?'), endpoint);
    const everything = [error, ...errors].flatMap((each) => [each.message, each.stack, String(each.cause)]);
    assert.doesNotMatch(everything.join('\n'), /canary/);
    await deaf.latest.closed;
  });

  test('reconnectPeriod 0 makes one pass and then stays failed until told otherwise', async () => {
    await using broker = await scriptedBroker();
    await broker.stop();
    await using subject = client([CLOSED, broker.url], { reconnectPeriod: 0, ...hurried() });
    const reconnects = collect(subject, 'reconnect');
    const [error] = await once<[FailoverError]>(subject, 'error');
    assert.equal(error.code, 'ERR_ALL_FAILED');
    assert.equal(subject.status().state, 'failed');
    assert.equal(subject.status().counters.attempts, 2);
    await broker.restart();
    assert.deepEqual(reconnects, []);
    subject.reconnect();
    await once(subject, 'connect', 8_000);
  });
});

test('a pass tries every endpoint, also those that were tried within the last second', async () => {
  await using broker = await scriptedBroker(undefined, { ws: true });
  await using proxy = await faultProxy(broker.port);
  proxy.set({ silent: true });
  const startedAt = performance.now();
  // The first fails at once and the second 400 ms later, so that it has to rest longer.
  await using subject = client([CLOSED, proxy.wsUrl], {
    reconnectPeriod: 0,
    dial: { transportTimeoutMs: 400 },
  });
  await once(subject, 'error');
  await until(() => performance.now() - startedAt > 1_050);
  proxy.clear();
  subject.reconnect();
  await once(subject, 'connect', 2_000);
});

describe('reconnectPeriod 0 and a connection that is lost', () => {
  test('stays closed, and comes back when told to', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using subject = client([first.url, second.url], { reconnectPeriod: 0 });
    await once(subject, 'connect');
    first.latest.reset();
    await once(subject, 'close');
    assert.equal(subject.status().state, 'closed');
    assert.equal(second.connections.length, 0);
    subject.reconnect();
    await once(subject, 'connect');
    assert.equal(subject.status().current, id(second));
  });
});

describe('one session', () => {
  test('has at most one CONNECT open, whatever the endpoints do', async () => {
    await using slow = await silent();
    await using busy = await refusing(0x88);
    await using good = await scriptedBroker();
    await using other = await scriptedBroker();
    const brokers = [slow, busy, good, other];
    const watch = watchConnects(brokers);
    await using subject = client(
      brokers.map(({ url }) => url),
      { dial: { connackTimeoutMs: 100, staggerMs: 10 }, protocolVersion: 5 },
    );
    for (let round = 0; round < 6; round += 1) {
      await once(subject, 'connect');
      const used = brokers.find(({ port }) => id({ port }) === subject.status().current);
      used?.latest.reset();
    }
    assert.equal(watch.most, 1);
  });

  test('sends nothing to a transport that lost the race', async () => {
    await using slow = await scriptedBroker();
    await using fast = await scriptedBroker();
    await using proxy = await faultProxy(slow.port);
    // The port accepts, so both transports open; only one of them may ever carry CONNECT.
    await using subject = client([proxy.url, fast.url], { dial: { staggerMs: 10, race: 2 } });
    await once(subject, 'connect');
    assert.equal(slow.connects + fast.connects, 1);
  });
});

describe('a list that the application finds itself', () => {
  test('is asked at start, and again while it runs; changes are told as a difference', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    let list: BrokerSpec[] = [{ url: a.url, id: 'a' }];
    let asked = 0;
    await using subject = client(
      async () => {
        asked += 1;
        return list;
      },
      { ...hurried(), discovery: { refreshMs: 1_000 } },
    );
    const topologies = collect<FailoverEvents['topology']>(subject, 'topology');
    await once(subject, 'connect');
    list = [
      { url: a.url, id: 'a', weight: 2 },
      { url: b.url, id: 'b' },
    ];
    await until(() => topologies.length === 2);
    list = [{ url: b.url, id: 'b' }];
    await until(() => topologies.length === 3);
    assert.deepEqual(topologies, [
      { added: ['a'], removed: [], changed: [], source: 'function', revision: null },
      { added: ['b'], removed: [], changed: ['a'], source: 'function', revision: null },
      { added: [], removed: ['a'], changed: [], source: 'function', revision: null },
    ]);
    assert.ok(asked >= 3);
    assert.equal(subject.status().discovery.source, 'function');
    a.latest.reset();
    await once(subject, 'failover');
    assert.equal(subject.status().current, 'b');
  });

  test('stays as it was when a later answer fails or is empty, and says so', async () => {
    await using broker = await scriptedBroker();
    let answer: () => BrokerSpec[] = () => [{ url: broker.url, id: 'a' }];
    await using subject = client(async () => answer(), { ...hurried(), discovery: { refreshMs: 1_000 } });
    const told = collect<FailoverEvents['discovery-error']>(subject, 'discovery-error');
    await once(subject, 'connect');
    answer = () => [];
    await until(() => told.length === 1);
    answer = () => {
      throw new Error('the inventory at https://user:canary@inventory.test/?key=canary is down');
    };
    await until(() => told.length === 2);
    for (const { error } of told) assert.equal(error.code, 'ERR_DISCOVERY');
    assert.doesNotMatch(told.map(({ error }) => error.message).join(), /canary/);
    assert.deepEqual(
      subject.status().endpoints.map((each) => each.id),
      ['a'],
    );
    assert.match(subject.status().discovery.error ?? '', /inventory/);
    assert.equal(subject.connected, true);
  });

  test('is asked again when it fails at the start', async () => {
    await using broker = await scriptedBroker();
    let asked = 0;
    await using subject = client(() => {
      asked += 1;
      if (asked === 1) throw new Error('not yet');
      return [broker.url];
    }, hurried());
    const [error] = await once<[FailoverError]>(subject, 'error');
    assert.equal(error.code, 'ERR_DISCOVERY');
    await once(subject, 'connect');
  });

  test('may come from a resolver with source and revision', async () => {
    await using broker = await scriptedBroker();
    const { endpoints } = await import('../../src/index.js').then(({ parseBrokers }) => {
      const parsed = parseBrokers([broker.url]);
      return parsed.kind === 'static' ? parsed : assert.fail();
    });
    await using subject = client({
      resolve: async () => ({ endpoints, source: 'inventory', revision: '7' }),
    });
    const topologies = collect<FailoverEvents['topology']>(subject, 'topology');
    await once(subject, 'connect');
    assert.deepEqual(
      topologies.map(({ source, revision }) => [source, revision]),
      [['inventory', '7']],
    );
    assert.deepEqual(
      [subject.status().discovery.source, subject.status().discovery.revision],
      ['inventory', '7'],
    );
  });
});

describe('options of one endpoint', () => {
  test('override those of the client for CONNECT to it alone', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    const brokers = [
      { url: first.url, username: 'one', password: 'p1', keepalive: 11 },
      second.url.replace('//', '//two:p2@'),
    ];
    await using subject = client(brokers, { username: 'zero', keepalive: 22, protocolVersion: 4 });
    await once(subject, 'connect');
    first.latest.reset();
    await once(subject, 'connect');
    const [one, two] = [await first.waitFor('connect'), await second.waitFor('connect')];
    assert.deepEqual([one.username, String(one.password), one.keepalive], ['one', 'p1', 11]);
    assert.deepEqual([two.username, String(two.password), two.keepalive], ['two', 'p2', 22]);
    assert.equal(one.clientId, two.clientId);
  });

  test('may set another protocol version, one endpoint at a time', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    const brokers = [
      { url: first.url, protocolVersion: 5 as const },
      { url: second.url, protocolVersion: 4 as const },
    ];
    await using subject = client(brokers);
    await once(subject, 'connect');
    await subject.publishAsync('t', '', { qos: 1 });
    first.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('t', '', { qos: 1 });
    assert.deepEqual([first.latest.protocolVersion, second.latest.protocolVersion], [5, 4]);
  });
});

test('connect() with a managed single endpoint waits a second between two attempts at it', async () => {
  await using broker = await scriptedBroker();
  await using subject = disposable(connect([broker.url], { backoff: QUICK }));
  await once(subject, 'connect');
  const firstAt = performance.now();
  broker.latest.reset();
  await once(subject, 'connect');
  const gap = performance.now() - firstAt;
  assert.ok(gap >= 900 && gap < 5_000, `came back after ${gap} ms`);
});
