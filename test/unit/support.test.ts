/**
 * The tools of the tests, tested: a test is worth no more than the world it is run in.
 */
import assert from 'node:assert/strict';
import { createServer, connect as tcpConnect } from 'node:net';
import { describe, test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { aedesBroker, aedesCluster } from '../support/aedes-cluster.js';
import { blackhole } from '../support/blackhole.js';
import { collect, once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';
import { HOST } from '../support/listener.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { fixedRandom, SeededRandom } from '../support/seeded-random.js';
import { certificateAuthority } from '../support/tls.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** A client that never reconnects and is gone at the end of the block. */
function client(url: string, options: IClientOptions = {}): MqttClient & AsyncDisposable {
  const made = mqtt.connect(url, { reconnectPeriod: 0, protocolVersion: 4, ...options });
  made.on('error', () => {});
  return Object.assign(made, { [Symbol.asyncDispose]: () => made.endAsync(true) });
}

describe('virtual clock', () => {
  test('fires timers by due time, then in the order they were set', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    for (const [name, ms] of [
      ['late', 30],
      ['first', 10],
      ['second', 10],
      ['beyond', 31],
    ] as const) {
      clock.setTimeout(() => fired.push(`${name}@${clock.now()}`), ms);
    }
    await clock.advance(30);
    assert.deepEqual(fired, ['first@1000010', 'second@1000010', 'late@1000030']);
    assert.equal(clock.now(), 1_000_030);
    assert.equal(clock.pending, 1);
    assert.equal(clock.nextIn, 1);
  });

  test('runs promise chains and the timers they set within the same advance', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const loop = (async () => {
      for (let round = 0; round < 3; round++) {
        await sleep(100);
        for (let link = 0; link < 20; link++) await Promise.resolve();
        times.push(clock.now() - 1_000_000);
      }
    })();
    await clock.advance(300);
    await loop;
    assert.deepEqual(times, [100, 200, 300]);
    assert.equal(clock.pending, 0);
  });

  test('clears timers, survives sleep and wall clock steps', async () => {
    const clock = new VirtualClock(0, 1000);
    const fired: number[] = [];
    clock.clearTimeout(clock.setTimeout(() => fired.push(-1), 5));
    clock.setTimeout(() => fired.push(clock.now()), 10);
    clock.sleep(50);
    clock.shiftWall(-500);
    assert.deepEqual(fired, []);
    await clock.advance(0);
    assert.deepEqual(fired, [50]);
    assert.equal(clock.wallNow(), 550);
  });

  test('reports a timer that re-arms itself without time passing', async () => {
    const clock = new VirtualClock();
    const again = () => void clock.setTimeout(again, 0);
    again();
    await assert.rejects(clock.advance(1), /re-arms/);
  });
});

test('seeded random repeats, is spread evenly and differs by seed', () => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 1000 }, () => random.next());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.ok(draw(7).every((value) => value >= 0 && value < 1));
  const mean = draw(7).reduce((sum, value) => sum + value, 0) / 1000;
  assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
  assert.equal(fixedRandom(0.25).next(), 0.25);
});

describe('scripted broker', () => {
  for (const protocolVersion of [4, 5] as const) {
    for (const ws of [false, true]) {
      test(`answers MQTT ${protocolVersion} over ${ws ? 'WebSocket' : 'TCP'}`, async () => {
        await using broker = await scriptedBroker(undefined, { ws });
        await using peer = client(broker.url, { protocolVersion, clientId: 'c' });
        await once(peer, 'connect');
        await peer.subscribeAsync('a/#', { qos: 1 });
        await peer.unsubscribeAsync('a/#');
        for (const qos of [0, 1, 2] as const) await peer.publishAsync('t', `${qos}`, { qos });
        const release = await broker.waitFor('pubrel');
        assert.equal(release.messageId, broker.packets('publish').at(-1)?.messageId);
        assert.equal(broker.connects, 1);
        assert.equal(broker.latest.connectPacket?.clientId, 'c');
      });
    }
  }

  test('a script replaces an answer', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'connect') return;
      const properties = { serverReference: 'elsewhere:1883' };
      connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0x9c, properties });
      connection.end();
      return true;
    });
    await using peer = client(broker.url, { protocolVersion: 5 });
    const [packet] = await once<[mqtt.IConnackPacket]>(peer, 'packetreceive');
    assert.equal(packet.properties?.serverReference, 'elsewhere:1883');
  });

  test('stops, refuses, and comes back at the same port', async () => {
    await using broker = await scriptedBroker();
    const { port } = broker;
    await using peer = client(broker.url);
    await once(peer, 'connect');
    const errors = collect<NodeJS.ErrnoException>(peer, 'error');
    await Promise.all([once(peer, 'close'), broker.stop()]);
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['ECONNRESET'],
    );
    await using refused = client(broker.url);
    const [error] = await once<[NodeJS.ErrnoException]>(refused, 'error');
    assert.equal(error.code, 'ECONNREFUSED');
    await broker.restart();
    assert.equal(broker.port, port);
    await using back = client(broker.url);
    await once(back, 'connect');
    assert.deepEqual(
      broker.connections.map(({ isOpen }) => isOpen),
      [false, true],
    );
  });

  test('a wait in vain tells what has come instead', async () => {
    await using broker = await scriptedBroker();
    await using peer = client(broker.url, { clientId: 'lonely' });
    await once(peer, 'connect');
    await assert.rejects(broker.waitFor('publish', 20), /0:connect\(lonely\)/);
  });
});

describe('aedes', () => {
  test('serves TCP and WebSocket, records what clients send', async () => {
    await using broker = await aedesBroker();
    await using subscriber = client(broker.url, { clientId: 's' });
    await using publisher = client(broker.wsUrl, { clientId: 'p' });
    await Promise.all([once(subscriber, 'connect'), once(publisher, 'connect')]);
    await subscriber.subscribeAsync('t/+', { qos: 1 });
    const message = once<[string, Buffer]>(subscriber, 'message');
    await publisher.publishAsync('t/1', 'hello', { qos: 1 });
    assert.equal(String((await message)[1]), 'hello');
    assert.deepEqual([...broker.connected].sort(), ['p', 's']);
    assert.deepEqual([...broker.subscribedTopics('s')], [['t/+', 1]]);
    assert.deepEqual(broker.subscriptions, [{ clientId: 's', topic: 't/+', qos: 1 }]);
    const [{ messageId, ...rest } = {}] = broker.publishes;
    assert.equal(typeof messageId, 'number');
    assert.deepEqual(rest, {
      clientId: 'p',
      topic: 't/1',
      payload: 'hello',
      qos: 1,
      retain: false,
      dup: false,
    });
  });

  test('is killed, and revived at the same ports without memory', async () => {
    await using broker = await aedesBroker();
    const ports = [broker.port, broker.wsPort];
    await using tcp = client(broker.url, { clientId: 'x', clean: false });
    await using webSocket = client(broker.wsUrl, { clientId: 'y' });
    await Promise.all([once(tcp, 'connect'), once(webSocket, 'connect')]);
    await tcp.subscribeAsync('t', { qos: 1 });
    await Promise.all([once(tcp, 'close'), once(webSocket, 'close'), broker.kill()]);
    assert.equal(broker.connected.size, 0);
    await using refused = client(broker.url);
    assert.equal((await once<[NodeJS.ErrnoException]>(refused, 'error'))[0].code, 'ECONNREFUSED');
    await broker.revive();
    assert.deepEqual([broker.port, broker.wsPort], ports);
    await using again = client(broker.url, { clientId: 'x', clean: false });
    const [connack] = await once<[mqtt.IConnackPacket]>(again, 'connect');
    assert.equal(connack.sessionPresent, false);
  });

  test('nodes on their own share nothing', async () => {
    await using cluster = await aedesCluster(2);
    await using there = client(cluster.at(1).url);
    await once(there, 'connect');
    await there.subscribeAsync('t');
    const messages = collect(there, 'message');
    await cluster.at(0).publish('t', 'not for you');
    await cluster.at(1).publish('t', 'for you');
    await until(() => messages.length > 0);
    assert.deepEqual(messages, ['t']);
  });

  test('a shared session survives its node, with all that was queued', async () => {
    await using cluster = await aedesCluster(3, { shared: true });
    const session = { clientId: 'x', clean: false };
    await using before = client(cluster.at(0).url, session);
    await once(before, 'connect');
    await before.subscribeAsync('t', { qos: 1 });
    await Promise.all([once(before, 'close'), cluster.at(0).kill()]);
    await using publisher = client(cluster.at(1).url);
    await once(publisher, 'connect');
    for (const payload of ['1', '2', '3']) await publisher.publishAsync('t', payload, { qos: 1 });
    await using after = client(cluster.at(2).url, session);
    const payloads: string[] = [];
    after.on('message', (_topic, payload) => payloads.push(String(payload)));
    const [connack] = await once<[mqtt.IConnackPacket]>(after, 'connect');
    assert.equal(connack.sessionPresent, true);
    await until(() => payloads.length === 3);
    await cluster.at(0).revive();
    await using revived = client(cluster.at(0).url);
    await once(revived, 'connect');
    await revived.publishAsync('t', '4', { qos: 1 });
    await until(() => payloads.length === 4);
    assert.deepEqual(payloads, ['1', '2', '3', '4']);
  });

  test('a client that comes to another node of a shared cluster leaves the first', async () => {
    await using cluster = await aedesCluster(2, { shared: true });
    await using first = client(cluster.at(0).url, { clientId: 'x' });
    await once(first, 'connect');
    const thrownOut = once(first, 'close');
    await using second = client(cluster.at(1).url, { clientId: 'x' });
    await Promise.all([thrownOut, once(second, 'connect')]);
    await until(() => cluster.holding('x').length === 1);
    assert.deepEqual(cluster.holding('x'), [cluster.at(1)]);
  });
});

describe('fault proxy', () => {
  test('delays, holds and lets go', async () => {
    await using broker = await scriptedBroker();
    await using proxy = await faultProxy(broker.port);
    await using peer = client(proxy.url);
    await once(peer, 'connect');
    proxy.set({ latency: 20 });
    const sent = performance.now();
    await peer.publishAsync('t', 'slow', { qos: 1 });
    const took = performance.now() - sent;
    assert.ok(took >= 39, `20 ms in each direction took ${took} ms`);
    proxy.set({ stall: true });
    const held = peer.publishAsync('t', 'held', { qos: 1 });
    await assert.rejects(broker.waitForNext('publish', 30));
    proxy.clear();
    await held;
    proxy.set({ drop: true, direction: 'down' });
    peer.publish('t', 'unanswered', { qos: 1 });
    await broker.waitForNext('publish');
    assert.equal(proxy.connections, 1);
  });

  test('keeps the order of bytes under jitter', async () => {
    await using broker = await scriptedBroker();
    await using proxy = await faultProxy(broker.port);
    await using peer = client(proxy.url);
    await once(peer, 'connect');
    proxy.set({ jitter: 10 });
    const payloads = Array.from({ length: 20 }, (_, index) => String(index));
    await Promise.all(payloads.map((payload) => peer.publishAsync('t', payload, { qos: 1 })));
    assert.deepEqual(
      broker.packets('publish').map(({ payload }) => String(payload)),
      payloads,
    );
  });

  test('breaks connections in every way', async () => {
    await using broker = await scriptedBroker();
    await using proxy = await faultProxy(broker.port);
    const outcome = async (fault: (peer: MqttClient) => unknown, connectTimeout = 5_000) => {
      await using peer = client(proxy.url, { connectTimeout });
      const errors = collect<NodeJS.ErrnoException>(peer, 'error');
      peer.on('connect', () => fault(peer));
      await once(peer, 'close');
      return errors.map(({ code, message }) => code || message).join();
    };
    assert.equal(await outcome(() => proxy.rst()), 'ECONNRESET');
    assert.equal(await outcome(() => proxy.fin()), '');
    proxy.set({ cutAfter: 100 });
    assert.equal(await outcome((peer) => peer.publish('t', 'x'.repeat(200))), 'ECONNRESET');
    proxy.set({ resetAtAccept: true });
    assert.equal(await outcome(() => {}), 'ECONNRESET');
    proxy.set({ silent: true });
    assert.match(await outcome(() => {}, 40), /connack timeout/);
    proxy.clear();
    await proxy.refuse();
    assert.equal(await outcome(() => {}), 'ECONNREFUSED');
    await proxy.accept();
    await using peer = client(proxy.url);
    await once(peer, 'connect');
  });

  test('on a stalled line neither side learns of the death of the other', async () => {
    await using broker = await aedesBroker();
    await using proxy = await faultProxy(broker.port);
    await using peer = client(proxy.url);
    await once(peer, 'connect');
    proxy.set({ stall: true });
    await broker.kill();
    await assert.rejects(once(peer, 'close', 30), /no 'close' event within 30 ms/);
    await Promise.all([once(peer, 'close'), proxy.clear()]);
  });
});

test('a black hole neither accepts nor refuses', async () => {
  await using hole = await blackhole();
  const socket = tcpConnect(hole.port, HOST);
  await assert.rejects(
    once(socket, ['connect', 'error', 'close'], 60),
    /no 'connect' or 'error' or 'close' event/,
  );
  assert.ok(socket.connecting);
  socket.destroy();
});

describe('handles', () => {
  test('everything here leaves nothing behind', async () => {
    const before = openHandles();
    {
      await using cluster = await aedesCluster(2, { shared: true });
      await using proxy = await faultProxy(cluster.at(0).port);
      await using scripted = await scriptedBroker(undefined, { ws: true });
      await using hole = await blackhole();
      // A connection that never sends its CONNECT has a timer at the broker.
      const mute = tcpConnect(cluster.at(1).port, HOST).on('error', () => {});
      await using a = client(proxy.url);
      await using b = client(cluster.at(1).wsUrl, { keepalive: 1 });
      await using c = client(scripted.url);
      await Promise.all([once(a, 'connect'), once(b, 'connect'), once(c, 'connect')]);
      proxy.set({ stall: true });
      assert.ok(hole.port > 0 && !mute.destroyed);
    }
    await expectNoNewHandles(before);
  });

  test('an orderly close of aedes leaves nothing behind either', async () => {
    const before = openHandles();
    const broker = await aedesBroker();
    const peers = [client(broker.url), client(broker.wsUrl)];
    await Promise.all(peers.map((peer) => once(peer, 'connect')));
    await Promise.all([...peers.map((peer) => once(peer, 'close')), broker.close()]);
    await expectNoNewHandles(before);
  });

  test('what is left is named', async () => {
    const before = openHandles();
    const server = createServer().listen(0, HOST);
    const timer = setTimeout(() => {}, 10_000);
    await assert.rejects(
      expectNoNewHandles(before, 20),
      /Server listening at .*127\.0\.0\.1.*1 more Timeout/,
    );
    clearTimeout(timer);
    server.close();
    await expectNoNewHandles(before);
  });
});

describe('waiting', () => {
  test('until resolves with what it has found, and otherwise says what is missing', async () => {
    let looks = 0;
    assert.equal(await until(() => ++looks === 70 && 'found'), 'found');
    await assert.rejects(
      until(() => false, { timeoutMs: 20, what: 'a miracle' }),
      /waiting for a miracle after 20 ms/,
    );
  });
});

test('certificates are valid for their names under their authority alone', async () => {
  await using authority = await certificateAuthority();
  const server = createTlsServer(await authority.issue(['broker.test', HOST])).listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const connection = async (servername: string, ca?: string) => {
    const socket: TLSSocket = tlsConnect({
      port,
      host: HOST,
      servername,
      ...(ca === undefined ? {} : { ca }),
    });
    const [error] = await once<[NodeJS.ErrnoException?]>(socket, ['secureConnect', 'error']);
    socket.destroy();
    return error?.code ?? 'secure';
  };
  assert.equal(await connection('broker.test', authority.ca), 'secure');
  assert.equal(await connection('other.test', authority.ca), 'ERR_TLS_CERT_ALTNAME_INVALID');
  assert.equal(await connection('broker.test'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  server.close();
});

test('a broker passes over a port that is taken, and waits for its own', async () => {
  await using first = await scriptedBroker(undefined, { ws: true });
  const next = createServer().listen(first.port + 1, HOST);
  await once(next, 'listening');
  await using second = await scriptedBroker(undefined, { ws: true });
  assert.notEqual(second.port, first.port + 1);
  const { port } = second;
  await second.stop();
  const squatter = createServer().listen(port, HOST);
  await once(squatter, 'listening');
  setTimeout(() => squatter.close(), 30);
  await using again = await scriptedBroker(undefined, { ws: true, port });
  assert.equal(again.port, port);
  next.close();
});
