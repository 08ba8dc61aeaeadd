/**
 * What an operator sees of a client: the steps of a fail-over, its log, diagnostics channels, and metrics.
 *
 * World: scripted brokers on 127.0.0.1, one of which falls silent. Deadlines are short. The metrics are read by
 * OpenTelemetry's own SDK.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, it } from 'node:test';
import { format } from 'node:util';
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  type FailoverClient,
  type FailoverEvents,
  type FailoverOptions,
  connect as open,
} from '../../src/index.js';
import { instrument } from '../../src/opentelemetry/opentelemetry.js';
import { aedesBroker } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { client, disposable, refuse } from './world.js';

type Trace = FailoverEvents['trace'];

/** Hands over what was measured when a test asks. */
class OnDemand extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}

  /** What an instrument has, each set of attributes with its value or, for a histogram, its count. */
  async points(name: string): Promise<{ attributes: object; value: number; sum: number; unit: string }[]> {
    const { resourceMetrics } = await this.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const found = metrics.filter(({ descriptor }) => descriptor.name === name);
    return found.flatMap(({ descriptor: { unit }, dataPoints }) =>
      (dataPoints as DataPoint<number | Histogram>[]).map(({ attributes, value }) =>
        typeof value === 'number'
          ? { attributes, value, sum: value, unit }
          : { attributes, value: value.count, sum: value.sum ?? 0, unit },
      ),
    );
  }
}

function metrics() {
  const reader = new OnDemand();
  return { reader, meterProvider: new MeterProvider({ readers: [reader] }) };
}

const serverOf = ({ port }: { port: number }) => ({ 'server.address': '127.0.0.1', 'server.port': port });
const PUBLISH = {
  'messaging.system': 'mqtt',
  'messaging.operation.name': 'publish',
  'messaging.operation.type': 'send',
};

/** A client on `a`, with one subscription, whose deadlines are fractions of a second. */
async function onFirst(
  a: ScriptedBroker,
  b: ScriptedBroker,
  options: FailoverOptions = {},
): Promise<FailoverClient & AsyncDisposable> {
  const made = client(
    [
      { url: a.url, id: 'a' },
      { url: b.url, id: 'b' },
    ],
    { clientId: 'pump-17', liveness: { suspectAfterMs: 100, pingTimeoutMs: 100 }, ...options },
  );
  await once(made, 'connect');
  await made.subscribeAsync('commands', { qos: 1 });
  return made;
}

/** `a` says nothing more, while a publish waits for its acknowledgement; the client goes to `b`. */
async function silence(a: ScriptedBroker, made: FailoverClient): Promise<void> {
  a.script = () => true;
  await made.publishAsync('readings', 'canary-payload', { qos: 1 });
}

describe('event trace', () => {
  it('tells a fail-over step by step, from the first doubt to the resumed work', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    await using made = await onFirst(a, b);
    const steps = collect<Trace>(made, 'trace');
    await silence(a, made);
    // A slow machine may doubt the second broker, too.
    assert.deepEqual(
      steps.slice(0, 6).map(({ endpoint, step }) => `${endpoint} ${step}`),
      ['a asking', 'a lost', 'b dialed', 'b accepted', 'b resent', 'b restored'],
    );
    const [asking, lost, dialed, accepted, resent, restored] = steps as [
      Trace,
      Trace,
      Trace,
      Trace,
      Trace,
      Trace,
    ];
    assert.match(asking.text, /^no acknowledgement for \d+ ms, asking by a ping$/);
    assert.match(lost.text, /^The connection to a is dead: no byte for \d+ ms after a ping$/);
    assert.equal(lost.code, 'ERR_LINK');
    assert.ok((lost.ms ?? 0) > (asking.ms ?? 0), `${lost.ms} ms of silence, asked after ${asking.ms} ms`);
    assert.match(dialed.text, /^dialed in [\d.]+ m?s$/);
    assert.match(accepted.text, /^CONNACK after [\d.]+ m?s, new session$/);
    assert.equal(resent.text, '1 in flight published again as new');
    assert.equal(restored.text, '1 subscription restored');
  });

  it('names what was tried in vain, with the code of each', async () => {
    await using refuses = await scriptedBroker(({ cmd }, connection) =>
      cmd === 'connect' ? refuse(connection, 0x87) : undefined,
    );
    await using b = await scriptedBroker();
    await using made = client(
      [
        { url: 'mqtt://127.0.0.1:1', id: 'closed' },
        { url: refuses.url, id: 'refuses' },
        { url: b.url, id: 'b' },
      ],
      { protocolVersion: 5 },
    );
    const steps = collect<Trace>(made, 'trace');
    await once(made, 'connect');
    assert.deepEqual(
      steps.map(({ endpoint, step, code }) => [endpoint, step, code]),
      [
        ['closed', 'failed', 'ERR_TRANSPORT'],
        ['refuses', 'dialed', null],
        ['refuses', 'failed', 0x87],
        ['b', 'dialed', null],
        ['b', 'accepted', null],
      ],
    );
  });

  it('may end the client in any of its steps, and nothing is left behind', async () => {
    for (const last of ['asking', 'lost', 'dialed', 'accepted', 'resent', 'restored'] as const) {
      const before = openHandles();
      assert.equal((await endedAt(last)).at(-1), last);
      await expectNoNewHandles(before);
    }
  });
});

/** The steps of a fail-over during which a listener ends the client. */
async function endedAt(last: Trace['step']): Promise<Trace['step'][]> {
  await using a = await scriptedBroker();
  await using b = await scriptedBroker();
  await using made = await onFirst(a, b);
  const told: Trace['step'][] = [];
  made.on('trace', ({ step }) => {
    told.push(step);
    if (step === last) made.end(true);
  });
  await Promise.allSettled([silence(a, made)]);
  await until(() => made.status().state === 'closed', { what: `an end after ${last}` });
  return told;
}

describe('log', () => {
  it('has the steps as sentences, and no payload of a message', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    const lines: string[] = [];
    await using made = await onFirst(a, b, { log: (...args) => void lines.push(format(...args)) });
    await silence(a, made);
    const ours = lines.filter((line) => line.startsWith('mqtt-failover ::'));
    assert.ok(ours.some((line) => /^mqtt-failover :: a: no acknowledgement for \d+ ms/.test(line)));
    assert.ok(
      ours.some((line) => line.startsWith('mqtt-failover :: failover {')),
      ours.join('\n'),
    );
    assert.ok(lines.length > 2 * ours.length, 'MQTT.js logs, too');
    assert.deepEqual(
      lines.filter((line) => /canary/.test(line)),
      [],
    );
  });
});

describe('diagnostics channels', () => {
  it('tell anybody in the process what the client tells its listeners', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    const heard: object[] = [];
    const listener = (message: unknown) => void heard.push(message as object);
    subscribe('mqtt-failover:failover', listener);
    try {
      await using made = await onFirst(a, b);
      const failovers = collect<object>(made, 'failover');
      await silence(a, made);
      assert.deepEqual(
        heard,
        failovers.map((payload) => ({ clientId: 'pump-17', ...payload })),
      );
      assert.equal(heard.length, 1);
    } finally {
      unsubscribe('mqtt-failover:failover', listener);
    }
  });
});

describe('instrument', () => {
  it('counts and times a fail-over, in seconds and by broker', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    const { reader, meterProvider } = metrics();
    await using made = await onFirst(a, b);
    instrument(made, { meterProvider });
    await made.publishAsync('readings', '1', { qos: 1 });
    await silence(a, made);
    await assert.rejects(made.publishAsync('readings/#', '3', { qos: 1 }));
    const sent = await reader.points('messaging.client.sent.messages');
    assert.deepEqual(
      sent.map(({ attributes, value, unit }) => [attributes, value, unit]),
      [
        [{ ...PUBLISH, ...serverOf(a) }, 1, '{message}'],
        [{ ...PUBLISH, ...serverOf(b) }, 1, '{message}'],
        [{ ...PUBLISH, ...serverOf(b), 'error.type': 'ERR_MESSAGE' }, 1, '{message}'],
      ],
    );
    const [, waited] = await reader.points('messaging.client.operation.duration');
    assert.equal(waited?.unit, 's');
    assert.ok(waited.sum > 0.1 && waited.sum < 60, `${waited.sum} s with the silence in it`);
    const counts: [string, object, number][] = [
      ['mqtt_failover.failovers', { ...serverOf(a), 'mqtt_failover.resumed': false }, 1],
      ['mqtt_failover.offline.duration', {}, 1],
      ['mqtt_failover.detection.duration', serverOf(a), 1],
      ['mqtt_failover.connection.attempts', serverOf(b), 1],
      ['mqtt_failover.dial.duration', serverOf(b), 1],
      ['mqtt_failover.connect.duration', serverOf(b), 1],
      ['mqtt_failover.dropped.messages', { 'mqtt_failover.drop.reason': 'rejected' }, 1],
    ];
    for (const [name, attributes, value] of counts)
      assert.deepEqual(
        (await reader.points(name)).map((each) => [each.attributes, each.value]),
        [[attributes, value]],
        name,
      );
    const [detected] = await reader.points('mqtt_failover.detection.duration');
    assert.ok(detected && detected.sum > 0.05 && detected.sum < 60, `${detected?.sum} s`);
  });

  it('adds up clients, outboxes and verdicts, however many clients there are', async () => {
    await using broker = await scriptedBroker(({ cmd }) => cmd === 'publish');
    const { reader, meterProvider } = metrics();
    await using one = client([broker.url]);
    await using two = client([broker.url]);
    await using off = client(['mqtt://127.0.0.1:1'], { manualConnect: true });
    for (const each of [one, two, off]) instrument(each, { meterProvider });
    await Promise.all([once(one, 'connect'), once(two, 'connect')]);
    for (const each of [one, two, off]) each.publish('t', 'four', { qos: 1 }, () => {});
    const points = async (name: string) =>
      (await reader.points(name)).map(({ attributes, value }) => [attributes, value]);
    assert.deepEqual(await points('mqtt_failover.clients'), [
      [{ 'mqtt_failover.client.state': 'connected', ...serverOf(broker) }, 2],
      [{ 'mqtt_failover.client.state': 'idle' }, 1],
    ]);
    assert.deepEqual(await points('mqtt_failover.endpoint.clients'), [
      [{ 'mqtt_failover.endpoint.state': 'healthy', ...serverOf(broker) }, 2],
    ]);
    assert.deepEqual(await points('mqtt_failover.outbox.messages'), [[{}, 3]]);
    const bytes = one.status().outbox.bytes + two.status().outbox.bytes + off.status().outbox.bytes;
    assert.deepEqual(await points('mqtt_failover.outbox.size'), [[{}, bytes]]);
    const [age] = await reader.points('mqtt_failover.outbox.age');
    assert.ok(age && age.unit === 's' && age.value >= 0 && age.value < 10, `${age?.value}`);
    one.end(true);
    await once(one, 'end');
    assert.deepEqual(await points('mqtt_failover.outbox.messages'), [[{}, 2]]);
  });

  it('times moves and counts what is received, and names a topic as it is told to', async () => {
    await using a = await aedesBroker();
    await using b = await aedesBroker();
    const { reader, meterProvider } = metrics();
    await using made = client([a.url, b.url]);
    instrument(made, { meterProvider, destination: (topic) => topic.replace(/\d+/, '{id}') });
    await once(made, 'connect');
    await made.subscribeAsync('pumps/+');
    const message = once(made, 'message');
    await made.publishAsync('pumps/17', 'x', { qos: 1 });
    await message;
    await made.moveTo(made.status().endpoints[1]?.id as string);
    const [consumed] = await reader.points('messaging.client.consumed.messages');
    assert.deepEqual(consumed?.attributes, {
      'messaging.system': 'mqtt',
      'messaging.operation.name': 'receive',
      'messaging.operation.type': 'receive',
      'messaging.destination.template': 'pumps/{id}',
      ...serverOf({ port: Number(new URL(a.url).port) }),
    });
    const [moved] = await reader.points('mqtt_failover.move.duration');
    assert.deepEqual(moved?.attributes, {
      ...serverOf({ port: Number(new URL(b.url).port) }),
      'mqtt_failover.move': 'move',
    });
    assert.deepEqual(await reader.points('mqtt_failover.offline.duration'), []);
  });

  it('works for a client that is MQTT.js to the letter, and leaves it as it was when stopped', async () => {
    await using broker = await scriptedBroker();
    const { reader, meterProvider } = metrics();
    await using made = disposable(open(broker.url));
    assert.equal(made.isPlain, true);
    const listeners = () => made.eventNames().map((event) => [event, made.listenerCount(event)]);
    const before = listeners();
    const stop = instrument(made, { meterProvider });
    await once(made, 'connect');
    await made.publishAsync('t', 'x', { qos: 1 });
    const sent = async () =>
      (await reader.points('messaging.client.sent.messages')).map(({ attributes, value }) => [
        attributes,
        value,
      ]);
    assert.deepEqual(await sent(), [[{ ...PUBLISH, ...serverOf(broker) }, 1]]);
    stop();
    await made.publishAsync('t', 'x', { qos: 1 });
    assert.deepEqual(await sent(), [[{ ...PUBLISH, ...serverOf(broker) }, 1]]);
    assert.deepEqual(listeners(), before);
    assert.equal(Object.hasOwn(made, 'publish'), false);
    const [gone] = await reader.points('mqtt_failover.clients');
    assert.equal(gone?.value, 0);
  });
});
