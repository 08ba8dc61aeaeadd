/** Publishes and subscriptions on one link: who goes first, who waits, and what a listener may do in between. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IPublishPacket } from 'mqtt';
import { Delivery } from '../../../src/delivery/delivery.js';
import { countingGate } from '../../../src/delivery/gate.js';
import { InFlight } from '../../../src/delivery/in-flight.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { PacketIds } from '../../../src/delivery/packet-ids.js';
import { Publisher } from '../../../src/delivery/publisher.js';
import { Retries } from '../../../src/delivery/retries.js';
import { Subscriptions } from '../../../src/delivery/subscriptions.js';
import { FailoverError } from '../../../src/errors.js';
import type { ReceivedPublish } from '../../../src/events.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { linkTo } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

function world() {
  const clock = new VirtualClock();
  const random = { next: () => 0.5 };
  const events = new Recorder();
  const core = new FakeCore();
  const inFlight = new InFlight();
  core.inFlight = inFlight;
  core.ids = new PacketIds(inFlight);
  const bounds = { maxMessages: 100, maxBytes: 10_000, maxAgeMs: Number.POSITIVE_INFINITY };
  const outbox = new Outbox({ ...bounds, overflow: 'reject-new' }, { clock, events, elsewhere: inFlight });
  const options = {
    concurrency: 100,
    perSecond: Number.POSITIVE_INFINITY,
    maxMessages: 100,
    maxBytes: 10_000,
  };
  const publisher = new Publisher({
    outbox,
    inFlight,
    retries: new Retries(clock, random),
    core,
    clock,
    events,
    options: { ...options, qos2: 'republish', queueQoSZero: true },
    createGate: countingGate,
  });
  const subscriptions = new Subscriptions({
    core,
    clock,
    random,
    events,
    options: { resubscribe: true, batchSize: 50 },
  });
  const delivery = new Delivery(publisher, subscriptions);
  const settled: string[] = [];
  const note = (what: string) => (error?: Error | null) =>
    settled.push(`${what} ${error ? (error as FailoverError).code : 'ok'}`);
  const publish = (topic: string, qos: 0 | 1 | 2 = 1) => publisher.publish(topic, '', { qos }, note(topic));
  const subscribe = (filter: string) => subscriptions.subscribe([filter], {}, note(filter));
  const up = async (resumed = false, limits = {}) => {
    delivery.linkUp(linkTo('node-a', limits, resumed));
    await settle(100);
  };
  /** The broker closes the connection, and MQTT.js flushes what waited for an answer. */
  const closed = () => {
    const outcome = { kind: 'link', code: 'closed' } as const;
    const suspected = delivery.linkDown(new FailoverError('ERR_LINK', 'closed', { outcome }));
    for (const { callback } of core.requests) callback(new Error('Connection closed'));
    return suspected;
  };
  const sent = () => [
    ...core.requests.map(({ topics }) => `+${topics}`),
    ...core.published.map(({ topic }) => topic),
  ];
  return { clock, events, core, delivery, settled, publish, subscribe, up, closed, sent };
}

describe('a link after two that ended over the same things', () => {
  test('gets one SUBSCRIBE, then one publish, each alone', async () => {
    const w = world();
    await w.up();
    w.subscribe('s');
    w.publish('p');
    assert.equal(w.closed(), false);
    // The session is there, so that both are on the wire together a second time.
    w.core.published.length = 0;
    await w.up(true);
    assert.equal(w.closed(), true);
    w.core.requests.length = 0;
    w.core.written.length = 0;
    await w.up(true);
    assert.deepEqual([w.sent(), w.core.written.length], [['+s'], 0]);
    w.core.answerRequest(0);
    await settle(100);
    assert.equal(w.core.written.length, 1);
    w.subscribe('later');
    w.publish('live', 0);
    assert.deepEqual(w.sent(), ['+s']);
    w.core.acknowledge(w.core.written[0]!.messageId!);
    await settle(100);
    assert.deepEqual(w.sent(), ['+s', '+later', 'live']);
  });
});

describe('a SUBSCRIBE that is suspected', () => {
  test('goes out before what is in flight is resent', async () => {
    const w = world();
    await w.up();
    w.publish('p');
    await w.clock.advance(3_000);
    w.subscribe('s');
    w.closed();
    await w.up(true);
    assert.equal(w.core.written.length, 1);
    w.closed();
    await w.up(true);
    assert.deepEqual([w.core.requests.length, w.core.written.length], [3, 1]);
    w.core.answerRequest(2);
    await settle(100);
    assert.equal(w.core.written.length, 2);
  });
});

describe('a listener that ends the client', () => {
  test('while the link comes up leaves nothing behind', async () => {
    const w = world();
    await w.up();
    w.publish('a', 2);
    w.subscribe('s');
    w.core.answerRequest(0);
    w.delivery.linkDown();
    w.events.listener = () => w.delivery.abandon();
    await w.up(true, { maximumQos: 1 });
    assert.equal(w.clock.pending, 0);
    assert.equal(w.settled.filter((line) => line.startsWith('a ')).length, 1);
    w.subscribe('too late');
    assert.deepEqual(
      w.core.requests.map(({ topics }) => topics),
      [['s']],
    );
  });

  test('while the link goes down settles each thing once', async () => {
    const w = world();
    w.events.listener = (event) => event === 'dropped' && w.delivery.abandon();
    for (const topic of ['bad', 'good']) w.publish(topic);
    for (let i = 0; i < 2; i++) {
      await w.up();
      w.closed();
    }
    await w.up();
    w.closed();
    assert.deepEqual([w.settled, w.clock.pending], [['bad ERR_POISON', 'good ERR_ENDED'], 0]);
  });
});

describe('a received packet', () => {
  const packet = (retain: boolean): IPublishPacket => ({
    cmd: 'publish',
    topic: 't',
    payload: '',
    qos: 0,
    dup: false,
    retain,
  });
  const mark = (w: ReturnType<typeof world>, retain = true) => {
    const received: ReceivedPublish = packet(retain);
    w.delivery.packetReceived(received);
    return received.afterFailover;
  };

  test('is marked when it is retained and the session is new, but not the first (R120)', async () => {
    const w = world();
    await w.up();
    assert.equal(mark(w), undefined);
    w.delivery.linkDown();
    await w.up(false);
    assert.deepEqual([mark(w), mark(w, false)], [true, undefined]);
    w.delivery.linkDown();
    await w.up(true);
    assert.equal(mark(w), undefined);
  });
});
