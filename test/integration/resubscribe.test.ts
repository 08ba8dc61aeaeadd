/**
 * Subscriptions after a fail-over: what the next broker is asked for, and what happens when it says no.
 *
 * World: scripted brokers, mostly one behind two endpoints, whose answers differ by connection; and one aedes broker
 * behind two doors for what a third party sees of a fail-over.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailoverEvents, ReceivedPublish } from '../../src/index.js';
import { aedesBroker } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { type ScriptedBroker, type ScriptedConnection, scriptedBroker } from '../support/scripted-broker.js';
import { accept, client, commands, hurried, plainMqtt, twice, within } from './world.js';

const V5 = { protocolVersion: 5 } as const;
/** Where time passes faster, a busy machine looks like a dead broker, and one dial is overtaken by the next. */
const PATIENT = {
  dial: { race: 1 },
  liveness: { suspectAfterMs: 60_000, pingTimeoutMs: 60_000, maxMs: 60_000 },
};
const FAST = { ...PATIENT, ...hurried(10) };

/** Filters of each SUBSCRIBE of the nth connection, in order. */
function asked(broker: ScriptedBroker, connection: number): string[] {
  return broker.received
    .filter((each) => each.connection === connection)
    .flatMap(({ packet }) =>
      packet.cmd === 'subscribe' ? [packet.subscriptions.map(({ topic }) => topic).join()] : [],
    );
}

describe('a filter that the next broker refuses', () => {
  for (const protocolVersion of [4, 5] as const) {
    test(`while it starts is asked for until it is granted, and nothing waits for it, MQTT ${protocolVersion} (R72)`, async () => {
      let refusals = 2;
      await using broker = await scriptedBroker((packet, connection) => {
        if (packet.cmd !== 'subscribe' || connection.index === 0 || refusals === 0) return false;
        const granted = packet.subscriptions.map(({ topic }) => (topic === 'slow' ? 0x80 : 0));
        if (granted.includes(0x80)) refusals -= 1;
        connection.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
        return true;
      });
      await using subject = client(twice(broker), { protocolVersion, ...FAST });
      const refused = collect<FailoverEvents['subscription-refused']>(subject, 'subscription-refused');
      await subject.subscribeAsync(['fine', 'slow']);
      broker.latest.reset();
      await within(subject.publishAsync('t', 'x', { qos: 1 }), 'a publish after the fail-over');
      await until(() => asked(broker, 1).length === 3);
      assert.deepEqual(asked(broker, 1), ['fine,slow', 'slow', 'slow']);
      assert.deepEqual(
        refused,
        Array(2).fill({ filter: 'slow', code: 0x80, willRetry: true, endpoint: subject.status().current }),
      );
      assert.ok(commands(broker, 1).indexOf('publish') < commands(broker, 1).lastIndexOf('subscribe'));
    });
  }

  test('as it announced is not sent there, and is on the next one (R121)', async () => {
    const few = {
      sharedSubscriptionAvailable: false,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
    };
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect'
        ? accept(connection, { properties: connection.index === 1 ? few : {} })
        : false,
    );
    await using subject = client(twice(broker), { ...V5, ...FAST });
    const refused = collect<FailoverEvents['subscription-refused']>(subject, 'subscription-refused');
    await subject.subscribeAsync(['plain', 'wild/#', '$share/g/t'], {
      properties: { subscriptionIdentifier: 9 },
    });
    for (const connection of [1, 2]) {
      broker.latest.reset();
      await until(() => asked(broker, connection).length > 0);
    }
    assert.deepEqual([asked(broker, 1), asked(broker, 2)], [['plain'], ['plain,wild/#,$share/g/t']]);
    assert.deepEqual(
      broker.packets('subscribe').map(({ properties }) => properties?.subscriptionIdentifier),
      [9, undefined, 9],
    );
    assert.deepEqual(
      refused.map(({ filter, code, willRetry }) => [filter, code, willRetry]),
      [
        ['wild/#', 0xa2, true],
        ['$share/g/t', 0x9e, true],
      ],
    );
  });
});

describe('a resumed session', () => {
  test('is told of an unsubscribe that was made offline, and of nothing else (R118)', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection, { sessionPresent: connection.index > 0 }) : false,
    );
    await using subject = client(twice(broker), { ...V5, clean: false, clientId: 'lasting', ...FAST });
    await subject.subscribeAsync(['keep', 'leave']);
    await broker.stop();
    await once(subject, 'offline');
    const left = subject.unsubscribeAsync('leave');
    await broker.restart();
    await left;
    await subject.publishAsync('t', 'x', { qos: 1 });
    assert.deepEqual(commands(broker, 1), ['connect', 'unsubscribe', 'publish']);
  });
});

describe('a retained message', () => {
  const retained = (connection: ScriptedConnection, payload: string) =>
    connection.send({ cmd: 'publish', topic: 's', payload, qos: 0, retain: true, dup: false });

  for (const [what, sessionPresent, marks] of [
    [
      'a new session after a fail-over is marked, those before and live ones are not',
      false,
      [undefined, true, undefined],
    ],
    ['a resumed session is not marked', true, [undefined, undefined, undefined]],
  ] as const) {
    test(`of ${what} (R120)`, async () => {
      await using broker = await scriptedBroker((packet, connection) => {
        if (packet.cmd !== 'connect') return false;
        return accept(connection, { sessionPresent: sessionPresent && connection.index > 0 });
      });
      await using subject = client(twice(broker), { ...V5, clean: !sessionPresent, clientId: 'c' });
      const received: [string, true | undefined, boolean][] = [];
      subject.on('message', (_topic, payload, packet: ReceivedPublish) =>
        received.push([String(payload), packet.afterFailover, packet.retain]),
      );
      await subject.subscribeAsync('s');
      retained(broker.latest, 'first');
      await until(() => received.length === 1);
      broker.latest.reset();
      await once(subject, 'connect');
      retained(broker.latest, 'again');
      broker.latest.send({ cmd: 'publish', topic: 's', payload: 'live', qos: 0, retain: false, dup: false });
      await until(() => received.length === 3);
      assert.deepEqual(received, [
        ['first', marks[0], true],
        ['again', marks[1], true],
        ['live', marks[2], false],
      ]);
    });
  }
});

describe('an unplanned fail-over, seen by others', () => {
  test('is the will, then the birth message of the `connect` handler (R113)', async () => {
    await using broker = await aedesBroker();
    await using first = await faultProxy(broker.port);
    await using second = await faultProxy(broker.port);
    await using watcher = plainMqtt(broker.url, { protocolVersion: 4 });
    const seen: string[] = [];
    watcher.on('message', (_topic, payload) => seen.push(String(payload)));
    await watcher.subscribeAsync('status/#', { qos: 1 });
    await using subject = client([first.url, second.url], {
      protocolVersion: 4,
      clientId: 'device',
      will: { topic: 'status/device', payload: Buffer.from('offline'), qos: 1, retain: true },
    });
    subject.on('connect', () => subject.publish('status/device', 'online', { qos: 1, retain: true }));
    await until(() => seen.length === 1);
    await first.refuse();
    first.rst();
    await until(() => seen.length === 3, { what: () => `will and birth, seen: ${seen}` });
    assert.deepEqual(seen, ['online', 'offline', 'online']);
  });
});
