/**
 * The life of a publish: sent or queued, resent or restarted after a fail-over, settled exactly once.
 *
 * World: the real outbox, in-flight store, packet ids and replayer; MQTT.js is a fake.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IClientPublishOptions, IPublishPacket } from 'mqtt';
import { InFlight } from '../../../src/delivery/in-flight.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { PacketIds } from '../../../src/delivery/packet-ids.js';
import { Publisher, type PublisherOptions } from '../../../src/delivery/publisher.js';
import { queueGate } from '../../../src/delivery/queue-gate.js';
import { Retries } from '../../../src/delivery/retries.js';
import { FailoverError } from '../../../src/errors.js';
import type { Outcome } from '../../../src/health/outcomes.js';
import type { BrokerLimits } from '../../../src/session/broker-limits.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { linkTo } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

interface Setup extends Partial<PublisherOptions> {
  readonly maxMessages?: number;
}

function world({ maxMessages = 1_000, ...given }: Setup = {}) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const core = new FakeCore();
  const inFlight = new InFlight();
  const ids = new PacketIds(inFlight);
  core.inFlight = inFlight;
  core.ids = ids;
  const options: PublisherOptions = {
    concurrency: 100,
    perSecond: Number.POSITIVE_INFINITY,
    qos2: 'republish',
    maxMessages,
    maxBytes: 1_000_000,
    queueQoSZero: true,
    ...given,
  };
  const outbox = new Outbox(
    { maxMessages, maxBytes: options.maxBytes, maxAgeMs: Number.POSITIVE_INFINITY, overflow: 'reject-new' },
    { clock, events, elsewhere: inFlight },
  );
  const retries = new Retries(clock, { next: () => 0.5 });
  const publisher = new Publisher({
    outbox,
    inFlight,
    retries,
    core,
    clock,
    events,
    options,
    createGate: queueGate,
  });
  const settled: string[] = [];
  const publish = (
    topic: string,
    qos: 0 | 1 | 2 = 1,
    more: IClientPublishOptions = {},
    payload: string | Buffer = topic,
  ) =>
    publisher.publish(topic, payload, { ...more, qos }, (error) => {
      const { code, message } = (error ?? {}) as FailoverError;
      settled.push(`${topic} ${error ? (code ?? message) : 'ok'}`);
    });
  const up = async (resumed = false, receiveMaximum = 65_535) => {
    await upWith({ receiveMaximum }, resumed);
  };
  const upWith = async (limits: Partial<BrokerLimits>, resumed = false) => {
    ids.clear();
    publisher.linkUp(linkTo('node-a', limits, resumed));
    publisher.flow();
    await turns();
  };
  /** The link ends as `outcome` says. */
  const down = (outcome: Outcome = { kind: 'link', code: 'closed' }, cause?: unknown) =>
    publisher.linkDown(new FailoverError('ERR_LINK', 'ended', { outcome, endpoint: 'node-a', cause }));
  const topics = (from = 0) => core.published.slice(from).map(({ topic }) => topic);
  const idOf = (topic: string) => core.published.findLast((each) => each.topic === topic)!.id;
  const acknowledge = async (topic: string, error?: Error) => {
    core.acknowledge(idOf(topic), error);
    await turns();
  };
  return {
    clock,
    events,
    core,
    inFlight,
    ids,
    outbox,
    publisher,
    settled,
    publish,
    up,
    upWith,
    down,
    topics,
    idOf,
    acknowledge,
  };
}

const turns = () => settle(1_000);
const payloads = (core: FakeCore) => core.published.map(({ payload }) => String(payload));

describe('publishing on a link', () => {
  test('goes out in the same turn, and is settled by the answer', async () => {
    const { core, publish, up, settled, acknowledge, publisher } = world();
    await up();
    publish('a', 1);
    publish('b', 0);
    publish('c', 2);
    assert.deepEqual(
      core.published.map(({ topic, options, id }) => [topic, options.qos, id]),
      [
        ['a', 1, 1],
        ['b', 0, 0],
        ['c', 2, 2],
      ],
    );
    assert.deepEqual([settled, publisher.unsettled.size], [['b ok'], 2]);
    await acknowledge('c');
    await acknowledge('a');
    assert.deepEqual([settled, publisher.unsettled.size], [['b ok', 'c ok', 'a ok'], 0]);
  });

  test('waits until subscriptions are restored', async () => {
    const { publisher, publish, topics } = world();
    publisher.linkUp(linkTo('node-a'));
    publish('a', 0);
    publish('b', 1);
    await turns();
    assert.deepEqual(topics(), []);
    publisher.flow();
    await turns();
    assert.deepEqual(topics(), ['a', 'b']);
  });

  test('does not overtake what waits', async () => {
    const { publish, up, topics } = world();
    for (const [topic, qos] of [
      ['a', 1],
      ['b', 0],
      ['c', 2],
    ] as const)
      publish(topic, qos);
    const started = up();
    publish('a', 0);
    publish('c', 1);
    await started;
    assert.deepEqual(topics(), ['a', 'b', 'c', 'a', 'c']);
  });

  test('does not wait behind the queue of other topics (R178)', async () => {
    const { publish, up, topics } = world();
    publish('a', 1);
    publish('a', 1);
    const started = up();
    publish('b', 1);
    await started;
    assert.deepEqual(topics(), ['b', 'a', 'a']);
  });

  test('keeps to the Receive Maximum, which QoS 0 does not count against', async () => {
    const { publish, up, topics, acknowledge, inFlight } = world();
    await up(false, 2);
    publish('free', 0);
    for (const topic of ['a', 'b', 'c', 'd']) publish(topic, 1);
    await turns();
    assert.deepEqual(topics(), ['free', 'a', 'b']);
    await acknowledge('b');
    assert.deepEqual([topics(), inFlight.size], [['free', 'a', 'b', 'c'], 2]);
    await acknowledge('a');
    await acknowledge('c');
    assert.deepEqual(topics(), ['free', 'a', 'b', 'c', 'd']);
  });

  test('keeps bytes in flight within maxBytes', async () => {
    const { publish, up, topics, acknowledge, settled } = world({ maxBytes: 25 });
    await up();
    publish('a', 1, {}, 'x'.repeat(15));
    publish('b', 1, {}, 'x'.repeat(5));
    publish('too much', 1, {}, 'x'.repeat(15));
    assert.deepEqual([topics(), settled], [['a', 'b'], ['too much ERR_OVERFLOW']]);
    await acknowledge('a');
    publish('c', 1, {}, 'x'.repeat(15));
    assert.deepEqual(topics(), ['a', 'b', 'c']);
  });

  test('overlooks nothing that the continuation of a promise publishes while the queue runs dry', async () => {
    const { publisher, publish, up, topics, acknowledge } = world();
    const first = new Promise<void>((resolve) => publisher.publish('first', 'x', {}, () => resolve()));
    void first.then(() => {
      for (const topic of ['a', 'b', 'c']) publish(topic, 1);
    });
    await up(false, 1);
    for (const topic of ['a', 'b', 'c']) {
      assert.equal(topics().at(-1), topic);
      await acknowledge(topic);
    }
    assert.deepEqual(topics(), ['first', 'a', 'b', 'c']);
  });

  test('hands over a copy of what waits: the caller may reuse its buffer', async () => {
    const { core, publish, up } = world();
    const buffer = Buffer.from('before');
    publish('a', 1, {}, buffer);
    buffer.write('after!');
    await up();
    assert.deepEqual(payloads(core), ['before']);
    assert.ok(Buffer.isBuffer(core.published[0]?.payload));
  });

  test('asks for no callback where none was given', async () => {
    const { core, publisher, up } = world();
    await up();
    publisher.publish('a', 'x', { qos: 0 }, undefined);
    publisher.publish('b', 'x', { qos: 1 }, undefined);
    assert.equal(core.published[0]?.callback, undefined);
    core.acknowledge(core.published[1]!.id);
  });

  test('is refused before it is queued when no broker could take it', async () => {
    const { core, events, publish, publisher, settled, up } = world();
    publish('a/#');
    publish('');
    const errors: unknown[] = [];
    for (const topic of [undefined, null, 5, {}]) {
      publisher.publish(topic as never, 'x', {}, (error) => errors.push((error as FailoverError).code));
    }
    await up();
    assert.deepEqual(settled, ['a/# ERR_MESSAGE', ' ERR_MESSAGE']);
    assert.deepEqual(errors, Array(4).fill('ERR_MESSAGE'));
    assert.deepEqual(
      [core.published, events.of('dropped').map(({ reason }) => reason)],
      [[], Array(6).fill('rejected')],
    );
  });

  test('tells when the broker refused it', async () => {
    const { events, publish, up, settled, acknowledge } = world();
    await up();
    publish('a');
    await acknowledge('a', new Error('Publish error: Not authorized'));
    assert.deepEqual(settled, ['a Publish error: Not authorized']);
    const { topic, qos, reason, error } = events.of('dropped')[0]!;
    assert.deepEqual([topic, qos, reason, error.code], ['a', 1, 'rejected', 'ERR_REFUSED']);
  });

  test('of QoS 0 without a link is refused with queueQoSZero false', async () => {
    const { publish, up, settled, topics } = world({ queueQoSZero: false });
    publish('a', 0);
    publish('b', 1);
    assert.deepEqual(settled, ['a No connection to broker']);
    await up();
    assert.deepEqual(topics(), ['b']);
  });
});

describe('topic aliases', () => {
  const alias = (topicAlias: number, more: object = {}): IClientPublishOptions => ({
    properties: { topicAlias, ...more },
  });

  test('become full topics, as they end with the connection (R105)', async () => {
    const { core, publisher, up } = world();
    publisher.publish('long/topic', '1', { qos: 1, ...alias(3) }, undefined);
    publisher.publish('', '2', { qos: 1, ...alias(3, { contentType: 'c' }) }, undefined);
    await up();
    publisher.linkDown();
    await up();
    publisher.publish('', '3', alias(3), undefined);
    publisher.publish('other', '4', alias(3), undefined);
    publisher.publish('', '5', alias(3), undefined);
    await turns();
    assert.deepEqual(
      core.published
        .slice(2)
        .map(({ topic, payload, options }) => [topic, String(payload), options.properties]),
      [
        ['long/topic', '1', {}],
        ['long/topic', '2', { contentType: 'c' }],
        ['long/topic', '3', {}],
        ['other', '4', {}],
        ['other', '5', {}],
      ],
    );
  });

  test('keep what else was asked for: to be told when the message is stored', async () => {
    const { publisher, up } = world();
    let stored = 0;
    await up();
    const cbStorePut = () => {
      stored += 1;
    };
    publisher.publish('long/topic', '1', { qos: 1, ...alias(3), cbStorePut }, undefined);
    assert.equal(stored, 1);
  });

  test('that were never defined are refused', () => {
    const { publisher, settled } = world();
    publisher.publish('', 'x', alias(9), (error) => settled.push((error as FailoverError).code));
    assert.deepEqual(settled, ['ERR_MESSAGE']);
  });
});

describe('message expiry', () => {
  const expiring = (seconds: number): IClientPublishOptions => ({
    properties: { messageExpiryInterval: seconds, contentType: 'c' },
  });

  test('is less the whole seconds that the message waited (R115)', async () => {
    const { clock, core, publish, up } = world();
    publish('a', 1, expiring(30));
    await clock.advance(10_999);
    await up();
    assert.deepEqual(core.published[0]?.options.properties, { messageExpiryInterval: 20, contentType: 'c' });
  });

  test('that has passed keeps the message from being sent, and settles it', async () => {
    const { clock, events, publish, up, settled, topics } = world();
    publish('a', 1, expiring(30));
    publish('b', 0, expiring(30));
    publish('c', 1, expiring(31));
    await clock.advance(30_000);
    await up();
    assert.deepEqual(settled, ['a ERR_EXPIRED', 'b ERR_EXPIRED']);
    assert.deepEqual(topics(), ['c']);
    assert.deepEqual(
      events.of('dropped').map(({ reason }) => reason),
      ['expired', 'expired'],
    );
  });

  test('counts from the call also after a fail-over', async () => {
    const { clock, core, publish, publisher, up } = world();
    await up();
    publish('a', 1, expiring(30));
    publisher.linkDown();
    await clock.advance(12_000);
    await up();
    assert.deepEqual(
      core.published.map(({ options }) => options.properties?.messageExpiryInterval),
      [30, 18],
    );
  });
});

describe('a resumed session', () => {
  test('gets everything in flight again at once: same ids, same order, DUP on PUBLISH (R96)', async () => {
    const { core, publish, publisher, up, topics, idOf, settled, acknowledge } = world();
    await up();
    for (const topic of ['a', 'b', 'c']) publish(topic, topic === 'b' ? 2 : 1);
    core.pubrec(idOf('b'));
    publisher.linkDown();
    publish('d', 1);
    await up(true);
    assert.deepEqual(
      core.written.map((packet) => [packet.cmd, packet.messageId, (packet as IPublishPacket).dup]),
      [
        ['publish', 1, true],
        ['pubrel', 2, undefined],
        ['publish', 3, true],
      ],
    );
    assert.deepEqual([topics(), settled, idOf('d')], [['a', 'b', 'c', 'd'], [], 4]);
    for (const topic of ['a', 'b', 'c', 'd']) await acknowledge(topic);
    assert.deepEqual(settled, ['a ok', 'b ok', 'c ok', 'd ok']);
  });

  test('gets it in a window when its Receive Maximum is smaller, new messages behind', async () => {
    const { core, publish, publisher, up, topics, acknowledge } = world();
    await up();
    for (const topic of ['a', 'b', 'c']) publish(topic);
    publisher.linkDown();
    await up(true, 2);
    publish('d');
    const resent = () => core.written.map(({ messageId }) => messageId);
    assert.deepEqual(resent(), [1, 2]);
    await acknowledge('a');
    assert.deepEqual([resent(), topics(3)], [[1, 2, 3], []]);
    await acknowledge('b');
    assert.deepEqual([resent(), topics(3)], [[1, 2, 3], ['d']]);
  });

  test('gets it again after every further loss', async () => {
    const { core, publish, publisher, up } = world();
    await up();
    publish('a');
    publisher.linkDown();
    await up(true);
    publisher.linkDown();
    await up(true);
    assert.deepEqual(
      core.written.map(({ messageId }) => messageId),
      [1, 1],
    );
  });
});

describe('a new session', () => {
  test('gets everything in flight as new before what waits, in order, without DUP (R97)', async () => {
    const { core, inFlight, publish, publisher, up, topics, settled, acknowledge } = world();
    await up();
    for (const topic of ['a', 'b', 'c']) publish(topic);
    publisher.linkDown();
    publish('d', 0);
    publish('e', 1);
    await up(false);
    assert.deepEqual(topics(3), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(core.written, []);
    assert.ok(inFlight.entries().every(({ packet }) => !(packet as IPublishPacket).dup));
    assert.deepEqual([settled, core.outgoing.size], [['d ok'], 4]);
    for (const topic of ['e', 'c', 'b', 'a']) await acknowledge(topic);
    assert.deepEqual(settled, ['d ok', 'e ok', 'c ok', 'b ok', 'a ok']);
  });

  test('gets what was in flight while it was resumed in between', async () => {
    const { core, inFlight, publish, publisher, up, topics } = world();
    await up();
    publish('a');
    publisher.linkDown();
    await up(true);
    publisher.linkDown();
    await up(false);
    assert.deepEqual([topics(), core.written.length, inFlight.size], [['a', 'a'], 1, 1]);
    assert.equal((inFlight.entries()[0]!.packet as IPublishPacket).dup, false);
  });

  test('keeps one open id per message', async () => {
    const { core, ids, publish, publisher, up } = world();
    await up();
    for (let i = 0; i < 50; i++) publish(`t${i}`);
    publisher.linkDown();
    await up(false);
    assert.equal(core.outgoing.size, 50);
    const open = new Set(core.outgoing.keys());
    for (let i = 0; i < 200; i++) {
      const id = ids.allocate()!;
      assert.ok(!open.has(id));
      open.add(id);
    }
  });

  test('gets QoS 2 beyond PUBREC again, with a warning that it may be a duplicate', async () => {
    const { core, events, publish, publisher, up, topics, idOf } = world();
    await up();
    publish('a', 2);
    publish('b', 2);
    core.pubrec(idOf('a'));
    publisher.linkDown();
    await up(false);
    assert.deepEqual(topics(2), ['a', 'b']);
    assert.deepEqual(payloads(core).slice(2), ['a', 'b']);
    assert.deepEqual(events.of('uncertain'), [
      {
        topic: 'a',
        qos: 2,
        reason: 'the session was lost between PUBREC and PUBCOMP',
        action: 'republished',
      },
    ]);
  });

  for (const qos2 of ['republish', 'reject'] as const) {
    test(`settles everything once when a listener of 'uncertain' ends the client, with qos2 '${qos2}'`, async () => {
      const { core, events, publish, publisher, up, idOf, settled } = world({ qos2 });
      await up();
      for (const [topic, qos] of [
        ['a', 1],
        ['b', 2],
        ['c', 1],
        ['d', 2],
      ] as const)
        publish(topic, qos);
      core.pubrec(idOf('b'));
      core.pubrec(idOf('d'));
      publisher.linkDown();
      events.listener = (event) => {
        if (event === 'uncertain') publisher.abandon();
      };
      await up(false);
      assert.deepEqual(settled.map((each) => each[0]).sort(), ['a', 'b', 'c', 'd']);
      assert.equal(publisher.unsettled.size, 0);
    });
  }

  test('tells no lowwater, as messages only change their place', async () => {
    const { events, publish, publisher, up } = world({ maxMessages: 10 });
    await up();
    for (let n = 0; n < 8; n += 1) publish(`${n}`, 1);
    publisher.linkDown();
    publisher.linkUp(linkTo('node-a', {}, false));
    assert.deepEqual(
      events.names.filter((name) => name.endsWith('water')),
      ['highwater'],
    );
  });

  test('tells those who wait when nothing is left, as all of it was uncertain', async () => {
    const { core, publish, publisher, up, idOf } = world({ qos2: 'reject' });
    await up();
    publish('a', 2);
    core.pubrec(idOf('a'));
    publisher.linkDown();
    let isDrained = false;
    void publisher.unsettled.drained(new AbortController().signal).then(() => {
      isDrained = true;
    });
    await up(false);
    assert.ok(isDrained);
  });

  test("settles QoS 2 beyond PUBREC as uncertain with qos2 'reject'", async () => {
    const { core, events, publish, publisher, up, topics, idOf, settled } = world({ qos2: 'reject' });
    await up();
    publish('a', 2);
    publish('b', 2);
    core.pubrec(idOf('a'));
    publisher.linkDown();
    await up(false);
    assert.deepEqual([topics(2), settled], [['b'], ['a ERR_DELIVERY_UNCERTAIN']]);
    assert.deepEqual(
      [events.of('uncertain')[0]?.action, events.of('dropped')[0]?.reason],
      ['rejected', 'rejected'],
    );
  });
});

describe('the end of the client', () => {
  test('settles what waits, what is in flight and what was not resent yet, each once', async () => {
    const { core, publish, publisher, outbox, inFlight, up, settled } = world();
    await up();
    for (const topic of ['a', 'b', 'c']) publish(topic, 2);
    publisher.linkDown();
    await up(true, 1);
    publish('d', 1);
    publish('d', 0);
    const callbacks = core.published.map(({ id }) => id);
    publisher.abandon();
    assert.deepEqual(
      settled,
      ['a', 'b', 'c', 'd', 'd'].map((topic) => `${topic} ERR_ENDED`),
    );
    assert.deepEqual([outbox.size, inFlight.size, inFlight.bytes, core.outgoing.size], [0, 0, 0, 0]);
    for (const id of callbacks) core.acknowledge(id);
    publisher.abandon();
    await turns();
    assert.equal(settled.length, 5);
  });

  test('tells those who wait for everything to be settled', async () => {
    const { publish, publisher, up, acknowledge } = world();
    await up();
    let done = false;
    publish('a');
    publish('b');
    void publisher.unsettled.drained(new AbortController().signal).then(() => {
      done = true;
    });
    await acknowledge('a');
    assert.equal(done, false);
    await acknowledge('b');
    assert.equal(done, true);
  });
});

describe('a broker with limits', () => {
  const dropped = ({ events }: { events: Recorder }) =>
    events
      .of('dropped')
      .map(({ topic, reason, error }) => [topic, reason, error.code, error.endpoint, error.reasonCode]);

  test('is not sent what it cannot take, live, and the error says why (R102, R103, R104)', async () => {
    const w = world();
    w.core.options.protocolVersion = 5;
    await w.upWith({ maximumQos: 1, retain: false, maximumPacketSize: 20 });
    w.publish('qos', 2);
    w.publish('kept', 1, { retain: true });
    w.publish('size', 0, {}, 'x'.repeat(50));
    w.publish('fits', 1);
    assert.deepEqual(w.topics(), ['fits']);
    assert.deepEqual(dropped(w), [
      ['qos', 'rejected', 'ERR_UNSUPPORTED', 'node-a', 0x9b],
      ['kept', 'rejected', 'ERR_UNSUPPORTED', 'node-a', 0x9a],
      ['size', 'too-large', 'ERR_TOO_LARGE', 'node-a', 0x95],
    ]);
    assert.match(w.events.of('dropped')[2]!.error.message, /"size".* 59 bytes .* node-a is 20$/);
    assert.deepEqual(w.settled, ['qos ERR_UNSUPPORTED', 'kept ERR_UNSUPPORTED', 'size ERR_TOO_LARGE']);
  });

  test('is not sent it from the queue, nor from a session that was lost', async () => {
    const w = world();
    await w.up();
    w.publish('in flight', 2);
    w.down();
    w.publish('queued', 1, { retain: true });
    w.publish('good');
    await w.upWith({ maximumQos: 1, retain: false });
    assert.deepEqual(w.topics(1), ['good']);
    assert.deepEqual(w.settled, ['in flight ERR_UNSUPPORTED', 'queued ERR_UNSUPPORTED']);
  });

  test('is not sent it again into a resumed session, and the id is free', async () => {
    const w = world();
    await w.up();
    for (const topic of ['large', 'small']) w.publish(topic, 1, {}, topic === 'large' ? 'x'.repeat(99) : '');
    w.down({ kind: 'link', code: 'silent' });
    await w.upWith({ maximumPacketSize: 50 }, true);
    assert.deepEqual(
      w.core.written.map((packet) => (packet as IPublishPacket).topic),
      ['small'],
    );
    assert.deepEqual([w.settled, w.core.outgoing.size], [['large ERR_TOO_LARGE'], 1]);
  });

  test('says nothing of the next one', async () => {
    const w = world();
    await w.upWith({ maximumQos: 0 });
    w.publish('early', 1);
    w.publisher.linkDown();
    await w.up();
    w.publish('late', 2);
    assert.deepEqual(w.topics(), ['late']);
  });
});

describe('a refusal', () => {
  const refusal = (code: number) => Object.assign(new Error(`Publish error: ${code}`), { code });
  const refuse = async (w: ReturnType<typeof world>, topic: string, code: number) => {
    await w.acknowledge(topic, refusal(code));
  };

  for (const code of [0x80, 0x83, 0x97, 0x91]) {
    test(`with 0x${code.toString(16)} is tried three times more as a new message, then final (R71)`, async () => {
      const w = world();
      await w.up();
      w.publish('a');
      const ids = new Set<number>();
      for (let tries = 1; tries <= 4; tries++) {
        assert.deepEqual([w.topics().length, w.settled, w.publisher.unsettled.size], [tries, [], 1]);
        ids.add(w.idOf('a'));
        await refuse(w, 'a', code);
        await w.clock.advance(20_000);
        await turns();
      }
      assert.deepEqual([w.settled, w.publisher.unsettled.size, ids.size], [[`a ${code}`], 0, 4]);
      assert.deepEqual(w.core.written, []);
      assert.equal(w.events.of('dropped').length, 1);
      assert.equal(w.clock.pending, 0);
    });
  }

  test('for an id in use needs another id and no wait', async () => {
    const w = world();
    await w.up();
    w.publish('a');
    await refuse(w, 'a', 0x91);
    await w.clock.advance(0);
    await turns();
    assert.deepEqual(w.topics(), ['a', 'a']);
  });

  test('of all that we send too fast, by DISCONNECT, makes the replay slower (R178)', async () => {
    const w = world();
    for (let i = 0; i < 200; i++) w.publish(`t${i}`);
    await w.up();
    w.down({ kind: 'disconnect', code: 0x96 });
    await w.up();
    const before = w.topics().length;
    await w.clock.advance(400);
    await turns();
    const sent = w.topics().length - before;
    assert.ok(sent >= 15 && sent <= 25, `${sent}`);
  });

  for (const code of [0x87, 0x90, 0x99, 0x92, 0xf0]) {
    test(`with 0x${code.toString(16)} is final`, async () => {
      const w = world();
      await w.up();
      w.publish('a');
      await refuse(w, 'a', code);
      await w.clock.advance(60_000);
      assert.deepEqual([w.settled, w.topics()], [[`a ${code}`], ['a']]);
    });
  }

  test('that passed leaves one success, and what is published meanwhile goes out', async () => {
    const w = world();
    await w.up();
    w.publish('a', 2);
    await refuse(w, 'a', 0x97);
    w.publish('b');
    await w.acknowledge('b');
    await w.clock.advance(10_000);
    await turns();
    await w.acknowledge('a');
    assert.deepEqual(
      [w.topics(), w.settled],
      [
        ['a', 'b', 'a'],
        ['b ok', 'a ok'],
      ],
    );
  });

  test('waits for the next link when its time comes without one, and counts as unsettled', async () => {
    const w = world();
    await w.up();
    w.publish('a', 1, {}, 'payload');
    await refuse(w, 'a', 0x80);
    assert.deepEqual([w.publisher.unsettled.status().messages, w.publisher.unsettled.status().bytes], [1, 8]);
    w.publisher.linkDown();
    await w.clock.advance(10_000);
    assert.equal(w.publisher.unsettled.status().messages, 1);
    await w.up();
    await w.acknowledge('a');
    assert.deepEqual([payloads(w.core), w.settled], [['payload', 'payload'], ['a ok']]);
  });

  test('that waits is settled by the end of the client, and leaves no timer', async () => {
    const w = world();
    await w.up();
    w.publish('a');
    await refuse(w, 'a', 0x80);
    w.publisher.abandon();
    assert.deepEqual([w.settled, w.clock.pending], [['a ERR_ENDED'], 0]);
  });

  test('of a resent PUBREL whose id is unknown means that the broker has the message', async () => {
    const w = world();
    await w.up();
    w.publish('a', 2);
    w.core.pubrec(w.idOf('a'));
    w.publisher.linkDown();
    await w.up(true);
    const callback = w.core.outgoing.get(w.idOf('a'))!;
    w.inFlight.take(w.idOf('a'));
    callback(refusal(0x92), { cmd: 'pubcomp', messageId: w.idOf('a') });
    assert.deepEqual(w.settled, ['a ok']);
  });

  test('for a quota makes the replay slower, once for all that it refuses at a time (R178)', async () => {
    const w = world();
    const all = Array.from({ length: 160 }, (_, i) => `t${i}`);
    for (const topic of all) w.publish(topic);
    await w.up();
    assert.equal(w.topics().length, 100);
    for (const topic of all.slice(0, 100)) await refuse(w, topic, 0x97);
    // Half of a hundred a second: one each 20 ms from now on, and the refused ones again among them.
    const before = w.topics().length;
    await w.clock.advance(400);
    await turns();
    const sent = w.topics().length - before;
    assert.ok(sent >= 15 && sent <= 25, `${sent}`);
  });
});

describe('a poison message', () => {
  /** Up and down again, `broker` answering until it dies of what it got. */
  const batch = (w: ReturnType<typeof world>, ...topics: string[]) => {
    for (const topic of topics) w.publish(topic);
  };

  for (const resumed of [false, true]) {
    const session = resumed ? 'a resumed session' : 'a new session';
    const sent = (w: ReturnType<typeof world>) =>
      resumed
        ? w.core.written.map((packet) => (packet as IPublishPacket).topic)
        : w.core.published.slice(3).map(({ topic }) => topic);

    test(`is found by sending one at a time, and given up alone, in ${session} (R92)`, async () => {
      const w = world();
      await w.up();
      batch(w, 'a', 'bad', 'c');
      assert.equal(w.down(), false);
      await w.up(resumed);
      assert.deepEqual(sent(w), ['a', 'bad', 'c']);
      assert.equal(w.down(), true);
      await w.up(resumed);
      w.publish('live', 0);
      w.publish('new', 1);
      await turns();
      assert.deepEqual(sent(w).slice(3), ['a']);
      await w.acknowledge('a');
      assert.deepEqual(sent(w).slice(3), ['a', 'bad']);
      assert.equal(w.down(), true);
      assert.deepEqual(w.settled, ['a ok', 'bad ERR_POISON']);
      const [{ reason, error } = { reason: '', error: undefined }] = w.events.of('dropped');
      assert.deepEqual([reason, error?.endpoint, w.events.of('dropped').length], ['poison', 'node-a', 1]);
      await w.up(resumed);
      for (const topic of ['c', 'new']) await w.acknowledge(topic);
      assert.deepEqual(w.settled.slice(2), ['live ok', 'c ok', 'new ok']);
      assert.deepEqual([w.publisher.unsettled.size, w.clock.pending], [0, 0]);
    });
  }

  test('is not what a single crash leaves unacknowledged: that goes out in one window', async () => {
    const w = world();
    await w.up();
    batch(w, 'a', 'b', 'c');
    w.down();
    await w.up();
    assert.deepEqual(w.topics(3), ['a', 'b', 'c']);
  });

  test('is not what two crashes leave: alone it is acknowledged, and then everything flows', async () => {
    const w = world();
    await w.up();
    batch(w, 'a', 'b');
    w.down();
    await w.up();
    w.down();
    await w.up();
    const caution: boolean[] = [];
    w.publisher.onCaution((on) => caution.push(on));
    batch(w, 'c', 'd');
    assert.deepEqual(w.topics(4), ['a']);
    await w.acknowledge('a');
    assert.deepEqual(w.topics(4), ['a', 'b']);
    await w.acknowledge('b');
    assert.deepEqual([w.topics(4), caution], [['a', 'b', 'c', 'd'], [false]]);
    w.publish('e');
    assert.equal(w.topics(4).at(-1), 'e');
  });

  test('is not what had been sent for more than two seconds, nor what a deadline of ours ended', async () => {
    const w = world();
    await w.up();
    batch(w, 'a');
    for (let i = 0; i < 2; i++) {
      await w.clock.advance(2_001);
      w.down();
      await w.up();
    }
    for (let i = 0; i < 2; i++) {
      w.down({ kind: 'link', code: 'silent' });
      await w.up();
    }
    w.publish('not held back', 0);
    assert.deepEqual([w.settled, w.publisher.unsettled.size], [['not held back ok'], 1]);
  });

  test('that the link outlives for two seconds is none, answered or not', async () => {
    const w = world();
    await w.up();
    batch(w, 'a', 'b');
    w.down();
    await w.up();
    w.down();
    await w.up();
    assert.deepEqual(w.topics(4), ['a']);
    await w.clock.advance(2_000);
    await turns();
    assert.deepEqual(w.topics(4), ['a', 'b']);
    w.publish('waits', 0);
    await w.clock.advance(2_000);
    await turns();
    for (const topic of ['c', 'd']) w.publish(topic);
    assert.deepEqual([w.settled, w.topics(4)], [['waits ok'], ['a', 'b', 'waits', 'c', 'd']]);
  });

  test('is resent only when subscriptions are restored, as one of them could be to blame', async () => {
    const w = world();
    await w.up();
    batch(w, 'a');
    w.down();
    await w.up(true);
    w.down();
    w.publisher.linkUp(linkTo('node-a', {}, true));
    assert.equal(w.core.written.length, 1);
    w.publisher.flow();
    assert.equal(w.core.written.length, 2);
    w.publisher.linkDown();
    w.publisher.linkUp(linkTo('node-a', {}, true), true);
    assert.equal(w.core.written.length, 2);
    w.publisher.flow();
    assert.equal(w.core.written.length, 3);
  });

  test('that is alone on a link that we leave is still suspected on the next one', async () => {
    const w = world();
    await w.up();
    batch(w, 'a', 'b');
    w.down();
    await w.up();
    w.down();
    await w.up();
    w.publisher.linkDown();
    await w.up();
    assert.deepEqual([w.topics(5), w.clock.pending], [['a'], 1]);
    assert.equal(w.down(), true);
    assert.deepEqual(w.settled, ['a ERR_POISON']);
  });

  test('that is evicted frees the others', async () => {
    const w = world();
    await w.up();
    w.publish('a', 1, { properties: { messageExpiryInterval: 3 } });
    w.down();
    await w.up();
    w.down();
    await w.clock.advance(3_000);
    w.publish('b', 0);
    await w.up();
    assert.deepEqual([w.topics(2), w.settled], [['b'], ['a ERR_EXPIRED', 'b ok']]);
  });
});
