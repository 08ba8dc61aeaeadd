/**
 * Code written for MQTT.js goes on working when only its import line changes.
 *
 * Two worlds: three real brokers (aedes) behind one list, where everything MQTT.js offers must do what it does with
 * one; and one broker without any option of ours, where the client must be MQTT.js to the letter, which is shown by
 * playing the same scene to both and comparing what they emit.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import mqtt, { type IClientOptions, type IPublishPacket } from 'mqtt';
import * as ours from '../../src/index.js';
import failover, {
  connect,
  connectAsync,
  FailoverClient,
  type FailoverError,
  type FailoverOptions,
  MqttClient,
} from '../../src/index.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import {
  accept,
  client,
  commands,
  disposable,
  hurried,
  outcome,
  payloads,
  QUICK,
  refuse,
  twice,
  within,
} from './world.js';

const V4 = { protocolVersion: 4 } as const;

describe('a list of three brokers', () => {
  test('is served by one MqttClient', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, V4);
    assert.ok(subject instanceof MqttClient);
    assert.ok(subject instanceof mqtt.MqttClient);
    assert.ok(subject instanceof FailoverClient);
    await once(subject, 'connect');
    const { options } = subject;
    assert.equal(subject.connected, true);
    assert.equal(subject.reconnecting, false);
    await cluster.at(0).kill();
    await once(subject, 'connect');
    assert.equal(subject.options, options);
  });

  test('takes every form of publish', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, V4);
    assert.equal(subject.publish('a', 'text'), subject);
    await new Promise((done) => subject.publish('b', Buffer.from('bytes'), done));
    await new Promise((done) => subject.publish('c', 'options', { qos: 1, retain: true }, done));
    subject.publish('d', 'no callback', { qos: 1 });
    assert.equal(await subject.publishAsync('e', 'promise'), undefined);
    const packet = await subject.publishAsync('f', 'promise with options', { qos: 2 });
    assert.equal(packet?.cmd, 'publish');
    assert.equal(packet?.topic, 'f');
    await until(() => cluster.publishes.length === 6);
    assert.deepEqual(
      cluster.publishes.map(({ topic, payload, qos, retain }) => [topic, payload, qos, retain]),
      [
        ['a', 'text', 0, false],
        ['b', 'bytes', 0, false],
        ['c', 'options', 1, true],
        ['d', 'no callback', 1, false],
        ['e', 'promise', 0, false],
        ['f', 'promise with options', 2, false],
      ],
    );
  });

  test('takes every form of subscribe and unsubscribe', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, { ...V4, clientId: 'forms' });
    assert.equal(subject.subscribe('a'), subject);
    const granted = await new Promise((resolve, reject) =>
      subject.subscribe('b', { qos: 1 }, (error, list) => (error ? reject(error) : resolve(list))),
    );
    assert.deepEqual(granted, [{ topic: 'b', qos: 1 }]);
    await new Promise((done) => subject.subscribe(['c', 'd'], done));
    assert.deepEqual(await subject.subscribeAsync({ e: { qos: 2 }, f: { qos: 0 } }), [
      { topic: 'e', qos: 2 },
      { topic: 'f', qos: 0 },
    ]);
    assert.deepEqual(await subject.subscribeAsync('g', { qos: 1 }), [{ topic: 'g', qos: 1 }]);
    const topics = () => [...cluster.at(0).subscribedTopics('forms').keys()].sort();
    assert.deepEqual(topics(), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);

    assert.equal(subject.unsubscribe('a'), subject);
    await new Promise((done) => subject.unsubscribe('b', done));
    await new Promise((done) => subject.unsubscribe(['c'], {}, done));
    await subject.unsubscribeAsync('d');
    await subject.unsubscribeAsync(['e', 'f'], {});
    assert.deepEqual(topics(), ['g']);
  });

  test('reports an invalid topic to the callback, as MQTT.js does', async () => {
    await using cluster = await aedesCluster(1);
    await using other = disposable(mqtt.connect(cluster.at(0).url, V4));
    await using subject = client([cluster.at(0).url], V4);
    for (const topic of ['a/#/b', 'a+/b']) {
      assert.deepEqual(
        [await outcome(subject.subscribeAsync(topic)), await outcome(subject.unsubscribeAsync(topic))],
        [await outcome(other.subscribeAsync(topic)), await outcome(other.unsubscribeAsync(topic))],
      );
    }
  });

  test('survives an empty filter, which brokers answer by closing the connection', async () => {
    await using cluster = await aedesCluster(1);
    await using subject = client(twice(cluster.at(0)), V4);
    await once(subject, 'connect');
    const told = [outcome(subject.subscribeAsync('')), outcome(subject.unsubscribeAsync(''))];
    await within(subject.subscribeAsync('fine'), 'the next subscription');
    for (const text of await within(Promise.all(told), 'the empty filters to be refused'))
      assert.notEqual(text, 'ok');
  });

  test('delivers messages to listeners with topic, payload and packet', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, V4);
    await subject.subscribeAsync('in/+', { qos: 1 });
    const arrival = once<[string, Buffer, IPublishPacket]>(subject, 'message');
    await cluster.at(0).publish('in/x', 'hello', { qos: 1 });
    const [topic, payload, packet] = await arrival;
    assert.equal(topic, 'in/x');
    assert.ok(Buffer.isBuffer(payload));
    assert.equal(String(payload), 'hello');
    assert.equal(packet.qos, 1);
  });

  test('calls an overridden handleMessage, which holds back the acknowledgement', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), V4);
    await once(subject, 'connect');
    const handled: string[] = [];
    let release = () => {};
    subject.handleMessage = (packet, done) => {
      handled.push(String(packet.payload));
      release = () => done();
    };
    const message = { cmd: 'publish', topic: 't', qos: 1, dup: false, retain: false, messageId: 7 } as const;
    broker.latest.send({ ...message, payload: 'held' });
    await until(() => handled.length === 1);
    subject.publish('after', '', { qos: 0 });
    await broker.waitFor('publish');
    assert.equal(broker.packets('puback').length, 0);
    release();
    const { messageId } = await broker.waitFor('puback');
    assert.deepEqual([messageId, handled], [7, ['held']]);
  });

  test('emits the same events as MQTT.js in the same order over a loss', async () => {
    await using broker = await scriptedBroker();
    const scene = async (subject: mqtt.MqttClient) => {
      const seen = record(subject);
      await once(subject, 'connect');
      await subject.publishAsync('t', '', { qos: 1 });
      broker.latest.reset();
      await once(subject, 'connect');
      await subject.endAsync();
      await new Promise(setImmediate);
      // MQTT.js dials within connect(), before anybody can listen.
      return seen.slice(seen.indexOf('packetreceive connack'));
    };
    await using theirs = disposable(mqtt.connect(broker.url, { ...V4, reconnectPeriod: 20 }));
    const expected = await scene(theirs);
    await using subject = client(twice(broker), V4);
    // A socket error is one endpoint's business here, and `reconnect` the same event.
    assert.deepEqual(
      await scene(subject),
      expected.filter((name) => name !== 'error'),
    );
    assert.ok(expected.includes('offline') && expected.includes('reconnect') && expected.includes('end'));
  });

  test('has a stream from the moment of connect() on', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, V4);
    assert.equal(typeof subject.stream.on, 'function');
    await once(subject, 'connect');
    assert.equal(subject.stream.destroyed, false);
  });

  test('ends before it has begun to dial', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, V4);
    await subject.endAsync();
    assert.equal(subject.disconnected, true);
    assert.deepEqual(
      [...cluster].map(({ sessions }) => sessions.length),
      [0, 0, 0],
    );
  });

  test('ends while it is dialing', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'connect');
    await using subject = client(twice(broker), V4);
    await broker.waitFor('connect');
    const events = collect(subject, 'end');
    await subject.endAsync();
    await broker.latest.closed;
    assert.equal(events.length, 1);
    assert.equal(broker.connects, 1);
  });

  test('calls every callback of end(), however it is called', async () => {
    await using cluster = await aedesCluster(1);
    for (const end of [
      (subject: FailoverClient, done: () => void) => subject.end(done),
      (subject: FailoverClient, done: () => void) => subject.end(true, done),
      (subject: FailoverClient, done: () => void) => subject.end(false, {}, done),
      (subject: FailoverClient, done: () => void) => subject.end({}, done),
      (subject: FailoverClient, done: () => void) => void subject.endAsync().then(done),
      (subject: FailoverClient, done: () => void) => void subject.endAsync(true, {}).then(done),
    ]) {
      const subject = connect(cluster.urls, { ...V4, backoff: QUICK });
      await once(subject, 'connect');
      await new Promise<void>((done) => end(subject, done));
      assert.equal(subject.connected, false);
    }
  });

  test('sends the reason and properties that end() is given', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { protocolVersion: 5 });
    await once(subject, 'connect');
    await subject.endAsync(false, { reasonCode: 4, properties: { reasonString: 'bye' } });
    const { reasonCode, properties } = await broker.waitFor('disconnect');
    assert.deepEqual([reasonCode, properties?.reasonString], [4, 'bye']);
  });

  test('refuses to publish, subscribe and unsubscribe after end(), as MQTT.js does', async () => {
    await using broker = await scriptedBroker();
    const scene = async (made: mqtt.MqttClient) => {
      await using subject = disposable(made);
      await once(subject, 'connect');
      await subject.endAsync();
      return Promise.all([
        outcome(subject.publishAsync('t', '')),
        outcome(subject.subscribeAsync('t')),
        outcome(subject.unsubscribeAsync('t')),
      ]);
    };
    const expected = await scene(mqtt.connect(broker.url, V4));
    assert.deepEqual(await scene(connect(twice(broker), V4)), expected);
  });

  test('waits for connect() with manualConnect', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, { ...V4, manualConnect: true });
    assert.equal(subject.status().state, 'idle');
    const sent = subject.publishAsync('t', 'early', { qos: 1 });
    assert.equal(subject.connect(), subject);
    await once(subject, 'connect');
    await sent;
    assert.deepEqual(
      cluster.publishes.map(({ payload }) => payload),
      ['early'],
    );
  });

  test('ends with manualConnect before connect() was called', async () => {
    await using cluster = await aedesCluster(1);
    await using subject = client(cluster.urls, { ...V4, manualConnect: true });
    const sent = outcome(subject.publishAsync('t', '', { qos: 1 }));
    await subject.endAsync();
    assert.equal(await sent, 'ERR_ENDED');
  });

  test('connects again after end() when told to reconnect()', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, { ...V4, clientId: 'again' });
    await subject.subscribeAsync('t');
    await subject.endAsync();
    assert.equal(subject.status().state, 'closed');
    assert.equal(subject.reconnect(), subject);
    await once(subject, 'connect');
    await subject.publishAsync('t', 'back', { qos: 1 });
    assert.deepEqual(
      cluster.publishes.map(({ payload }) => payload),
      ['back'],
    );
    await until(() => subject.connected);
  });

  test('keeps what is queued when told to reconnect() during an outage', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { ...V4, ...hurried() });
    await once(subject, 'connect');
    await broker.stop();
    await once(subject, 'offline');
    const sent = subject.publishAsync('t', 'kept', { qos: 1 });
    await broker.restart();
    subject.reconnect();
    await sent;
    assert.deepEqual(payloads(broker), ['kept']);
  });

  test('drops QoS 0 while offline with queueQoSZero false, with its callback called', async () => {
    await using cluster = await aedesCluster(1);
    await using subject = client(cluster.urls, { ...V4, queueQoSZero: false });
    const [zero, one] = [
      outcome(subject.publishAsync('q0', '')),
      outcome(subject.publishAsync('q1', '', { qos: 1 })),
    ];
    assert.equal(await zero, 'No connection to broker');
    assert.equal(await one, 'ok');
    assert.equal(await outcome(subject.publishAsync('later', '')), 'ok');
    await until(() => cluster.publishes.length === 2);
    assert.deepEqual(
      cluster.publishes.map(({ topic }) => topic),
      ['q1', 'later'],
    );
  });

  test('does not restore subscriptions with resubscribe false', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { ...V4, resubscribe: false });
    await subject.subscribeAsync('t');
    broker.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('after', '', { qos: 1 });
    assert.deepEqual(commands(broker, 1), ['connect', 'publish']);
  });

  test('registers its will with every broker, and has it published when it vanishes', async () => {
    await using cluster = await aedesCluster(3);
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false } as const;
    await using watcher = client([cluster.at(1).url], { ...V4, clientId: 'watcher' });
    await watcher.subscribeAsync('will');
    await using subject = client(cluster.urls, { ...V4, clientId: 'mortal', will });
    await once(subject, 'connect');
    await cluster.at(0).kill();
    await once(subject, 'connect');
    const seen = once<[string, Buffer]>(watcher, 'message');
    await until(() => cluster.at(1).connected.has('mortal'));
    cluster.at(1).disconnect('mortal');
    const [topic, payload] = await seen;
    assert.deepEqual([topic, String(payload)], ['will', 'gone']);
  });

  test('carries MQTT 5 properties to the broker and back', async () => {
    await using broker = await scriptedBroker();
    const properties = { sessionExpiryInterval: 60, userProperties: { a: 'b' } };
    await using subject = client(twice(broker), { protocolVersion: 5, properties });
    await once(subject, 'connect');
    const connected = await broker.waitFor('connect');
    assert.equal(connected.properties?.sessionExpiryInterval, 60);
    assert.equal(connected.properties?.userProperties?.a, 'b');
    await subject.subscribeAsync('t', {
      qos: 1,
      nl: true,
      rap: true,
      rh: 1,
      properties: { subscriptionIdentifier: 9 },
    });
    const subscribed = await broker.waitFor('subscribe');
    assert.deepEqual({ ...subscribed.subscriptions[0] }, { topic: 't', qos: 1, nl: true, rap: true, rh: 1 });
    assert.deepEqual(subscribed.properties?.subscriptionIdentifier, 9);
    await subject.publishAsync('t', '', { qos: 1, properties: { responseTopic: 'r', contentType: 'c' } });
    const published = await broker.waitFor('publish');
    assert.deepEqual({ ...published.properties }, { responseTopic: 'r', contentType: 'c' });
    await subject.unsubscribeAsync('t', { properties: { userProperties: { c: 'd' } } });
    const unsubscribed = await broker.waitFor('unsubscribe');
    assert.equal(unsubscribed.properties?.userProperties?.c, 'd');
    const incoming = once<[string, Buffer, IPublishPacket]>(subject, 'message');
    broker.latest.send({
      cmd: 'publish',
      topic: 't',
      payload: 'x',
      qos: 0,
      dup: false,
      retain: false,
      properties: { correlationData: Buffer.from('id') },
    });
    const [, , packet] = await incoming;
    assert.equal(String(packet.properties?.correlationData), 'id');
  });

  test('resolves connectAsync with a connected client', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = disposable(await connectAsync(cluster.urls, { ...V4, backoff: QUICK }));
    assert.equal(subject.connected, true);
    assert.ok(subject instanceof MqttClient);
  });

  test("takes MQTT.js's own servers as a list", async () => {
    await using cluster = await aedesCluster(2);
    const servers = [...cluster].map(({ port }) => ({ host: '127.0.0.1', port, protocol: 'mqtt' as const }));
    const subject = disposable(connect({ servers, ...V4, selection: 'ordered', backoff: QUICK }));
    await using _ = subject;
    await once(subject, 'connect');
    await cluster.at(0).kill();
    await once(subject, 'connect');
    assert.equal(subject.status().current, `127.0.0.1:${cluster.at(1).port}`);
  });

  test('lets an application without an error listener live through a failure of everything', async () => {
    await using subject = client(['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'], V4);
    await once(subject, 'close');
    assert.equal(subject.connected, false);
  });
});

describe('what the package exports', () => {
  test('is all that mqtt exports, by name, with connect and connectAsync of our own', () => {
    const names = Object.keys(mqtt).filter((name) => name !== 'default');
    for (const name of names) {
      const here = (ours as Record<string, unknown>)[name];
      assert.ok(here !== undefined, `${name} is exported`);
      assert.equal(
        (failover as Record<string, unknown>)[name],
        here,
        `${name} is a member of the default export`,
      );
      if (name !== 'connect' && name !== 'connectAsync')
        assert.equal(here, (mqtt as unknown as Record<string, unknown>)[name], name);
    }
    assert.notEqual(ours.connect, mqtt.connect);
    assert.equal(failover.connect, connect);
  });
});

/** The events of MQTT.js, by name; packets with their kind. */
function record(subject: mqtt.MqttClient): string[] {
  const seen: string[] = [];
  for (const name of [
    'connect',
    'reconnect',
    'close',
    'offline',
    'disconnect',
    'end',
    'error',
    'message',
    'outgoingEmpty',
  ])
    subject.on(name as 'end', () => void seen.push(name));
  for (const name of ['packetsend', 'packetreceive'] as const)
    subject.on(name, ({ cmd }) => void seen.push(`${name} ${cmd ?? ''}`.trim()));
  return seen;
}

describe('one URL without options of ours', () => {
  /** Plays `scene` to MQTT.js and to ours, each with a broker of its own, and compares what it returns. */
  async function same<T>(
    scene: (open: typeof connect, broker: ScriptedBroker) => Promise<T>,
    script?: Parameters<typeof scriptedBroker>[0],
  ): Promise<T> {
    await using theirBroker = await scriptedBroker(script);
    await using ourBroker = await scriptedBroker(script);
    const [expected, actual] = await Promise.all([
      scene(mqtt.connect as unknown as typeof connect, theirBroker),
      scene(connect, ourBroker),
    ]);
    assert.deepEqual(actual, expected);
    return actual;
  }

  test('emits the same events in the same order over connect, drop, reconnect and end', async () => {
    const seen = await same(async (open, broker) => {
      await using subject = disposable(open(broker.url, { reconnectPeriod: 30 }));
      const events = record(subject);
      await subject.subscribeAsync('t', { qos: 1 });
      await subject.publishAsync('t', 'one', { qos: 2 });
      broker.latest.reset();
      await once(subject, 'offline');
      subject.publish('t', 'zero');
      await subject.publishAsync('t', 'while offline', { qos: 1 });
      await broker.waitFor(({ cmd }, { index }) => cmd === 'subscribe' && index === 1);
      await subject.endAsync();
      return [events, commands(broker, 0), commands(broker, 1)];
    });
    assert.ok(seen[0]?.includes('offline') && seen[0].includes('end'));
  });

  test('is refused, and stops, like MQTT.js', async () => {
    await same(
      async (open, broker) => {
        await using subject = disposable(open(broker.url, { reconnectPeriod: 10 }));
        const events = record(subject);
        const [error] = await once<[Error & { code: number }]>(subject, 'error');
        await once(subject, 'close');
        await new Promise(setImmediate);
        return [error.code, error.message, events, subject.reconnecting, broker.connects];
      },
      (packet, connection) => (packet.cmd === 'connect' ? refuse(connection, 4) : false),
    );
  });

  test('reconnects after 1000 ms, and no sooner', async () => {
    const waits = await Promise.all(
      [mqtt.connect, connect].map(async (open) => {
        await using broker = await scriptedBroker();
        await using subject = disposable(open(broker.url));
        await once(subject, 'connect');
        const lostAt = performance.now();
        broker.latest.reset();
        await once(subject, 'connect');
        return performance.now() - lostAt;
      }),
    );
    for (const wait of waits) assert.ok(wait >= 990 && wait < 5_000, `waited ${waits.map(Math.round)} ms`);
  });

  test('uses the caller options object itself in the one-object form, with the same changes to it', async () => {
    const changed = await same(async (open, broker) => {
      const options: IClientOptions = {
        host: '127.0.0.1',
        port: broker.port,
        clientId: 'same',
        reconnectPeriod: 10,
      };
      await using subject = disposable(open(options as FailoverOptions));
      assert.equal(subject.options, options);
      await once(subject, 'connect');
      const { port: _, ...rest } = options;
      return Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== 'function'));
    });
    assert.equal(changed.keepalive, 60);
  });

  test('leaves the options of the two-argument form alone, and makes the same of them', async () => {
    await same(async (open, broker) => {
      const given = Object.freeze({ clientId: 'same', reconnectPeriod: 10, username: 'u' });
      const url = broker.url.replace('//', '//other:secret@');
      await using subject = disposable(open(url, given));
      await once(subject, 'connect');
      const { port: _, href: __, host: ___, ...rest } = subject.options as Record<string, unknown>;
      const { username, password } = await broker.waitFor('connect');
      return [
        Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== 'function')),
        username,
        String(password),
      ];
    });
  });

  test('dials within the call', async () => {
    await same(async (open, broker) => {
      await using subject = disposable(open(broker.url));
      return [subject.stream !== undefined, subject.connected, subject.options.manualConnect];
    });
  });

  test('waits for connect() with manualConnect', async () => {
    await same(async (open, broker) => {
      await using subject = disposable(open(broker.url, { manualConnect: true }));
      const before = subject.stream === undefined;
      subject.connect();
      await once(subject, 'connect');
      return [before, subject.options.manualConnect];
    });
  });

  test('gives up with connectAsync at the first error', async () => {
    const attempt = async (open: typeof mqtt.connectAsync | typeof connectAsync) => {
      const error = await (open as typeof connectAsync)('mqtt://127.0.0.1:1').then(
        () => undefined,
        (reason: NodeJS.ErrnoException) => reason,
      );
      return [error?.code, error?.message];
    };
    assert.deepEqual(await attempt(connectAsync), await attempt(mqtt.connectAsync));
    await same(
      async (open, broker) => {
        const async = open === connect ? connectAsync : mqtt.connectAsync;
        const error = await (async as typeof connectAsync)(broker.url, {}, false).then(
          () => undefined,
          (reason: Error) => reason,
        );
        return error?.message;
      },
      (packet, connection) => {
        if (packet.cmd !== 'connect') return false;
        connection.end();
        return true;
      },
    );
  });

  test('is refused for an unknown scheme, which MQTT.js silently takes for mqtt', async () => {
    await using theirs = disposable(mqtt.connect('gopher://127.0.0.1', { manualConnect: true }));
    assert.equal(theirs.options.protocol, 'mqtt');
    assert.throws(() => connect('gopher://127.0.0.1'), {
      code: 'ERR_OPTION',
    } satisfies Partial<FailoverError>);
  });

  test('arms no timer beyond those of MQTT.js', async (t) => {
    const armed = await same(async (open, broker) => {
      // Only what is armed within connect() itself: everything later is MQTT.js's own code in both.
      const timers = [t.mock.method(globalThis, 'setTimeout'), t.mock.method(globalThis, 'setInterval')];
      const made = open(broker.url);
      const delays = timers.flatMap(({ mock }) => mock.calls.map((call) => call.arguments[1]));
      t.mock.restoreAll();
      await using subject = disposable(made);
      await once(subject, 'connect');
      return delays;
    });
    assert.deepEqual(armed, [30_000]);
  });

  test('leaves nothing open behind end()', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const subject = connect(broker.url);
    await once(subject, 'connect');
    await subject.endAsync();
    await expectNoNewHandles(before);
  });

  test('tells its state, home and endpoint in status()', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection) : false,
    );
    await using subject = disposable(
      connect(broker.url, { clientId: 'plain', username: 'u', password: 'secret' }),
    );
    await once(subject, 'connect');
    const status = subject.status();
    const id = `127.0.0.1:${broker.port}`;
    assert.deepEqual(
      [status.state, status.clientId, status.current, status.home, status.endpoints.map(({ id }) => id)],
      ['connected', 'plain', id, id, [id]],
    );
    assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
    assert.doesNotMatch(JSON.stringify(status), /secret/);
    await subject.endAsync();
    assert.equal(subject.status().state, 'closed');
  });
});
