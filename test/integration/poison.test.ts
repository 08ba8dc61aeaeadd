/**
 * One bad publish or subscription must not walk through the cluster and end one connection after the other (R92).
 *
 * World: three scripted brokers that are alike and close the connection, in the way of their version, on what they
 * dislike. They keep no sessions, or all of them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailoverClient, FailoverEvents } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { type Script, type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { accept, client, outcome, publishes, within } from './world.js';

class Cluster implements AsyncDisposable {
  readonly brokers: ScriptedBroker[];

  private constructor(brokers: ScriptedBroker[]) {
    this.brokers = brokers;
  }

  /** Three brokers that run `script`. */
  static async of(script: Script): Promise<Cluster> {
    return new Cluster([
      await scriptedBroker(script),
      await scriptedBroker(script),
      await scriptedBroker(script),
    ]);
  }

  get urls(): string[] {
    return this.brokers.map(({ url }) => url);
  }

  /** Payloads of `topic` over all brokers, in the order of arrival. */
  arrived(topic: string): string[] {
    return this.brokers
      .flatMap(({ received }) => received)
      .sort((a, b) => a.at - b.at)
      .flatMap(({ packet }) =>
        packet.cmd === 'publish' && packet.topic === topic ? [String(packet.payload)] : [],
      );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker[Symbol.asyncDispose]()));
  }
}

/** Closes on a publish to `bad`, after the packets before it were answered. */
function dislikes(how: 'close' | 'reset' | 0x90, sessionPresent: boolean): Script {
  return (packet, connection) => {
    if (packet.cmd === 'connect') return accept(connection, { sessionPresent });
    if (packet.cmd !== 'publish' || packet.topic !== 'bad') return false;
    if (how === 0x90) connection.send({ cmd: 'disconnect', reasonCode: how });
    if (how === 'reset') connection.reset();
    else connection.end();
    return true;
  };
}

function watch(subject: FailoverClient) {
  return {
    offline: collect(subject, 'offline'),
    health: collect<FailoverEvents['health']>(subject, 'health'),
    dropped: collect<FailoverEvents['dropped']>(subject, 'dropped'),
    conflicts: collect(subject, 'conflict'),
  };
}

/** At most three connections were lost, and nobody was blamed. */
function unharmed({ offline, health, conflicts }: ReturnType<typeof watch>): void {
  assert.ok(offline.length <= 3, `${offline.length} disconnects`);
  assert.deepEqual(
    health.filter(({ state }) => state === 'ejected'),
    [],
  );
  assert.deepEqual(conflicts, []);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
const firsts = (texts: string[]) => [...new Set(texts)];

describe('a publish that every broker closes the connection over', { concurrency: 4 }, () => {
  const cases = [
    ['MQTT 3.1.1, close', 4, 'close', false],
    ['MQTT 3.1.1, reset', 4, 'reset', false],
    ['MQTT 3.1.1, close, session kept', 4, 'close', true],
    ['MQTT 5, close', 5, 'close', false],
    ['MQTT 5, DISCONNECT 0x90', 5, 0x90, false],
    ['MQTT 5, DISCONNECT 0x90, session kept', 5, 0x90, true],
  ] as const;
  for (const [name, protocolVersion, how, kept] of cases)
    for (const qos of [1, 2] as const) {
      test(`costs three connections at most, QoS ${qos}: ${name}`, async () => {
        await using cluster = await Cluster.of(dislikes(how, kept));
        const options = { protocolVersion, clientId: 'device', clean: !kept };
        await using subject = client(cluster.urls, options);
        const seen = watch(subject);
        await once(subject, 'connect');
        const before = numbers(5).map((text) => subject.publishAsync('good', text, { qos }));
        const bad = subject.publishAsync('bad', 'x', { qos });
        const after = numbers(10)
          .slice(5)
          .map((text) => subject.publishAsync('good', text, { qos }));
        assert.equal(await within(outcome(bad), 'the verdict', 20_000), 'ERR_POISON');
        await within(Promise.all([...before, ...after]), 'everything else', 20_000);
        await within(subject.publishAsync('good', 'last', { qos }), 'a live publish', 20_000);
        assert.deepEqual(firsts(cluster.arrived('good')), [...numbers(10), 'last']);
        assert.deepEqual(
          seen.dropped.map(({ topic, reason }) => [topic, reason]),
          [['bad', 'poison']],
        );
        assert.ok(cluster.arrived('bad').length <= 3);
        unharmed(seen);
      });
    }

  test('is found in the middle of a hundred in flight, which all arrive in order', async () => {
    await using cluster = await Cluster.of(dislikes('close', false));
    await using subject = client(cluster.urls, { protocolVersion: 4 });
    const seen = watch(subject);
    await once(subject, 'connect');
    const sent = numbers(100).map((text, i) =>
      subject.publishAsync(i === 50 ? 'bad' : 'good', text, { qos: 1 }),
    );
    const answers = await within(Promise.all(sent.map(outcome)), 'the hundred', 30_000);
    assert.deepEqual(
      answers.map((answer, i) => (i === 50 ? answer === 'ERR_POISON' : answer === 'ok')),
      Array(100).fill(true),
    );
    assert.deepEqual(
      firsts(cluster.arrived('good')),
      numbers(100).filter((text) => text !== '50'),
    );
    unharmed(seen);
  });

  test('is suspected, but a hundred that two crashes left unanswered cost two round trips and not a hundred', async () => {
    // Crashes twice; then answers the first, which comes alone, and nothing more until all others are there.
    let connections = 0;
    await using cluster = await Cluster.of((packet, connection) => {
      if (packet.cmd === 'connect') connections += 1;
      if (packet.cmd !== 'publish') return false;
      const here = connection.received.filter(({ cmd }) => cmd === 'publish');
      if (connections <= 2) {
        if (here.length === 100) connection.reset();
        return true;
      }
      if (here.length === 1) return false;
      if (here.length === 100)
        for (const { messageId = 0 } of here) connection.send({ cmd: 'puback', messageId });
      return true;
    });
    await using subject = client(cluster.urls, { protocolVersion: 4 });
    const seen = watch(subject);
    await once(subject, 'connect');
    const sent = numbers(100).map((text) => subject.publishAsync('good', text, { qos: 1 }));
    await within(Promise.all(sent), 'a hundred acknowledgements');
    unharmed(seen);
  });

  test('is alone on the wire the third time: no QoS 0, no SUBSCRIBE beside it', async () => {
    await using cluster = await Cluster.of((packet, connection) => {
      if (packet.cmd !== 'publish' || packet.topic !== 'bad') return false;
      setTimeout(() => connection.end(), 30);
      return true;
    });
    await using subject = client(cluster.urls, { protocolVersion: 4 });
    await once(subject, 'connect');
    let losses = 0;
    subject.on('offline', () => {
      losses += 1;
    });
    const bad = subject.publishAsync('bad', 'x', { qos: 1 });
    await until(() => cluster.arrived('bad').length === 3);
    const other = [
      subject.publishAsync('good', '0', { qos: 0 }),
      subject.publishAsync('good', '1', { qos: 1 }),
      subject.subscribeAsync('filter'),
    ];
    assert.equal(await within(outcome(bad), 'the verdict'), 'ERR_POISON');
    assert.equal(losses, 3);
    const third = cluster.brokers
      .flatMap(({ received, connections }) => received.map((each) => ({ ...each, of: connections })))
      .sort((a, b) => a.at - b.at)
      .map(({ packet }) => packet.cmd);
    assert.deepEqual(third.slice(third.lastIndexOf('connect')), ['connect', 'publish']);
    await within(Promise.all(other), 'what waited');
  });

  test('is not the first victim of two crashes under traffic: nothing is given up', async () => {
    let crashes = 2;
    await using cluster = await Cluster.of((packet, connection) => {
      if (packet.cmd !== 'publish' || crashes === 0) return false;
      crashes -= 1;
      connection.reset();
      return true;
    });
    await using subject = client(cluster.urls, { protocolVersion: 4 });
    const seen = watch(subject);
    const sent = numbers(50).map((text) => subject.publishAsync('good', text, { qos: 1 }));
    await within(Promise.all(sent), 'all of them', 20_000);
    assert.deepEqual(firsts(cluster.arrived('good')), numbers(50));
    assert.deepEqual(seen.dropped, []);
  });
});

describe('a subscription that every broker closes the connection over', () => {
  for (const protocolVersion of [4, 5] as const) {
    test(`costs three connections at most and is answered, MQTT ${protocolVersion}`, async () => {
      await using cluster = await Cluster.of((packet, connection) => {
        if (packet.cmd !== 'subscribe' || packet.subscriptions.every(({ topic }) => topic !== 'bad'))
          return false;
        if (protocolVersion === 5) connection.send({ cmd: 'disconnect', reasonCode: 0x8f });
        connection.end();
        return true;
      });
      await using subject = client(cluster.urls, { protocolVersion });
      const seen = watch(subject);
      await once(subject, 'connect');
      const good = subject.subscribeAsync('good', { qos: 1 });
      const bad = subject.subscribeAsync('bad', { qos: 1 });
      const sent = numbers(20).map((text) => subject.publishAsync('t', text, { qos: 1 }));
      assert.equal(await within(outcome(bad), 'the verdict', 20_000), 'ERR_POISON');
      await within(Promise.all([good, ...sent]), 'everything else', 20_000);
      assert.deepEqual(firsts(cluster.arrived('t')), numbers(20));
      assert.equal(publishes(cluster.brokers[0]!).filter(({ dup }) => dup).length, 0);
      unharmed(seen);
    });
  }
});
