/**
 * What was published arrives, once it may, in order; and whoever published it hears exactly one answer.
 *
 * The world: scripted brokers that hold, refuse or forget acknowledgements, mostly one broker behind two endpoints so
 * that the client is back at once; and, for the random part, real brokers (aedes) that die and come back.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailoverError, FailoverEvents } from '../../src/index.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { type ScriptedBroker, type ScriptedConnection, scriptedBroker } from '../support/scripted-broker.js';
import { SeededRandom } from '../support/seeded-random.js';
import { accept, client, commands, hurried, outcome, payloads, publishes, twice, within } from './world.js';

const V5 = { protocolVersion: 5 } as const;
/** A client whose session can be resumed. */
const LASTING = { clean: false, clientId: 'lasting' } as const;

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

/** Answers CONNECT with Session Present from the second connection on if `keeps`, and no PUBLISH of the first. */
function holding(keeps: boolean): Promise<ScriptedBroker> {
  return scriptedBroker((packet, connection) => {
    if (packet.cmd === 'connect')
      return accept(connection, { sessionPresent: keeps && connection.index > 0 });
    return packet.cmd === 'publish' && connection.index === 0;
  });
}

function acknowledge(connection: ScriptedConnection, messageId = 0): void {
  connection.send({ cmd: 'puback', messageId, reasonCode: 0 });
}

describe('the order of publishes', () => {
  test('is kept across QoS 0, 1 and 2 while connected', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    const sent = numbers(60).map((text, i) => subject.publishAsync('t', text, { qos: (i % 3) as 0 | 1 | 2 }));
    await Promise.all(sent);
    assert.deepEqual(payloads(broker), numbers(60));
  });

  test('is kept across QoS 0, 1 and 2 and a subscription before the first connection', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { manualConnect: true });
    const sent = numbers(60).map((text, i) => subject.publishAsync('t', text, { qos: (i % 3) as 0 | 1 | 2 }));
    sent.push(subject.subscribeAsync('s') as never);
    subject.connect();
    await Promise.all(sent);
    assert.deepEqual(payloads(broker), numbers(60));
    assert.deepEqual(commands(broker, 0).slice(0, 3), ['connect', 'subscribe', 'publish']);
  });

  test('is kept over an outage: in flight, then queued, then new', async () => {
    await using broker = await holding(false);
    await using subject = client(twice(broker), hurried());
    await once(subject, 'connect');
    const inFlight = ['a1', 'a2', 'a3'].map((text) => subject.publishAsync('t', text, { qos: 1 }));
    await until(() => publishes(broker).length === 3);
    await broker.stop();
    await once(subject, 'offline');
    const queued = (
      [
        ['b1', 0],
        ['b2', 1],
        ['b3', 2],
        ['b4', 0],
      ] as const
    ).map(([text, qos]) => subject.publishAsync('t', text, { qos }));
    subject.once('connect', () => subject.publish('t', 'c1', { qos: 1 }));
    await broker.restart();
    await Promise.all([...inFlight, ...queued]);
    await until(() => payloads(broker, 1).length === 8);
    assert.deepEqual(payloads(broker, 1), ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'b4', 'c1']);
  });

  test('survives another failure in the middle of the replay', async () => {
    // A third one, with the same message alone on the wire, would make it a poison message.
    let cut = 2;
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'publish' || cut === 0 || publishes(broker, connection.index).length < 4)
        return false;
      cut -= 1;
      connection.reset();
      return true;
    });
    await using subject = client(twice(broker), { ...V5, manualConnect: true, ...hurried() });
    const sent = numbers(20).map((text) => subject.publishAsync('t', text, { qos: 1 }));
    subject.connect();
    await within(Promise.all(sent), 'all publishes');
    assert.deepEqual([...new Set(payloads(broker))], numbers(20));
  });

  test('of QoS 0 is kept with their callbacks when the socket is slow', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    broker.latest.pause();
    const body = 'x'.repeat(20_000);
    const order: number[] = [];
    const sent = Array.from({ length: 300 }, (_, i) =>
      subject.publishAsync(`t/${i}`, body).then(() => order.push(i)),
    );
    broker.latest.resume();
    await within(Promise.all(sent), 'the callbacks');
    await until(() => publishes(broker).length === 300);
    assert.deepEqual(order, numbers(300).map(Number));
    assert.deepEqual(
      publishes(broker).map(({ topic }) => topic),
      numbers(300).map((n) => `t/${n}`),
    );
  });
});

describe('QoS 1 and 2 in flight when the connection breaks', () => {
  async function interrupted(broker: ScriptedBroker, options = {}) {
    const subject = client(twice(broker), { ...LASTING, ...options });
    await once(subject, 'connect');
    const sent = [1, 2, 1, 2, 1].map((qos, i) => subject.publishAsync('t', `${i}`, { qos: qos as 1 | 2 }));
    await until(() => publishes(broker).length === 5);
    const queued = () => subject.publishAsync('t', 'queued', { qos: 1 });
    return { subject, sent, queued };
  }

  test('are published again as new, before the queue, when the session is gone', async () => {
    await using broker = await holding(false);
    const { subject, sent, queued } = await interrupted(broker);
    await using _ = subject;
    broker.latest.reset();
    sent.push(queued());
    await Promise.all(sent);
    const again = publishes(broker, 1);
    assert.deepEqual(
      again.map(({ payload, dup }) => [String(payload), dup]),
      [...numbers(5), 'queued'].map((text) => [text, false]),
    );
    const old = new Set(publishes(broker, 0).map(({ messageId }) => messageId));
    assert.ok(again.every(({ messageId }) => !old.has(messageId)));
  });

  test('are resent with their ids and DUP, before the queue, when the session is there', async () => {
    await using broker = await holding(true);
    const { subject, sent, queued } = await interrupted(broker);
    await using _ = subject;
    // What is published now was never on a wire: no DUP.
    const offline = once(subject, 'offline').then(queued);
    broker.latest.reset();
    await Promise.all([...sent, offline]);
    const ids = publishes(broker, 0).map(({ messageId }) => messageId);
    assert.deepEqual(
      publishes(broker, 1).map(({ payload, dup, messageId }) => [String(payload), dup, messageId]),
      [
        ...numbers(5).map((text, i) => [text, true, ids[i]]),
        ['queued', false, publishes(broker, 1).at(-1)?.messageId],
      ],
    );
    assert.ok(!ids.includes(publishes(broker, 1).at(-1)?.messageId));
  });

  test('are resent in one window, not one a round trip', async () => {
    // Acknowledges nothing on the second connection until all 100 are there: one at a time would never end.
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { sessionPresent: connection.index > 0 });
      if (packet.cmd !== 'publish') return false;
      const here = publishes(broker, connection.index);
      if (connection.index === 1 && here.length === 100)
        for (const { messageId } of here) acknowledge(connection, messageId);
      return true;
    });
    await using subject = client(twice(broker), LASTING);
    await once(subject, 'connect');
    const sent = numbers(100).map((text) => subject.publishAsync('t', text, { qos: 1 }));
    await until(() => publishes(broker, 0).length === 100);
    broker.latest.reset();
    await within(Promise.all(sent), '100 acknowledgements');
    assert.deepEqual(payloads(broker, 1), numbers(100));
  });

  test('are resent within the Receive Maximum of the new connection', async () => {
    let most = 0;
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') {
        const { index } = connection;
        return accept(connection, {
          sessionPresent: index > 0,
          properties: index > 0 ? { receiveMaximum: 3 } : {},
        });
      }
      if (packet.cmd !== 'publish') return false;
      if (connection.index === 0) return true;
      const acknowledged = broker.packets('publish').length;
      most = Math.max(most, acknowledged);
      return true;
    });
    await using subject = client(twice(broker), { ...LASTING, ...V5 });
    await once(subject, 'connect');
    const sent = numbers(10).map((text) => subject.publishAsync('t', text, { qos: 1 }));
    await until(() => publishes(broker, 0).length === 10);
    broker.latest.reset();
    for (let done = 0; done < 10; done += 1) {
      const expected = Math.min(10, done + 3);
      await until(() => publishes(broker, 1).length >= expected);
      subject.sendPing();
      await broker.waitForNext('pingreq');
      assert.equal(publishes(broker, 1).length, expected);
      acknowledge(broker.latest, publishes(broker, 1)[done]?.messageId);
    }
    await Promise.all(sent);
    assert.deepEqual(payloads(broker, 1), numbers(10));
  });

  for (const keeps of [true, false]) {
    test(`have their callbacks called once each (Session Present ${keeps ? 1 : 0})`, async () => {
      await using broker = await holding(keeps);
      await using subject = client(twice(broker), LASTING);
      await once(subject, 'connect');
      const calls = new Array<number>(20).fill(0);
      for (let i = 0; i < 20; i += 1) {
        subject.publish('t', `${i}`, { qos: i % 2 === 0 ? 1 : 2 }, (error) => {
          assert.equal(error ?? null, null);
          (calls as number[])[i] = (calls[i] ?? 0) + 1;
        });
      }
      await until(() => publishes(broker).length === 20);
      broker.latest.reset();
      await until(() => calls.every((count) => count > 0));
      await subject.publishAsync('t', 'last', { qos: 1 });
      assert.deepEqual(calls, new Array(20).fill(1));
    });
  }

  test('are not resent while the connection holds', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'publish');
    await using subject = client(twice(broker), { ...LASTING, ...hurried(20) });
    await once(subject, 'connect');
    subject.publish('t', 'slow', { qos: 1 });
    await broker.waitFor('pingreq');
    await broker.waitForNext('pingreq');
    assert.equal(publishes(broker).length, 1);
  });
});

describe('QoS 2 past PUBREC when the connection breaks', () => {
  /** Says PUBREC and nothing after it on its first connection. */
  const halfway = (keeps: boolean) =>
    scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect')
        return accept(connection, { sessionPresent: keeps && connection.index > 0 });
      return packet.cmd === 'pubrel' && connection.index === 0;
    });

  test('goes on with PUBREL, and no second PUBLISH, when the session is there', async () => {
    await using broker = await halfway(true);
    await using subject = client(twice(broker), LASTING);
    await once(subject, 'connect');
    const uncertain = collect(subject, 'uncertain');
    const sent = subject.publishAsync('t', 'once', { qos: 2 });
    const { messageId } = await broker.waitFor('pubrel');
    broker.latest.reset();
    await sent;
    assert.deepEqual(commands(broker, 1), ['connect', 'pubrel']);
    assert.equal(broker.packets('pubrel')[1]?.messageId, messageId);
    assert.deepEqual(uncertain, []);
  });

  test('is published again, and told as uncertain, when the session is gone', async () => {
    await using broker = await halfway(false);
    await using subject = client(twice(broker), LASTING);
    await once(subject, 'connect');
    const uncertain = collect<FailoverEvents['uncertain']>(subject, 'uncertain');
    const sent = subject.publishAsync('t', 'maybe twice', { qos: 2 });
    await broker.waitFor('pubrel');
    broker.latest.reset();
    await sent;
    assert.deepEqual(commands(broker, 1), ['connect', 'publish', 'pubrel']);
    assert.equal(publishes(broker, 1)[0]?.dup, false);
    const [{ topic, qos, action, reason } = {} as FailoverEvents['uncertain']] = uncertain;
    assert.deepEqual([uncertain.length, topic, qos, action], [1, 't', 2, 'republished']);
    assert.match(reason, /PUBREC/);
  });

  test("is settled with ERR_DELIVERY_UNCERTAIN instead with outbox.qos2 'reject'", async () => {
    await using broker = await halfway(false);
    await using subject = client(twice(broker), { ...LASTING, outbox: { qos2: 'reject' } });
    await once(subject, 'connect');
    const uncertain = collect<FailoverEvents['uncertain']>(subject, 'uncertain');
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    const sent = outcome(subject.publishAsync('t', 'maybe once', { qos: 2 }));
    await broker.waitFor('pubrel');
    broker.latest.reset();
    assert.equal(await sent, 'ERR_DELIVERY_UNCERTAIN');
    await subject.publishAsync('t', 'after', { qos: 1 });
    assert.deepEqual(payloads(broker, 1), ['after']);
    assert.deepEqual(
      uncertain.map(({ action }) => action),
      ['rejected'],
    );
    assert.deepEqual(
      dropped.map(({ reason, error }) => [reason, error.code]),
      [['rejected', 'ERR_DELIVERY_UNCERTAIN']],
    );
  });
});

describe('subscriptions', () => {
  test('are restored with their options before anything is published', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { ...V5, ...hurried() });
    await subject.subscribeAsync('a', {
      qos: 1,
      nl: true,
      rap: true,
      rh: 2,
      properties: { subscriptionIdentifier: 4 },
    });
    await subject.subscribeAsync({ b: { qos: 2 }, c: { qos: 0 } });
    await subject.unsubscribeAsync('c');
    await broker.stop();
    await once(subject, 'offline');
    const sent = subject.publishAsync('t', '', { qos: 1 });
    await broker.restart();
    await sent;
    const order = commands(broker, 1);
    assert.ok(order.lastIndexOf('subscribe') < order.indexOf('publish'), order.join());
    const restored = broker.received
      .filter(({ connection }) => connection === 1)
      .flatMap(({ packet }) =>
        packet.cmd === 'subscribe'
          ? packet.subscriptions.map((each) => ({ ...each, id: packet.properties?.subscriptionIdentifier }))
          : [],
      )
      .sort((one, two) => (one.topic < two.topic ? -1 : 1));
    assert.deepEqual(
      restored.map(({ topic, qos, nl, rap, rh, id }) => [topic, qos, nl, rap, rh, id]),
      [
        ['a', 1, true, true, 2, 4],
        ['b', 2, false, false, 0, undefined],
      ],
    );
  });

  test('are acknowledged before the queue is sent', async () => {
    let release = () => {};
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'subscribe' || connection.index === 0) return false;
      const { messageId = 0 } = packet;
      release = () => connection.send({ cmd: 'suback', messageId, granted: [0] });
      return true;
    });
    await using subject = client(twice(broker));
    await subject.subscribeAsync('s');
    broker.latest.reset();
    const sent = subject.publishAsync('t', 'queued', { qos: 1 });
    await broker.waitFor((packet, { index }) => packet.cmd === 'subscribe' && index === 1);
    subject.sendPing();
    await broker.waitForNext('pingreq');
    assert.deepEqual(payloads(broker), []);
    release();
    await sent;
  });

  test('are not sent again when the session is there, but what was asked for offline is', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection, { sessionPresent: connection.index > 0 }) : false,
    );
    await using subject = client(twice(broker), { ...LASTING, ...hurried() });
    await subject.subscribeAsync(['keep', 'leave']);
    await broker.stop();
    await once(subject, 'offline');
    const asked = [subject.unsubscribeAsync('leave'), subject.subscribeAsync('more', { qos: 1 })];
    await broker.restart();
    await Promise.all(asked);
    assert.deepEqual(commands(broker, 1), ['connect', 'unsubscribe', 'subscribe']);
    assert.deepEqual(broker.packets('unsubscribe')[0]?.unsubscriptions, ['leave']);
    assert.deepEqual(
      broker.packets('subscribe')[1]?.subscriptions.map(({ topic, qos }) => [topic, qos]),
      [['more', 1]],
    );
  });

  test('asked for while offline are granted once there is a broker', async () => {
    await using cluster = await aedesCluster(2);
    await Promise.all([...cluster].map((broker) => broker.kill()));
    await using subject = client(cluster.urls, { protocolVersion: 4, clientId: 'early', ...hurried() });
    const granted = subject.subscribeAsync('t', { qos: 1 });
    await once(subject, 'error');
    await cluster.at(1).revive();
    assert.deepEqual(await granted, [{ topic: 't', qos: 1 }]);
    const message = once<[string, Buffer]>(subject, 'message');
    await cluster.at(1).publish('t', 'hello');
    assert.equal(String((await message)[1]), 'hello');
  });

  test('that were cancelled while offline are gone on the next broker', async () => {
    await using cluster = await aedesCluster(2);
    await using subject = client(cluster.urls, { protocolVersion: 4, clientId: 'cancel' });
    await subject.subscribeAsync(['stay', 'go']);
    await cluster.at(0).kill();
    await once(subject, 'close');
    await subject.unsubscribeAsync('go');
    await until(() => cluster.at(1).subscribedTopics('cancel').size > 0);
    assert.deepEqual([...cluster.at(1).subscribedTopics('cancel').keys()], ['stay']);
  });

  test('are asked for again when the connection breaks before the answer', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'subscribe' || connection.index > 0) return false;
      connection.reset();
      return true;
    });
    await using subject = client(twice(broker));
    assert.deepEqual(await within(subject.subscribeAsync('t', { qos: 1 }), 'the answer'), [
      { topic: 't', qos: 1 },
    ]);
  });

  test('deliver messages of the new broker after a fail-over', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.urls, { protocolVersion: 4, clientId: 'follower' });
    await subject.subscribeAsync('in/#', { qos: 1 });
    await cluster.at(0).kill();
    await until(() => cluster.at(1).subscribedTopics('follower').has('in/#'));
    const message = once<[string, Buffer]>(subject, 'message');
    await cluster.at(1).publish('in/a', 'from the second', { qos: 1 });
    assert.equal(String((await message)[1]), 'from the second');
  });

  test('refused after a fail-over do not take their neighbours with them', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'subscribe' || connection.index !== 1) return false;
      const granted = packet.subscriptions.map(({ topic }) => (topic === 'b' ? 0x80 : 0));
      connection.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
      return true;
    });
    await using subject = client(twice(broker), { ...V5, ...hurried() });
    await subject.subscribeAsync(['a', 'b', 'c']);
    broker.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('settled', '', { qos: 1 });
    broker.latest.reset();
    await once(subject, 'connect');
    await subject.publishAsync('settled', '', { qos: 1 });
    const third = broker.received
      .filter(({ connection }) => connection === 2)
      .flatMap(({ packet }) =>
        packet.cmd === 'subscribe' ? packet.subscriptions.map(({ topic }) => topic) : [],
      );
    assert.ok(third.includes('a') && third.includes('c'), third.join());
  });
});

describe('Receive Maximum', () => {
  test('holds back QoS 1 and 2, and nothing else', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { properties: { receiveMaximum: 5 } });
      return packet.cmd === 'publish' && packet.qos > 0;
    });
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    const open = new Set<number>();
    let most = 0;
    for (let i = 0; i < 30; i += 1) subject.publish('t', `${i}`, { qos: i % 2 === 0 ? 1 : 2 });
    const subscribed = subject.subscribeAsync('s');
    await until(() => publishes(broker).length === 5);
    await within(subscribed, 'SUBACK while the window is full');
    const { script } = broker;
    broker.script = (packet, connection) => {
      if (packet.cmd === 'publish') {
        open.add(packet.messageId ?? 0);
        most = Math.max(most, open.size);
      }
      return script?.(packet, connection) === true;
    };
    for (const { messageId = 0 } of publishes(broker)) open.add(messageId);
    for (let i = 0; i < 30; i += 1) {
      await until(() => publishes(broker).length > i);
      const { messageId = 0, qos } = publishes(broker)[i] ?? {};
      if (qos === 2) {
        broker.latest.send({ cmd: 'pubrec', messageId, reasonCode: 0 });
        await broker.waitFor((packet) => packet.cmd === 'pubrel' && packet.messageId === messageId);
        open.delete(messageId);
        // The default answer to PUBREL was PUBCOMP.
      } else {
        open.delete(messageId);
        acknowledge(broker.latest, messageId);
      }
    }
    assert.ok(most <= 5, `${most} in flight`);
    assert.equal(publishes(broker).length, 30);
  });

  test('of one broker does not bind the next', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect')
        return accept(connection, { properties: connection.index === 0 ? { receiveMaximum: 1 } : {} });
      return packet.cmd === 'publish';
    });
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    for (const text of numbers(10)) subject.publish('t', text, { qos: 1 });
    await until(() => publishes(broker, 0).length === 1);
    broker.latest.reset();
    await until(() => publishes(broker, 1).length === 10);
  });

  test('is given back by a refusal of PUBREC', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { properties: { receiveMaximum: 1 } });
      if (packet.cmd !== 'publish') return false;
      connection.send({ cmd: 'pubrec', messageId: packet.messageId ?? 0, reasonCode: 0x87 });
      return true;
    });
    await using subject = client(twice(broker), V5);
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    const told = await within(
      Promise.all(numbers(3).map((text) => outcome(subject.publishAsync('t', text, { qos: 2 })))),
      'three refusals',
    );
    assert.ok(told.every((text) => text !== 'ok'));
    assert.deepEqual(
      dropped.map(({ reason }) => reason),
      ['rejected', 'rejected', 'rejected'],
    );
  });
});

describe('message expiry', () => {
  test('on the wire is what is left of it after waiting', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { ...V5, ...hurried(20), manualConnect: true });
    const sent = subject.publishAsync('t', '', { qos: 1, properties: { messageExpiryInterval: 30 } });
    // Ten of the thirty seconds, on this clock.
    await new Promise((resolve) => setTimeout(resolve, 10_000 / 20));
    subject.connect();
    await sent;
    const left = publishes(broker)[0]?.properties?.messageExpiryInterval ?? 0;
    assert.ok(left >= 15 && left <= 20, `${left} s left`);
  });

  test('that has passed rejects the message instead of sending it', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { ...V5, ...hurried(20), manualConnect: true });
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    const sent = [
      outcome(subject.publishAsync('t', 'stale', { qos: 1, properties: { messageExpiryInterval: 2 } })),
      outcome(subject.publishAsync('t', 'fresh', { qos: 1 })),
    ];
    await new Promise((resolve) => setTimeout(resolve, 3_000 / 20));
    subject.connect();
    assert.deepEqual(await Promise.all(sent), ['ERR_EXPIRED', 'ok']);
    assert.deepEqual(payloads(broker), ['fresh']);
    assert.deepEqual(
      dropped.map(({ reason }) => reason),
      ['expired'],
    );
  });

  test('is taken as it is for a message that need not wait', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    await subject.publishAsync('t', '', { qos: 1, properties: { messageExpiryInterval: 30 } });
    assert.equal(publishes(broker)[0]?.properties?.messageExpiryInterval, 30);
  });
});

describe('topic aliases', () => {
  test('end with the connection, the topic does not', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection, { properties: { topicAliasMaximum: 10 } }) : false,
    );
    await using subject = client(twice(broker), { ...V5, ...hurried() });
    await once(subject, 'connect');
    await subject.publishAsync('long/topic', '1', { qos: 1, properties: { topicAlias: 1 } });
    await broker.stop();
    await once(subject, 'offline');
    const sent = subject.publishAsync('', '2', { qos: 1, properties: { topicAlias: 1 } });
    await broker.restart();
    await sent;
    assert.equal(publishes(broker, 1)[0]?.topic, 'long/topic');
  });
});

describe('a full outbox', () => {
  type Sent = readonly [topic: string, payload: string, qos: 0 | 1 | 2];

  /** Publishes offline, then connects: what each publish was told, what arrived, and what was reported as dropped. */
  async function fill(options: object, messages: readonly Sent[]) {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { manualConnect: true, outbox: options });
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    const told = messages.map(([topic, payload, qos]) =>
      outcome(subject.publishAsync(topic, payload, { qos })),
    );
    const { messages: waiting } = subject.status().outbox;
    subject.connect();
    const settled = await Promise.all(told);
    await until(() => publishes(broker).length === settled.filter((text) => text === 'ok').length);
    return {
      told: settled,
      waiting,
      arrived: payloads(broker),
      dropped: dropped.map(({ reason, error }) => `${reason} ${error.code}`),
    };
  }

  const one = (text: string): Sent => ['t', text, 1];
  const zero = (text: string): Sent => ['t', text, 0];

  test("refuses the newcomer with 'reject-new', the default", async () => {
    assert.deepEqual(await fill({ maxMessages: 2 }, [one('a'), one('b'), one('c')]), {
      told: ['ok', 'ok', 'ERR_OVERFLOW'],
      waiting: 2,
      arrived: ['a', 'b'],
      dropped: ['overflow ERR_OVERFLOW'],
    });
  });

  test("evicts QoS 0 for QoS 1 with 'reject-new'", async () => {
    const { told, arrived } = await fill({ maxMessages: 2 }, [zero('a'), one('b'), one('c'), zero('d')]);
    assert.deepEqual(told, ['ERR_OVERFLOW', 'ok', 'ok', 'ERR_OVERFLOW']);
    assert.deepEqual(arrived, ['b', 'c']);
  });

  test("evicts the oldest with 'drop-oldest'", async () => {
    const result = await fill({ maxMessages: 2, overflow: 'drop-oldest' }, [
      one('a'),
      zero('b'),
      one('c'),
      one('d'),
    ]);
    assert.deepEqual(result.told, ['ERR_OVERFLOW', 'ERR_OVERFLOW', 'ok', 'ok']);
    assert.deepEqual(result.arrived, ['c', 'd']);
    assert.equal(result.dropped.length, 2);
  });

  test("evicts the oldest of QoS 0, and refuses without one, with 'drop-oldest-qos0'", async () => {
    const result = await fill({ maxMessages: 2, overflow: 'drop-oldest-qos0' }, [
      one('a'),
      zero('b'),
      one('c'),
      one('d'),
      zero('e'),
    ]);
    assert.deepEqual(result.told, ['ok', 'ERR_OVERFLOW', 'ok', 'ERR_OVERFLOW', 'ERR_OVERFLOW']);
    assert.deepEqual(result.arrived, ['a', 'c']);
  });

  test("keeps only the newest of each topic with 'latest-per-topic'", async () => {
    const result = await fill({ maxMessages: 2, overflow: 'latest-per-topic' }, [
      ['x', 'x1', 1],
      ['y', 'y1', 0],
      ['x', 'x2', 1],
      ['y', 'y2', 1],
      ['z', 'z1', 1],
    ]);
    assert.deepEqual(result.told, ['ERR_OVERFLOW', 'ERR_OVERFLOW', 'ok', 'ok', 'ERR_OVERFLOW']);
    assert.deepEqual(result.arrived, ['x2', 'y2']);
    assert.equal(result.dropped.length, 3);
  });

  test('counts bytes of topic and payload', async () => {
    const { told, arrived } = await fill({ maxBytes: 20 }, [one('123456789'), one('123456789'), one('1')]);
    assert.deepEqual(told, ['ok', 'ok', 'ERR_OVERFLOW']);
    assert.equal(arrived.length, 2);
  });

  test('refuses at once what can never fit', async () => {
    const { told, dropped } = await fill({ maxBytes: 20, overflow: 'drop-oldest' }, [
      one('a'),
      one('x'.repeat(20)),
    ]);
    assert.deepEqual(told, ['ok', 'ERR_TOO_LARGE']);
    assert.deepEqual(dropped, ['too-large ERR_TOO_LARGE']);
  });

  test('counts what is in flight', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'publish');
    await using subject = client(twice(broker), { outbox: { maxMessages: 3 } });
    await once(subject, 'connect');
    for (const text of numbers(3)) subject.publish('t', text, { qos: 1 });
    await until(() => publishes(broker).length === 3);
    await broker.stop();
    await once(subject, 'offline');
    assert.equal(await outcome(subject.publishAsync('t', 'one too many', { qos: 1 })), 'ERR_OVERFLOW');
    assert.equal(subject.status().outbox.messages, 3);
  });

  test('rejects what waits longer than maxAgeMs, without a connection', async () => {
    await using subject = client(['mqtt://127.0.0.1:1'], { manualConnect: true, outbox: { maxAgeMs: 40 } });
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    const startedAt = performance.now();
    const told = await Promise.all(
      numbers(3).map((text) => outcome(subject.publishAsync('t', text, { qos: 1 }))),
    );
    assert.deepEqual(told, ['ERR_EXPIRED', 'ERR_EXPIRED', 'ERR_EXPIRED']);
    assert.ok(performance.now() - startedAt >= 35);
    assert.equal(dropped.length, 3);
    assert.deepEqual(subject.status().outbox, { messages: 0, bytes: 0, oldestAgeMs: 0 });
  });

  test('reports what is rejected even if nobody waits for it', async () => {
    await using subject = client(['mqtt://127.0.0.1:1'], { manualConnect: true, outbox: { maxMessages: 1 } });
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    subject.publish('t', 'a', { qos: 1 });
    subject.publish('t', 'b', { qos: 1 });
    assert.deepEqual(
      dropped.map(({ topic, qos, reason }) => [topic, qos, reason]),
      [['t', 1, 'overflow']],
    );
  });
});

describe('a message that no broker could take', () => {
  test('is refused before it is queued, and the connection stays', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    const bad: [string, unknown, object][] = [
      ['', 'x', {}],
      ['a/+/b', 'x', {}],
      ['a/#', 'x', {}],
      ['a\u0000b', 'x', {}],
      ['x'.repeat(65_536), 'x', {}],
      ['t', { not: 'bytes' }, {}],
      ['t', 5, {}],
      ['t', 'x', { qos: 3 }],
    ];
    for (const [topic, payload, options] of bad) {
      const told = await outcome(subject.publishAsync(topic, payload as string, options));
      assert.equal(told, 'ERR_MESSAGE', JSON.stringify([topic.slice(0, 10), payload, options]));
    }
    await subject.publishAsync('t', 'fine', { qos: 1 });
    assert.equal(broker.connections.length, 1);
    assert.deepEqual(payloads(broker), ['fine']);
  });

  test('may be queued with a Buffer that the application changes afterwards', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), { manualConnect: true });
    const buffer = Buffer.from('before');
    const sent = subject.publishAsync('t', buffer, { qos: 1 });
    buffer.fill('x');
    subject.connect();
    await sent;
    assert.deepEqual(payloads(broker), ['before']);
  });
});

describe('every callback and promise is settled exactly once', () => {
  const kinds = {
    'end()': (subject: ReturnType<typeof client>) => subject.endAsync(),
    'end(true)': (subject: ReturnType<typeof client>) => subject.endAsync(true),
    'drain()': (subject: ReturnType<typeof client>) => subject.drain({ timeoutMs: 1_000 }),
  };
  for (const [name, stop] of Object.entries(kinds)) {
    for (const situation of ['before connecting', 'while offline', 'with nothing acknowledged'] as const) {
      test(`by ${name} ${situation}`, async () => {
        await using broker = await scriptedBroker((packet) =>
          ['publish', 'subscribe', 'unsubscribe'].includes(packet.cmd),
        );
        await using subject = client(twice(broker), {
          ...hurried(),
          manualConnect: situation === 'before connecting',
        });
        if (situation !== 'before connecting') await once(subject, 'connect');
        if (situation === 'while offline') {
          await broker.stop();
          await once(subject, 'offline');
        }
        const calls = new Map<string, number>();
        const tick = (key: string) => () => void calls.set(key, (calls.get(key) ?? 0) + 1);
        for (let i = 0; i < 30; i += 1)
          subject.publish('t', `${i}`, { qos: (i % 3) as 0 | 1 | 2 }, tick(`publish ${i}`));
        subject.subscribe('s', tick('subscribe'));
        subject.unsubscribe('s', tick('unsubscribe'));
        if (situation === 'with nothing acknowledged') await until(() => publishes(broker).length > 0);
        await within(Promise.resolve(stop(subject)), name);
        await until(() => calls.size === 32, {
          what: () => `32 settled, there are ${[...calls.keys()].join()}`,
        });
        await new Promise(setImmediate);
        assert.deepEqual([...calls.values()], new Array(32).fill(1));
        assert.equal(subject.status().outbox.messages, 0);
      });
    }
  }

  test('by a broker that answers twice, late, or what was never asked', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'publish') return false;
      const { messageId = 0 } = packet;
      acknowledge(connection, messageId);
      acknowledge(connection, messageId);
      acknowledge(connection, messageId + 1_000);
      return true;
    });
    await using subject = client(twice(broker));
    let calls = 0;
    for (let i = 0; i < 10; i += 1) {
      subject.publish('t', `${i}`, { qos: 1 }, () => {
        calls += 1;
      });
    }
    await until(() => publishes(broker).length === 10 && calls >= 10);
    await outcome(subject.endAsync());
    assert.equal(calls, 10);
  });

  test('with 500 random publishes and brokers that die at random, and no QoS 1 is lost', async () => {
    const random = new SeededRandom(7);
    await using cluster = await aedesCluster(3, { shared: true });
    await using subject = client(cluster.urls, {
      protocolVersion: 4,
      clientId: 'chaos',
      clean: false,
      ...hurried(),
    });
    await once(subject, 'connect');
    const calls = new Array<number>(500).fill(0);
    const failed: string[] = [];
    let killed = 0;
    for (let i = 0; i < 500; i += 1) {
      const qos = random.next() < 0.7 ? 1 : 0;
      subject.publish(`t/${i % 7}`, `${i}`, { qos }, (error) => {
        calls[i] = (calls[i] ?? 0) + 1;
        if (error && qos > 0) failed.push(`${i}: ${error.message}`);
      });
      if (random.next() < 0.1) await new Promise(setImmediate);
      if (random.next() < 0.02) {
        killed += 1;
        const broker = cluster.at(Math.floor(random.next() * 3));
        await broker.kill();
        await broker.revive();
      }
    }
    const left = () => calls.flatMap((count, i) => (count === 0 ? [i] : []));
    await until(() => left().length === 0, {
      timeoutMs: 10_000,
      what: () => `${left().length} publishes, ${JSON.stringify(subject.status())}`,
    });
    await subject.endAsync();
    assert.ok(killed >= 5, `${killed} kills`);
    assert.deepEqual(calls, new Array(500).fill(1));
    assert.deepEqual(failed, []);
    const arrived = new Set(cluster.publishes.map(({ payload }) => payload));
    const lost = numbers(500).filter((text) => !arrived.has(text));
    // QoS 0 on the wire when a broker dies is lost, by its own promise.
    assert.ok(lost.length < 150, `${lost.length} lost`);
  });
});

describe('end() without force', () => {
  test('delivers what waits behind a small Receive Maximum', async () => {
    await using broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? accept(connection, { properties: { receiveMaximum: 2 } }) : false,
    );
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    const sent = numbers(20).map((text) => outcome(subject.publishAsync('t', text, { qos: 1 })));
    await subject.endAsync();
    assert.deepEqual([...new Set(await Promise.all(sent))], ['ok']);
    assert.deepEqual(payloads(broker), numbers(20));
    assert.equal(commands(broker, 0).at(-1), 'disconnect');
  });
});

describe('drain()', () => {
  test('delivers what is queued, across a fail-over, and then ends', async () => {
    await using broker = await holding(false);
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    const sent = numbers(5).map((text) => outcome(subject.publishAsync('t', text, { qos: 1 })));
    await until(() => publishes(broker).length === 5);
    const drained = subject.drain();
    broker.latest.reset();
    assert.deepEqual(await drained, { undelivered: 0 });
    assert.deepEqual(await Promise.all(sent), new Array(5).fill('ok'));
    assert.equal(subject.status().state, 'closed');
    assert.equal(commands(broker, 1).at(-1), 'disconnect');
  });

  test('gives up after its time and says what it could not deliver', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'publish');
    await using subject = client(twice(broker), hurried());
    await once(subject, 'connect');
    const sent = outcome(subject.publishAsync('t', '', { qos: 1 }));
    assert.deepEqual(await subject.drain({ timeoutMs: 500 }), { undelivered: 1 });
    assert.equal(await sent, 'ERR_ENDED');
  });

  test('does not wait a second time: what it counts as undelivered is rejected', async () => {
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'publish') return false;
      setTimeout(
        () => connection.isOpen && connection.send({ cmd: 'puback', messageId: packet.messageId ?? 0 }),
        300,
      );
      return true;
    });
    await using subject = client(twice(broker));
    await once(subject, 'connect');
    const sent = outcome(subject.publishAsync('t', '', { qos: 1 }));
    assert.deepEqual(await subject.drain({ timeoutMs: 20 }), { undelivered: 1 });
    assert.equal(await sent, 'ERR_ENDED');
  });

  test('takes no more publishes', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'publish');
    await using subject = client(twice(broker), hurried());
    await once(subject, 'connect');
    const sent = outcome(subject.publishAsync('t', 'before', { qos: 1 }));
    const drained = subject.drain({ timeoutMs: 500 });
    assert.equal(await outcome(subject.publishAsync('t', 'after', { qos: 1 })), 'client disconnecting');
    await drained;
    assert.equal(await sent, 'ERR_ENDED');
    assert.deepEqual(payloads(broker), ['before']);
  });

  test('takes no more publishes when it is called in the turn of connect(), either', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker));
    const sent = outcome(subject.publishAsync('t', 'before', { qos: 1 }));
    const drained = subject.drain();
    await once(subject, 'state');
    assert.equal(await outcome(subject.publishAsync('t', 'after', { qos: 1 })), 'client disconnecting');
    assert.deepEqual([await drained, await sent], [{ undelivered: 0 }, 'ok']);
  });

  test('delivers what waits for a broker to come back', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), hurried());
    await once(subject, 'connect');
    await broker.stop();
    await once(subject, 'offline');
    const sent = outcome(subject.publishAsync('t', 'waits', { qos: 1 }));
    const drained = subject.drain();
    await broker.restart();
    assert.deepEqual(await within(drained, 'the drain'), { undelivered: 0 });
    assert.equal(await sent, 'ok');
  });
});

describe('volume', () => {
  test('the id of a publish in flight is not used again when ids begin anew, nor after a resumption', async () => {
    let reused = 0;
    let acknowledged = 0;
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { sessionPresent: connection.index > 0 });
      if (packet.cmd !== 'publish') return false;
      if (String(packet.payload) === 'held') return true;
      if (packet.messageId === publishes(broker, 0)[0]?.messageId) reused += 1;
      acknowledged += 1;
      // The record of 66 000 packets would only slow the test down.
      broker.received.length = 3;
      return false;
    });
    await using subject = client(twice(broker), { ...LASTING, outbox: { maxMessages: 70_000 } });
    await once(subject, 'connect');
    subject.publish('t', 'held', { qos: 1 });
    await broker.waitFor('publish');
    broker.latest.reset();
    await once(subject, 'connect');
    await until(() => publishes(broker, 1).length === 1);
    let settled = 0;
    for (let i = 0; i < 66_000; i += 1) {
      subject.publish('t', '', { qos: 1 }, () => {
        settled += 1;
      });
    }
    await until(() => settled === 66_000, { timeoutMs: 30_000, what: () => `${settled} of 66 000` });
    assert.deepEqual([acknowledged, reused], [66_000, 0]);
  });

  test('70 000 QoS 1 publishes made offline all arrive, in order', async () => {
    const count = 70_000;
    let arrived = 0;
    let outOfOrder = 0;
    await using broker = await scriptedBroker((packet) => {
      if (packet.cmd !== 'publish') return;
      if (String(packet.payload) !== `${arrived}`) outOfOrder += 1;
      arrived += 1;
    });
    await using subject = client(twice(broker), { manualConnect: true, outbox: { maxMessages: count } });
    let settled = 0;
    const failures: FailoverError[] = [];
    for (let i = 0; i < count; i += 1) {
      subject.publish('t', `${i}`, { qos: 1 }, (error) => {
        settled += 1;
        if (error) failures.push(error as FailoverError);
      });
    }
    subject.connect();
    await until(() => settled === count, { timeoutMs: 30_000, what: () => `${settled} of ${count}` });
    assert.deepEqual([arrived, outOfOrder, failures.length], [count, 0, 0]);
  });
});
