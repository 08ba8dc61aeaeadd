/**
 * What a broker announces in CONNACK holds for its own connection, and is asked before anything is written to it.
 *
 * World: scripted MQTT 5 brokers, one of them with limits, or one broker whose limits differ by connection.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FailoverError, FailoverEvents } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { answer, scriptedBroker } from '../support/scripted-broker.js';
import { accept, client, hurried, outcome, payloads, publishes, twice, within } from './world.js';

const V5 = { protocolVersion: 5 } as const;

/** Where time passes faster, a busy machine looks like a dead broker, and one dial is overtaken by the next. */
const PATIENT = {
  dial: { race: 1 },
  liveness: { suspectAfterMs: 60_000, pingTimeoutMs: 60_000, maxMs: 60_000 },
};

/** Announces `limits[n]` to the nth connection, the last one to all that follow. */
function limited(...limits: object[]) {
  return scriptedBroker((packet, connection) => {
    if (packet.cmd !== 'connect') return false;
    return accept(connection, { properties: limits[connection.index] ?? limits.at(-1) ?? {} });
  });
}

describe('a message that the broker cannot take', () => {
  test('is not written but settled, with endpoint, limit and value in the error', async () => {
    await using broker = await limited({ maximumQoS: 1, retainAvailable: false, maximumPacketSize: 100 });
    await using subject = client(twice(broker), V5);
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    await once(subject, 'connect');
    const answers = [
      subject.publishAsync('qos', 'x', { qos: 2 }),
      subject.publishAsync('retain', 'x', { qos: 0, retain: true }),
      subject.publishAsync('size', 'x'.repeat(200), { qos: 1 }),
      subject.publishAsync('fits', 'x', { qos: 1 }),
    ].map(outcome);
    assert.deepEqual(await Promise.all(answers), [
      'ERR_UNSUPPORTED',
      'ERR_UNSUPPORTED',
      'ERR_TOO_LARGE',
      'ok',
    ]);
    assert.deepEqual(
      publishes(broker).map(({ topic }) => topic),
      ['fits'],
    );
    assert.deepEqual(
      dropped.map(({ topic, reason, error }) => [topic, reason, error.endpoint]),
      [
        ['qos', 'rejected', 'front'],
        ['retain', 'rejected', 'front'],
        ['size', 'too-large', 'front'],
      ],
    );
    assert.match(dropped[2]!.error.message, /212 bytes and the Maximum Packet Size of front is 100/);
    assert.equal(broker.connects, 1);
  });

  test('of exactly the Maximum Packet Size is written, with one byte more it is not', async () => {
    await using broker = await limited({ maximumPacketSize: 1_000 });
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    const overhead = 1 + 2 + 2 + 1 + 2 + 1;
    const fits = 'x'.repeat(1_000 - overhead);
    assert.equal(await outcome(subject.publishAsync('t', fits, { qos: 1 })), 'ok');
    assert.equal(await outcome(subject.publishAsync('t', `${fits}x`, { qos: 1 })), 'ERR_TOO_LARGE');
    assert.deepEqual(payloads(broker), [fits]);
  });

  test('is found in the queue and in flight after a fail-over; everything else arrives in order (Q5)', async () => {
    await using first = await scriptedBroker((packet) => packet.cmd === 'publish');
    await using second = await limited({ maximumPacketSize: 65_536 });
    await using subject = client([first.url, second.url], V5);
    await once(subject, 'connect');
    const large = Buffer.alloc(1_048_576);
    const sent = [
      subject.publishAsync('t', 'a', { qos: 1 }),
      subject.publishAsync('t', large, { qos: 1 }),
      subject.publishAsync('t', 'b', { qos: 2 }),
    ];
    await until(() => publishes(first).length === 3);
    await first.stop();
    sent.push(subject.publishAsync('t', large, { qos: 1 }), subject.publishAsync('t', 'c', { qos: 1 }));
    assert.deepEqual(await Promise.all(sent.map(outcome)), [
      'ok',
      'ERR_TOO_LARGE',
      'ok',
      'ERR_TOO_LARGE',
      'ok',
    ]);
    assert.deepEqual(payloads(second), ['a', 'b', 'c']);
    assert.equal(second.connections.length, 1);
  });

  test('is taken by the next broker: limits end with their connection (R79)', async () => {
    await using broker = await limited({ maximumQoS: 0, maximumPacketSize: 50, receiveMaximum: 1 }, {});
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    assert.equal(await outcome(subject.publishAsync('t', 'early', { qos: 1 })), 'ERR_UNSUPPORTED');
    broker.latest.reset();
    await once(subject, 'connect');
    assert.equal(await outcome(subject.publishAsync('t', 'x'.repeat(500), { qos: 2 })), 'ok');
  });

  test('of 64 MiB passes where no limit was named, on MQTT 3.1.1 too', async () => {
    await using broker = await scriptedBroker();
    await using subject = client(twice(broker), {
      protocolVersion: 4,
      outbox: { maxBytes: 100 * 1024 * 1024 },
    });
    await once(subject, 'connect');
    const sent = subject.publishAsync('t', Buffer.alloc(64 * 1024 * 1024), { qos: 1 });
    assert.equal(await within(outcome(sent), 'the acknowledgement', 30_000), 'ok');
  });
});

describe('a Receive Maximum of 20 and thousands of messages that wait', () => {
  test('do not hold up a live publish of another topic: it has the next place but one (R178)', async () => {
    const held: (() => void)[] = [];
    let holds = true;
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd === 'connect') return accept(connection, { properties: { receiveMaximum: 20 } });
      if (packet.cmd !== 'publish' || !holds) return false;
      held.push(() => answer(packet, connection));
      return true;
    });
    await using subject = client(twice(broker), { ...V5, ...PATIENT, manualConnect: true });
    const queued = Array.from({ length: 3_000 }, (_, i) =>
      subject.publishAsync(`queued/${i % 10}`, `${i}`, { qos: 1 }),
    );
    subject.connect();
    const waited: number[] = [];
    const live: Promise<unknown>[] = [];
    for (let round = 0; round < 5; round += 1) {
      await until(() => held.length === 20);
      const seen = publishes(broker).length;
      for (const topic of ['alarm', `state/${round}`])
        live.push(subject.publishAsync(topic, 'now', { qos: 1 }));
      for (const release of held.splice(0)) release();
      await until(() => held.length === 20);
      const topics = publishes(broker)
        .slice(seen)
        .map(({ topic }) => topic);
      waited.push(topics.indexOf('alarm'), topics.indexOf(`state/${round}`));
    }
    // All twenty places were free before the backlog had its turn once.
    assert.ok(
      waited.every((at) => at >= 0 && at <= 3),
      `places of the live ones: ${waited}`,
    );
    holds = false;
    for (const release of held) release();
    await Promise.all([...queued, ...live]);
    const numbers = publishes(broker).filter(({ topic }) => topic.startsWith('queued/'));
    assert.deepEqual(
      numbers.map(({ payload }) => Number(payload.toString())),
      queued.map((_, i) => i),
    );
  });
});

describe('PUBACK and PUBREC', () => {
  /** Refuses the first `times` publishes of every topic with `code`. */
  function refusing(code: number, times: number) {
    const seen = new Map<string, number>();
    return scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'publish' || packet.qos === 0) return false;
      const count = (seen.get(packet.topic) ?? 0) + 1;
      seen.set(packet.topic, count);
      if (count > times) return false;
      const cmd = packet.qos === 1 ? 'puback' : 'pubrec';
      connection.send({ cmd, messageId: packet.messageId ?? 0, reasonCode: code });
      return true;
    });
  }

  for (const code of [0x80, 0x83, 0x91, 0x97])
    for (const qos of [1, 2] as const) {
      test(`with 0x${code.toString(16)}, QoS ${qos}: published again as new until it is taken (R71)`, async () => {
        await using broker = await refusing(code, 3);
        await using subject = client(twice(broker), { ...V5, ...PATIENT, ...hurried(20) });
        await once(subject, 'connect');
        await within(subject.publishAsync('t', 'x', { qos }), 'the acknowledgement', 10_000);
        const copies = publishes(broker);
        assert.deepEqual(
          copies.map(({ dup }) => dup),
          [false, false, false, false],
        );
        assert.equal(new Set(copies.map(({ messageId }) => messageId)).size, 4);
        assert.equal(broker.connects, 1);
      });
    }

  test('with 0x80 for ever: rejected after four, with the code of the broker', async () => {
    await using broker = await refusing(0x80, 99);
    await using subject = client(twice(broker), { ...V5, ...PATIENT, ...hurried(20) });
    const dropped = collect<FailoverEvents['dropped']>(subject, 'dropped');
    await once(subject, 'connect');
    const error = await subject.publishAsync('t', 'x', { qos: 1 }).then(
      () => undefined,
      (thrown: FailoverError) => thrown,
    );
    assert.equal(error?.code, 0x80);
    assert.deepEqual(
      [publishes(broker).length, dropped.map(({ error: { code, reasonCode } }) => [code, reasonCode])],
      [4, [['ERR_REFUSED', 0x80]]],
    );
  });

  for (const code of [0x87, 0x90, 0x99]) {
    test(`with 0x${code.toString(16)}: rejected at once`, async () => {
      await using broker = await refusing(code, 99);
      await using subject = client(twice(broker), { ...V5, ...PATIENT, ...hurried(20) });
      await once(subject, 'connect');
      const answer = await subject.publishAsync('t', 'x', { qos: 1 }).catch((error) => error.code);
      assert.deepEqual([answer, publishes(broker).length], [code, 1]);
    });
  }

  test('with 0x10: nobody listens, and it is delivered', async () => {
    await using broker = await refusing(0x10, 99);
    await using subject = client(twice(broker), V5);
    await once(subject, 'connect');
    assert.equal(await outcome(subject.publishAsync('t', 'x', { qos: 1 })), 'ok');
  });
});

describe('a broker that takes a hundred messages a second', () => {
  test('gets a full queue without throwing us out more than once (R178)', async () => {
    let second = 0;
    let inIt = 0;
    await using broker = await scriptedBroker((packet, connection) => {
      if (packet.cmd !== 'publish') return false;
      const now = Math.floor(performance.now() / 100);
      inIt = now === second ? inIt + 1 : 1;
      second = now;
      if (inIt <= 100) return false;
      connection.send({ cmd: 'disconnect', reasonCode: 0x96 });
      connection.end();
      return true;
    });
    // A second of the library is a tenth of one here, so the broker counts in tenths.
    await using subject = client(twice(broker), {
      ...V5,
      manualConnect: true,
      ...PATIENT,
      ...hurried(10),
    });
    const sent = Array.from({ length: 300 }, (_, i) => subject.publishAsync('t', `${i}`, { qos: 1 }));
    subject.connect();
    await within(Promise.all(sent), 'the queue to drain', 20_000);
    assert.ok(broker.connects <= 3, `${broker.connects} connections`);
  });
});
