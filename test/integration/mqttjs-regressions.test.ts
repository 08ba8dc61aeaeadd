/**
 * The defects of MQTT.js that this library exists to neutralise, J1 to J12 of its requirements.
 *
 * Each is shown twice against the same broker: with `mqtt` itself, so that we notice the day MQTT.js heals, and with
 * ours. The world: scripted brokers that misbehave on request, where needed behind TLS with a certificate each.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import mqtt, { type IClientOptions } from 'mqtt';
import { FailoverError } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { certificateAuthority } from '../support/tls.js';
import {
  accept,
  client,
  commands,
  disposable,
  hurried,
  outcome,
  payloads,
  plainMqtt,
  publishes,
  refuse,
  TlsFront,
  twice,
} from './world.js';

/** Both names are this machine. Node asks for one address or for all, as it likes. */
const lookup = ((_host: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
  options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) as never;

describe('J1: the name that TLS asks for and checks', () => {
  async function twoTlsNodes() {
    const authority = await certificateAuthority();
    const broker = await scriptedBroker();
    const [one, two] = await Promise.all([authority.issue(['a.test']), authority.issue(['b.test'])]);
    const a = await TlsFront.open(one, broker);
    const b = await TlsFront.open(two, broker);
    return {
      a,
      b,
      broker,
      options: { ca: authority.ca, lookup } as IClientOptions,
      async [Symbol.asyncDispose]() {
        await Promise.all([a.kill(), b.kill(), broker.stop(), authority[Symbol.asyncDispose]()]);
      },
    };
  }

  test('MQTT.js asks the second server for the name of the first and refuses its certificate', async () => {
    await using world = await twoTlsNodes();
    const { a, b, options } = world;
    const servers = [
      { host: 'a.test', port: a.port, protocol: 'mqtts' as const },
      { host: 'b.test', port: b.port, protocol: 'mqtts' as const },
    ];
    await using subject = plainMqtt({ servers, reconnectPeriod: 20, ...options });
    const errors = collect<NodeJS.ErrnoException>(subject, 'error');
    await once(subject, 'connect');
    await a.kill();
    await until(() => errors.some(({ code }) => code === 'ERR_TLS_CERT_ALTNAME_INVALID'));
    assert.equal(subject.connected, false);
    assert.deepEqual([...new Set(b.names)], ['a.test']);
  });

  test('ours asks each server for its own name and verifies it, there and back', async () => {
    await using world = await twoTlsNodes();
    const { a, b, options } = world;
    await using subject = client([`mqtts://a.test:${a.port}`, `mqtts://b.test:${b.port}`], options);
    await once(subject, 'connect');
    await a.kill();
    await once(subject, 'connect');
    await a.revive();
    await b.kill();
    await once(subject, 'connect');
    assert.deepEqual([a.names, b.names], [['a.test', 'a.test'], ['b.test']]);
    assert.equal(subject.stream.destroyed, false);
  });

  test('ours does not take the certificate of one node for another', async () => {
    await using world = await twoTlsNodes();
    const { a, b, options } = world;
    await using subject = client([`mqtts://a.test:${a.port}`, `mqtts://b.test:${a.port}`], options);
    await once(subject, 'connect');
    await b.kill();
    subject.stream.destroy();
    const failed = await once(subject, 'health');
    assert.equal((failed[0] as { endpoint: string }).endpoint, `a.test:${a.port}`);
    await until(() => subject.status().endpoints[1]?.reason?.includes('b.test') ?? false);
    assert.match(subject.status().endpoints[1]?.reason ?? '', /Hostname\/IP does not match/);
  });
});

describe('J2: publishes in flight when the connection breaks', () => {
  /** Acknowledges nothing on its first connection, and keeps the session if it is told to. */
  const forgetful = (sessionPresent: boolean) =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect')
        return accept(connection, { sessionPresent: sessionPresent && connection.index > 0 });
      return packet.cmd === 'publish' && connection.index === 0;
    });

  for (const sessionPresent of [false, true]) {
    test(`MQTT.js resends them with the old ids and without DUP (Session Present ${sessionPresent ? 1 : 0})`, async () => {
      await using broker = await forgetful(sessionPresent);
      await using subject = plainMqtt(broker.url, { clean: false, clientId: 'j2' });
      await once(subject, 'connect');
      for (const text of ['1', '2']) subject.publish('t', text, { qos: 1 });
      await broker.waitFor((packet) => packet.cmd === 'publish' && String(packet.payload) === '2');
      broker.latest.reset();
      await until(() => publishes(broker, 1).length === 2);
      const before = publishes(broker, 0).map(({ messageId }) => messageId);
      const after = publishes(broker, 1);
      assert.deepEqual(
        after.map(({ messageId }) => messageId),
        before,
      );
      assert.deepEqual(
        after.map(({ dup }) => dup),
        [false, false],
      );
    });
  }

  test('ours resends them with the old ids and DUP when the session is still there', async () => {
    await using broker = await forgetful(true);
    await using subject = client(twice(broker), { clean: false, clientId: 'j2' });
    await once(subject, 'connect');
    const sent = ['1', '2'].map((text) => subject.publishAsync('t', text, { qos: 1 }));
    await broker.waitFor((packet) => packet.cmd === 'publish' && String(packet.payload) === '2');
    broker.latest.reset();
    await Promise.all(sent);
    const ids = publishes(broker, 0).map(({ messageId }) => messageId);
    assert.deepEqual(
      publishes(broker, 1).map(({ messageId, dup }) => ({ messageId, dup })),
      ids.map((messageId) => ({ messageId, dup: true })),
    );
  });

  test('ours publishes them again as new messages when the session is gone', async () => {
    await using broker = await forgetful(false);
    await using subject = client(twice(broker), { clean: false, clientId: 'j2' });
    await once(subject, 'connect');
    const sent = ['1', '2'].map((text) => subject.publishAsync('t', text, { qos: 1 }));
    await broker.waitFor((packet) => packet.cmd === 'publish' && String(packet.payload) === '2');
    broker.latest.reset();
    await Promise.all(sent);
    const ids = new Set(publishes(broker, 0).map(({ messageId }) => messageId));
    const again = publishes(broker, 1);
    assert.deepEqual(
      again.map(({ payload, dup }) => [String(payload), dup]),
      [
        ['1', false],
        ['2', false],
      ],
    );
    assert.ok(
      again.every(({ messageId }) => !ids.has(messageId)),
      'ids of the lost session are not used again at once',
    );
  });
});

describe('J3: the connect event after a reconnection', () => {
  const deaf = () => scriptedBroker((packet) => packet.cmd === 'publish');

  test('MQTT.js does not emit connect until every stored publish is acknowledged', async () => {
    await using broker = await deaf();
    await using subject = plainMqtt(broker.url);
    const connects = collect(subject, 'connect');
    await once(subject, 'connect');
    subject.publish('t', 'never acknowledged', { qos: 1 });
    await broker.waitFor('publish');
    const received = collect<{ cmd: string }>(subject, 'packetreceive');
    broker.latest.reset();
    // The second connection is accepted and the replay is on the wire, yet there is no event.
    await until(() => publishes(broker, 1).length === 1);
    assert.deepEqual(
      received.map(({ cmd }) => cmd),
      ['connack'],
    );
    assert.equal(connects.length, 1);
    assert.equal(broker.connects, 2);
  });

  test('ours emits connect for every accepted connection', async () => {
    await using broker = await deaf();
    await using subject = client(twice(broker));
    const connects = collect(subject, 'connect');
    await once(subject, 'connect');
    subject.publish('t', 'never acknowledged', { qos: 1 });
    await broker.waitFor('publish');
    broker.latest.reset();
    await until(() => publishes(broker, 1).length === 1);
    assert.equal(connects.length, 2);
  });
});

describe('J4: 70 000 QoS 1 publishes while offline', () => {
  const COUNT = 70_000;

  test('MQTT.js overwrites 4465 of them without a word', async () => {
    await using subject = disposable(mqtt.connect('mqtt://127.0.0.1:1', { manualConnect: true }));
    let settled = 0;
    for (let i = 0; i < COUNT; i += 1) {
      subject.publish('t', '', { qos: 1 }, () => {
        settled += 1;
      });
    }
    await new Promise(setImmediate);
    assert.equal(Object.keys(subject.outgoing).length, 65_535);
    assert.equal(settled, 0);
  });

  test('ours holds them all, and settles every one', async () => {
    await using subject = client(['mqtt://127.0.0.1:1'], {
      manualConnect: true,
      outbox: { maxMessages: COUNT },
    });
    const codes = new Map<unknown, number>();
    for (let i = 0; i < COUNT; i += 1) {
      subject.publish('t', '', { qos: 1 }, (error) => {
        const { code } = error as FailoverError;
        codes.set(code, (codes.get(code) ?? 0) + 1);
      });
    }
    assert.equal(subject.status().outbox.messages, COUNT);
    await subject.endAsync();
    assert.deepEqual([...codes], [['ERR_ENDED', COUNT]]);
  });
});

describe('J5: reconnectPeriod 0', () => {
  test('MQTT.js forgets subscriptions, so that a reconnect() does not restore them', async () => {
    await using broker = await scriptedBroker();
    await using subject = plainMqtt(broker.url, { reconnectPeriod: 0 });
    await subject.subscribeAsync('t');
    broker.latest.reset();
    await once(subject, 'close');
    subject.reconnect();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(commands(broker, 1), ['connect', 'publish']);
  });

  test('ours restores them', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { reconnectPeriod: 0 });
    await subject.subscribeAsync('t');
    broker.latest.reset();
    await once(subject, 'close');
    subject.reconnect();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(commands(broker, 1), ['connect', 'subscribe', 'publish']);
  });
});

describe('J6: one refused filter among others', () => {
  const picky = () =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'subscribe') return false;
      const { messageId = 0, subscriptions } = packet;
      const granted = subscriptions.map(({ topic }) => (topic === 'deny' ? 0x80 : 0));
      connection.send({ cmd: 'suback', messageId, granted });
      return true;
    });
  const restored = (broker: Awaited<ReturnType<typeof picky>>) =>
    broker.received
      .filter(({ connection }) => connection === 1)
      .flatMap(({ packet }) => (packet.cmd === 'subscribe' ? packet.subscriptions : []))
      .map(({ topic }) => topic);

  test('MQTT.js restores none of them after a reconnection', async () => {
    await using broker = await picky();
    await using subject = plainMqtt(broker.url);
    await outcome(subject.subscribeAsync(['ok1', 'deny', 'ok2']));
    broker.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(restored(broker), []);
  });

  test('ours restores those that were accepted', async () => {
    await using broker = await picky();
    await using subject = client(twice(broker));
    const told = await outcome(subject.subscribeAsync(['ok1', 'deny', 'ok2']));
    assert.notEqual(told, 'ok');
    broker.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(restored(broker), ['ok1', 'ok2']);
  });
});

describe('J7: end() while offline, then reconnect()', () => {
  test('MQTT.js sends the DISCONNECT of the end right after the next CONNACK', async () => {
    await using broker = await scriptedBroker();
    await using subject = plainMqtt(broker.url);
    await once(subject, 'connect');
    await broker.stop();
    await once(subject, 'offline');
    await subject.endAsync();
    await broker.restart();
    subject.reconnect();
    await broker.waitFor('disconnect');
    assert.deepEqual(commands(broker, 1), ['connect', 'disconnect']);
  });

  test('ours sends nothing but what was asked for', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    await broker.stop();
    await once(subject, 'offline');
    await subject.endAsync();
    await broker.restart();
    subject.reconnect();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(commands(broker, 1), ['connect', 'publish']);
  });
});

describe('J8: end() with a publish that is never acknowledged', () => {
  const deaf = () => scriptedBroker((packet) => packet.cmd === 'publish');

  test('MQTT.js waits for it, and neither ends nor settles it', async () => {
    await using broker = await deaf();
    await using subject = plainMqtt(broker.url);
    await once(subject, 'connect');
    let settled = false;
    subject.publish('t', '', { qos: 1 }, () => {
      settled = true;
    });
    await broker.waitFor('publish');
    const ended = collect(subject, 'end');
    subject.end();
    // It listens for `outgoingEmpty` alone, which a broker that stays silent never lets happen.
    const waits = subject.listenerCount('outgoingEmpty');
    subject.sendPing();
    await once(subject, 'packetreceive');
    assert.deepEqual([waits, ended.length, settled, subject.connected], [1, 0, false, true]);
  });

  test('ours gives up after five seconds, settles it, and says DISCONNECT', async () => {
    await using broker = await deaf();
    await using subject = client(twice(broker), hurried());
    await once(subject, 'connect');
    const sent = outcome(subject.publishAsync('t', '', { qos: 1 }));
    await broker.waitFor('publish');
    await subject.endAsync();
    assert.equal(await sent, 'ERR_ENDED');
    await broker.waitFor('disconnect');
  });
});

describe('J9: a DISCONNECT by the server', () => {
  test('MQTT.js stays on a connection that the server has declared over', async () => {
    await using broker = await scriptedBroker();
    await using subject = plainMqtt(broker.url, { protocolVersion: 5 });
    await once(subject, 'connect');
    broker.latest.send({ cmd: 'disconnect', reasonCode: 0x8b });
    await once(subject, 'disconnect');
    await subject.publishAsync('still here', '', { qos: 1 });
    assert.equal(broker.connections.length, 1);
  });

  test('ours leaves it and connects to another broker', async () => {
    await using leaving = await scriptedBroker();
    await using staying = await scriptedBroker();
    await using subject = client([leaving.url, staying.url], { protocolVersion: 5 });
    await once(subject, 'connect');
    leaving.latest.send({ cmd: 'disconnect', reasonCode: 0x8b });
    await once(subject, 'failover');
    assert.equal(subject.status().current, `127.0.0.1:${staying.port}`);
    await leaving.latest.closed;
  });

  const takeover = () =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'connect') return false;
      accept(connection);
      connection.send({ cmd: 'disconnect', reasonCode: 0x8e });
      connection.end();
      return true;
    });

  test('MQTT.js fights for its client id with whoever has taken it over, at its fixed pace', async () => {
    await using broker = await takeover();
    await using subject = plainMqtt(broker.url, { protocolVersion: 5 });
    await until(() => broker.connects >= 6);
    assert.equal(subject.disconnecting, false);
  });

  test('ours retries once, then holds off in state conflict', async () => {
    await using broker = await takeover();
    await using subject = client(twice(broker), { protocolVersion: 5 });
    await until(() => subject.status().state === 'conflict', { timeoutMs: 2_000 });
    assert.equal(broker.connects, 2);
  });
});

describe('J10: a CONNACK that refuses for the moment', () => {
  const busyAtFirst = () =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'connect' || connection.index > 0) return false;
      return refuse(connection, 0x89);
    });

  test('MQTT.js stops for ever', async () => {
    await using broker = await busyAtFirst();
    await using subject = plainMqtt(broker.url, { protocolVersion: 5 });
    await once(subject, 'close');
    await new Promise(setImmediate);
    assert.equal(subject.reconnecting, false);
    assert.equal((subject as unknown as { reconnectTimer?: unknown }).reconnectTimer ?? null, null);
  });

  test('ours tries the next endpoint', async () => {
    await using broker = await busyAtFirst();
    await using subject = client(twice(broker), { protocolVersion: 5 });
    const errors = collect(subject, 'error');
    await once(subject, 'connect');
    assert.equal(subject.status().current, 'back');
    assert.deepEqual(errors, []);
  });
});

describe("J11: the broker's Receive Maximum", () => {
  const narrow = () =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { properties: { receiveMaximum: 5 } });
      return packet.cmd === 'publish';
    });

  test('MQTT.js sends 50 where 5 are allowed', async () => {
    await using broker = await narrow();
    await using subject = plainMqtt(broker.url, { protocolVersion: 5 });
    await once(subject, 'connect');
    for (let i = 0; i < 50; i += 1) subject.publish('t', `${i}`, { qos: 1 });
    await until(() => publishes(broker).length === 50);
  });

  test('ours sends 5, and each further one for an acknowledgement', async () => {
    await using broker = await narrow();
    await using subject = client(twice(broker), { protocolVersion: 5 });
    await once(subject, 'connect');
    for (let i = 0; i < 50; i += 1) subject.publish('t', `${i}`, { qos: 1 });
    const { latest } = broker;
    for (let acknowledged = 0; acknowledged < 45; acknowledged += 1) {
      await until(() => publishes(broker).length >= acknowledged + 5);
      // Whatever was sent before this ping has arrived by now.
      subject.sendPing();
      await broker.waitForNext('pingreq');
      assert.equal(publishes(broker).length, acknowledged + 5);
      const { messageId = 0 } = publishes(broker)[acknowledged] ?? {};
      latest.send({ cmd: 'puback', messageId, reasonCode: 0 });
    }
    await until(() => publishes(broker).length === 50);
    assert.deepEqual(
      payloads(broker),
      Array.from({ length: 50 }, (_, i) => `${i}`),
    );
  });
});

describe('J12: secrets in logs and events', () => {
  const secrets = {
    username: 'someone',
    password: 'canary-password',
    will: { topic: 'w', payload: Buffer.from('canary-will'), qos: 0 as const, retain: false },
    protocolVersion: 5 as const,
    properties: { authenticationMethod: 'm', authenticationData: Buffer.from('canary-token') },
  };
  const CANARY = /canary/;
  const spell = (value: unknown): string =>
    JSON.stringify(value, (_key, item) =>
      item?.type === 'Buffer' ? Buffer.from(item.data).toString() : item,
    );

  test('MQTT.js hands the password to its log function and to packetsend listeners', async () => {
    await using broker = await scriptedBroker();
    const lines: unknown[] = [];
    const log = (...args: unknown[]) => void lines.push(...args);
    await using subject = plainMqtt(broker.url, { ...secrets, log, manualConnect: true });
    const packets = collect(subject, 'packetsend');
    subject.connect();
    await once(subject, 'connect');
    assert.match(spell(packets), CANARY);
    assert.match(spell(lines.filter((line) => (line as { cmd?: string } | null)?.cmd)), CANARY);
  });

  test('ours keeps password, will and authentication data to itself, and still sends them', async () => {
    await using broker = await scriptedBroker();
    const lines: unknown[] = [];
    await using subject = client([broker.url], { ...secrets, log: (...args) => void lines.push(...args) });
    const packets = collect(subject, 'packetsend');
    await once(subject, 'connect');
    assert.doesNotMatch(spell(packets), CANARY);
    const told = lines.map((line) =>
      line instanceof Error || typeof line !== 'object' ? String(line) : spell(line),
    );
    assert.doesNotMatch(told.join('\n'), CANARY);
    assert.equal((packets[0] as { cmd: string }).cmd, 'connect');
    assert.ok(lines.length > 0);
    const connect = await broker.waitFor('connect');
    assert.equal(String(connect.password), 'canary-password');
    assert.equal(String(connect.will?.payload), 'canary-will');
    assert.equal(String(connect.properties?.authenticationData), 'canary-token');
  });

  test('ours does not name the password in an error, a status or an event', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? refuse(connection, 5) : false,
    );
    const url = broker.url.replace('//', '//someone:canary-password@');
    await using subject = client([{ url, id: 'a' }, url.replace('canary', 'other-canary')]);
    const told = ['state', 'health', 'topology', 'error'].map((event) => collect(subject, event));
    await once(subject, 'error');
    const errors = told.flat().filter((item): item is FailoverError => item instanceof FailoverError);
    assert.equal(errors.length, 1);
    const shown = [spell(told), spell(subject.status()), spell(subject.explain()), ...errors.map(unfold)];
    assert.doesNotMatch(shown.join('\n'), CANARY);
  });
});

/** Every message and stack of an error and of what caused it. */
function unfold(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { errors = [] } = error as AggregateError;
  return [error.stack, ...errors.map(unfold), unfold(error.cause)].join('\n');
}
