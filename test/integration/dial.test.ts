/**
 * The way to a broker: addresses of one host, endpoints that do not answer, and what the application asks of sockets.
 *
 * The world: brokers on 127.0.0.1 and what else there may be at ::1 of the same port, under one name that has both
 * addresses by the client's own `lookup`. Real: sockets. Bounds are far from what an idle machine needs; `bench/` is
 * where time is measured.
 */
import assert from 'node:assert/strict';
import { once as onceEmitted } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { connect, type FailoverOptions } from '../../src/index.js';
import { blackhole } from '../support/blackhole.js';
import { once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { certificateAuthority } from '../support/tls.js';
import { accept, client, TlsFront, within } from './world.js';

/** A name with an address of each family, both of this machine. */
const lookup = ((_host: string, _options: object, done: (...args: unknown[]) => void) =>
  done(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ])) as never;
const dual = { lookup } as FailoverOptions;

/** Milliseconds; less than the deadline of a transport, more than a busy machine adds. */
const SOON_MS = 4_500;

/** Accepts whatever comes to ::1 and never says a word. */
async function silentAt(port: number, host = '::1') {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.resume();
  });
  server.listen(port, host);
  await onceEmitted(server, 'listening');
  return {
    sockets,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await onceEmitted(server, 'close');
    },
  };
}

/** Milliseconds until a client of `brokers` is connected; then it is ended. */
async function connects(brokers: string[], options: FailoverOptions): Promise<number> {
  const startedAt = performance.now();
  await using subject = client(brokers, options);
  await once(subject, 'connect', 8_000);
  return performance.now() - startedAt;
}

describe('a host with an address of each family', () => {
  test('is reached by IPv4 when IPv6 is a black hole, and the next endpoint is left alone', async () => {
    await using broker = await scriptedBroker();
    await using other = await scriptedBroker();
    await using _hole = await blackhole({ host: '::1', port: broker.port });
    const took = await connects([`mqtt://both.test:${broker.port}`, other.url], {
      ...dual,
      dial: { staggerMs: 100 },
    });
    assert.ok(took >= 95 && took < SOON_MS, `took ${took} ms`);
    assert.deepEqual([broker.connects, other.connections.length], [1, 0]);
  });

  test('is reached by IPv4 when IPv6 accepts TCP and hangs in TLS', async () => {
    await using authority = await certificateAuthority();
    await using broker = await scriptedBroker();
    await using front = await TlsFront.open(await authority.issue(['both.test']), broker);
    await using silent = await silentAt(front.port);
    const options = { ...dual, ca: authority.ca };
    const took = await connects([`mqtts://both.test:${front.port}`], options);
    assert.ok(took < SOON_MS, `took ${took} ms`);
    // It was asked for by its name over either address, and the loser is closed.
    assert.deepEqual(front.names, ['both.test']);
    assert.equal(silent.sockets.length, 1);
    await until(() => silent.sockets[0]?.destroyed);
  });

  test('is reached by IPv4 when IPv6 accepts TCP and never answers the WebSocket upgrade', async () => {
    await using broker = await scriptedBroker(undefined, { ws: true });
    await using silent = await silentAt(broker.port);
    const took = await connects([`ws://both.test:${broker.port}/mqtt`], { wsOptions: dual as never });
    assert.ok(took < SOON_MS, `took ${took} ms`);
    assert.equal(silent.sockets.length, 1);
  });

  test('names both in one error when neither answers', async () => {
    await using refuses = await scriptedBroker();
    const { port } = refuses;
    await refuses.stop();
    await using _silent = await blackhole({ host: '::1', port });
    await using subject = client([`mqtt://both.test:${port}`], {
      ...dual,
      dial: { staggerMs: 20, transportTimeoutMs: 300 },
    });
    const [error] = await once<[Error]>(subject, 'error');
    assert.match(
      error.message,
      /No transport to \S+ within 300 ms: 127\.0\.0\.1 ECONNREFUSED, ::1 no answer$/,
    );
  });

  for (const family of [4, 6] as const) {
    test(`is asked for by one of them alone with family ${family}`, async () => {
      await using four = await silentAt(0, '127.0.0.1');
      await using six = await silentAt(four.port);
      await using _subject = client([`mqtt://both.test:${four.port}`], {
        ...dual,
        family,
        dial: { staggerMs: 10 },
      } as FailoverOptions);
      const [asked, spared] = family === 4 ? [four, six] : [six, four];
      await until(() => asked.sockets.length > 0);
      assert.equal(spared.sockets.length, 0);
    });
  }

  test('is dialed from the localAddress of the application, in its family', async () => {
    await using four = await silentAt(0, '127.0.0.1');
    await using six = await silentAt(four.port);
    await using _subject = client([`mqtt://both.test:${four.port}`], {
      ...dual,
      localAddress: '127.0.0.9',
      dial: { staggerMs: 10 },
    } as FailoverOptions);
    await until(() => four.sockets.length > 0);
    assert.equal(four.sockets[0]?.remoteAddress, '127.0.0.9');
    assert.equal(six.sockets.length, 0);
  });
});

describe('the preferred endpoint', () => {
  test('that drops SYNs costs a stagger with the defaults, not its time-out', async () => {
    await using hole = await blackhole();
    await using good = await scriptedBroker();
    const took = await connects([`mqtt://127.0.0.1:${hole.port}`, good.url], {});
    assert.ok(took >= 245 && took < SOON_MS, `took ${took} ms`);
  });

  test('that accepts and stays silent costs connackTimeoutMs', async () => {
    await using silent = await silentAt(0, '127.0.0.1');
    await using good = await scriptedBroker();
    const took = await connects([`mqtt://127.0.0.1:${silent.port}`, good.url], {
      dial: { connackTimeoutMs: 1_000 },
    });
    assert.ok(took >= 995 && took < 1_500 + SOON_MS, `took ${took} ms`);
    assert.equal(silent.sockets.length, 1);
  });

  test('is not raced on a slow line, once its round trip is known', async () => {
    await using first = await scriptedBroker(({ cmd }, connection) => {
      if (cmd !== 'connect') return false;
      setTimeout(() => accept(connection), 600);
      return true;
    });
    await using second = await scriptedBroker(undefined, { ws: true });
    await using third = await scriptedBroker();
    await using line = await faultProxy(second.port);
    const brokers = [first.url, line.wsUrl, third.url];
    await using subject = client(brokers, { dial: { staggerMs: 100 } });
    await once(subject, 'connect');
    // The upgrade takes 300 ms: with the stagger as it is set, the third would be there before the second.
    line.set({ latency: 150 });
    first.latest.reset();
    await once(subject, 'connect');
    assert.equal(second.connects, 1);
    assert.equal(third.connections.length, 0);
  });
});

describe('a hundred messages in flight', () => {
  // One round trip for TCP, one for CONNECT and one for all messages; `npm run bench -- resume` shows the milliseconds.
  test('cost one round trip after CONNACK when the session is resumed elsewhere', async () => {
    await using first = await scriptedBroker(({ cmd }, connection) => {
      if (cmd === 'connect') return accept(connection, { sessionPresent: true });
      return cmd === 'publish';
    });
    // Answers nothing after CONNACK until all of them are there: with a second round trip it would wait for ever.
    await using second = await scriptedBroker(({ cmd }, connection) => {
      if (cmd === 'connect') return accept(connection, { sessionPresent: true });
      const here = second.packets('publish');
      if (here.length === 100)
        for (const { messageId = 0 } of here) connection.send({ cmd: 'puback', messageId });
      return true;
    });
    await using subject = client([first.url, second.url], { clean: false, clientId: 'device-7' });
    await once(subject, 'connect');
    const sent = Array.from({ length: 100 }, (_, n) => subject.publishAsync('t', `${n}`, { qos: 1 }));
    await until(() => first.packets('publish').length === 100);
    await first.stop();
    await within(Promise.all(sent), '100 acknowledgements');
    assert.deepEqual(
      second.packets('publish').map(({ payload, dup }) => [String(payload), dup]),
      Array.from({ length: 100 }, (_, n) => [`${n}`, true]),
    );
    assert.deepEqual([second.connections.length, second.received.length], [1, 101]);
  });
});

describe('a thousand races', () => {
  const RACES = 1_000;
  const AT_ONCE = 40;

  test('send one CONNECT each', async () => {
    const webSocketBroker = () => scriptedBroker(undefined, { ws: true });
    await using one = await webSocketBroker();
    await using two = await webSocketBroker();
    await using slow = await faultProxy(one.port);
    // The upgrade takes about as long as the stagger, so that either may win.
    slow.set({ latency: 5, jitter: 4 });
    const run = async (lane: number) => {
      for (let n = lane; n < RACES; n += AT_ONCE) await race(`racer-${n}`, [slow.wsUrl, two.url]);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => run(lane)));
    const ids = [one, two].flatMap((broker) => broker.packets('connect').map(({ clientId }) => clientId));
    assert.equal(ids.length, RACES);
    assert.equal(new Set(ids).size, RACES);
    assert.ok(opened(slow.accepted, two) >= RACES * 1.5, 'most of them were no races');
  });

  async function race(clientId: string, brokers: string[]): Promise<void> {
    const subject = connect(brokers, { clientId, selection: 'ordered', dial: { staggerMs: 10 } });
    await once(subject, 'connect', 30_000);
    await subject.endAsync(true);
  }

  function opened(slow: number, { connections }: ScriptedBroker): number {
    return slow + connections.length;
  }
});
