/**
 * What users, brokers, disks and other tabs give the client is outside data as well.
 *
 * Typing mistakes are told as such, and without secrets; a broker can cost us no more than itself; a record that was
 * changed is left where it is; another version of the page does no harm. World: the real parts over fakes of the
 * outside; in the last group the whole client on the virtual clock.
 */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe } from 'node:test';
import { generate, type Packet } from 'mqtt-packet';
import type { BrokersInput } from '../../../src/brokers/input.js';
import { parseBrokers } from '../../../src/brokers/parse.js';
import { readArguments } from '../../../src/cli/arguments.js';
import { COMMANDS } from '../../../src/cli/commands.js';
import { readList } from '../../../src/cli/list.js';
import { UsageError } from '../../../src/cli/usage.js';
import type { FailoverClient } from '../../../src/client/client.js';
import { parseServerReference, Redirects } from '../../../src/connection/redirect.js';
import { createMessage, publishProblem, settle as settleMessage } from '../../../src/delivery/message.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { Backlog, Stores } from '../../../src/delivery/store/index.js';
import { parseRecordKey, recordKey } from '../../../src/delivery/store/keys.js';
import { decodeBody, encodeBody, frame, unframe } from '../../../src/delivery/store/record.js';
import { storedMessage } from '../../../src/delivery/store/stored-message.js';
import { FailoverError, isFailoverError } from '../../../src/errors.js';
import { brokerLimits } from '../../../src/session/broker-limits.js';
import { spreadHintOf } from '../../../src/session/spread-hint.js';
import { Bus } from '../../../src/tabs/bus.js';
import { Hub } from '../../../src/tabs/hub.js';
import { packError, packPayload, unpackError, unpackPayload } from '../../../src/tabs/messages.js';
import { Relay } from '../../../src/tabs/relay.js';
import {
  fuzz,
  isOptionError,
  keepsSecret,
  type Mutator,
  refusable,
  type Verdict,
} from '../../support/fuzz.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { endpoint } from '../fakes/fake-network.js';
import { MemoryDatabase } from '../fakes/memory-database.js';
import { MemoryNetwork, type MemoryTransport, WELL } from '../fakes/memory-network.js';
import { Recorder } from '../fakes/recorder.js';
import { rest, virtualClient } from '../fakes/virtual-client.js';

const URLS = [
  'mqtt://a.example:1883,b.example:1884,[2001:db8::1]:1885',
  'wss://user:canary%40x@a.example/mqtt?token=canary',
  'mqtts+srv://example.test',
  'wss+srv://example.test/mqtt?srv=mqtt-wss&token=canary',
  'registry+https://registry.example.test/nodes.json?token=canary',
  'a=mqtt://a.example,b=mqtts://b.example:8884',
];

describe('a damaged list of brokers', () => {
  fuzz(
    'as a URL',
    (mutator) => {
      const text = mutator.text(URLS);
      return refusable(
        () => {
          const parsed = parseBrokers(text);
          if (parsed.kind !== 'static') return;
          const ids = parsed.endpoints.map(({ id }) => id);
          const again = parseBrokers(parsed.endpoints.map(({ url }) => url));
          assert.ok(again.kind === 'static');
          assert.deepEqual(
            again.endpoints.map(({ id }) => id),
            ids,
            'it reads what it shows',
          );
          for (const { url } of parsed.endpoints) assert.doesNotMatch(url, /\?|^[a-z]+:\/\/[^/]*@/);
        },
        (error) => isOptionError(error) && keepsSecret(text, error as Error),
      );
    },
    { slowestMs: 300 },
  );

  fuzz('as objects', (mutator) => {
    const input = mutator.value(SPECS);
    return refusable(() => parseBrokers(input as BrokersInput), isOptionError);
  });

  fuzz(
    'on the command line',
    (mutator) => {
      const text = mutator.text(URLS);
      return refusable(
        () => readList(text, '--brokers'),
        (error) => error instanceof UsageError && keepsSecret(text, error),
      );
    },
    { slowestMs: 300 },
  );

  fuzz(
    'among the words of a command line',
    (mutator) => {
      const command = mutator.pick(COMMANDS);
      const words = mutator.text(COMMAND_LINES).split(' ');
      return refusable(
        () => readArguments(command, words),
        (error) => error instanceof UsageError,
      );
    },
    { slowestMs: 5_000 },
  );
});

const SPECS: readonly unknown[] = [
  ['mqtt://a', { url: 'mqtts://b', id: 'b', weight: 2, priority: 1, zone: 'z', state: 'draining', since: 1 }],
  [{ host: 'a', port: 1883, protocol: 'ws', path: '/mqtt' }, { hostname: '::1' }],
  { sources: ['mqtt://a', ['mqtt://b']], mode: 'union' },
  { url: 'wss://a/mqtt', username: 'u', password: 'canary', wsOptions: { headers: {} } },
];
const COMMAND_LINES = [
  'pump-17 --brokers mqtt://a --json',
  '--from a=mqtt://a --to b=mqtt://b --ids 100 --zone z',
  '-h --timeout 5 mqtts+srv://example.test',
];

describe('a damaged word of a broker', () => {
  fuzz('on another server', (mutator) => {
    const ids = ['a', 'b'];
    const text = mutator.text(['a.test:1883 b.test:1883', 'b.test', '[2001:db8::1]:1883 B.TEST.']);
    const references = parseServerReference(text);
    assert.ok(references.length <= 16);
    for (const { host, port } of references) {
      assert.match(host, /^[a-z0-9_.:-]+$/);
      assert.ok(port === undefined || (port >= 1 && port <= 65_535));
    }
    const listed = ids.map((id) => endpoint(id));
    const clock = new VirtualClock();
    const clientId = () => 'device';
    const strict = new Redirects({ clock, clientId, refusal: () => 'not allowed' });
    const { to } = strict.follow(endpoint('x'), 0x9c, text, listed);
    assert.ok(to === null || ids.includes(to), 'it leads nowhere but into the list');
    const open = new Redirects({ clock, clientId, refusal: () => undefined });
    const { to: anywhere } = open.follow(endpoint('x'), 0x9c, text, listed);
    assert.ok(anywhere === null || ids.includes(anywhere) || anywhere === open.guest?.id);
    assert.ok(!open.guest || references.length > 0, 'nobody invents a host');
    return to === null ? 'refused' : 'taken';
  });

  fuzz('on what it can take', (mutator) => {
    const properties = mutator.value(CONNACK_PROPERTIES) as Parameters<typeof brokerLimits>[0];
    const limits = brokerLimits(properties);
    assert.ok([0, 1, 2].includes(limits.maximumQos));
    for (const value of [limits.maximumPacketSize, limits.receiveMaximum])
      assert.ok(typeof value === 'number' && value > 0, `${value}`);
    const { maximumQos: _, maximumPacketSize: __, receiveMaximum: ___, ...flags } = limits;
    for (const flag of Object.values(flags)) assert.equal(typeof flag, 'boolean');
    const hint = spreadHintOf(properties?.userProperties as Record<string, string> | undefined);
    assert.ok(hint === undefined || (hint >= 0 && hint <= 600_000));
    return hint === undefined ? 'refused' : 'taken';
  });
});

const CONNACK_PROPERTIES: readonly unknown[] = [
  {
    receiveMaximum: 20,
    maximumQoS: 1,
    retainAvailable: false,
    maximumPacketSize: 1_000,
    wildcardSubscriptionAvailable: true,
    sharedSubscriptionAvailable: false,
    subscriptionIdentifiersAvailable: true,
    userProperties: { spreadMs: '5000', x: ['1', '2'] },
  },
];

const TIME = { life: 4_000_000_000, at: 1.5, wallAt: 1_795_000_000_000 };
const PROPERTIES: readonly object[] = [
  { contentType: 'x', messageExpiryInterval: 60, payloadFormatIndicator: true, responseTopic: 'r' },
  { userProperties: { a: 'b', c: ['d', 'e'] }, correlationData: [1, 2, 3], subscriptionIdentifier: 7 },
];

/** The body of a record, whose properties and topic need not be what a publish takes. */
function bodyOf(topic: string, properties: unknown, payload: string): Uint8Array {
  const message = createMessage(topic, payload, { qos: 1 }, () => {}, 0);
  const whole = encodeBody(message, TIME);
  const json = new TextEncoder().encode(JSON.stringify(properties) ?? '');
  const at = whole.length - new TextEncoder().encode(payload).length;
  const body = new Uint8Array(whole.length + json.length);
  body.set(whole.subarray(0, at));
  new DataView(body.buffer).setUint32(at - 4, json.length);
  body.set(json, at);
  body.set(whole.subarray(at), at + json.length);
  return body;
}

const isStoreError = (error: unknown) => error instanceof FailoverError && error.code === 'ERR_STORE';

describe('a damaged store', () => {
  fuzz('gives records that a publish could have made, or none', (mutator) => {
    const body = mutator.chance(0.5)
      ? mutator.bytes(PROPERTIES.map((properties) => bodyOf('topic/a', properties, 'payload')))
      : bodyOf(mutator.text(['topic/a', 'b']), mutator.value(PROPERTIES), 'payload');
    return refusable(() => {
      const content = decodeBody(unframe(frame(body)));
      const { topic, payload, options } = storedMessage(content, { sequence: 1, bytes: 1 }, 0);
      assert.equal(publishProblem(topic, payload, options), undefined, 'it is fit to be published');
      const packet = {
        cmd: 'publish',
        messageId: 1,
        topic,
        payload: Buffer.from(payload),
        dup: false,
      } as const;
      const { correlationData: data } = options.properties ?? {};
      const properties = { ...options.properties, ...(data ? { correlationData: Buffer.from(data) } : {}) };
      const bytes = generate({ ...packet, ...options, properties } as Packet, { protocolVersion: 5 });
      assert.ok(bytes.length > 0, 'MQTT has words for it');
    }, isStoreError);
  });

  fuzz('knows its keys from all others', (mutator) => {
    const sequence = mutator.below(2 ** 40);
    const key = recordKey({ sequence, bytes: mutator.below(2 ** 31) });
    const parsed = parseRecordKey(mutator.text([key]));
    if (!parsed) return 'refused';
    assert.ok(Number.isSafeInteger(parsed.sequence) && parsed.bytes >= 0);
    assert.deepEqual(parseRecordKey(recordKey(parsed)), parsed);
    return 'taken';
  });

  fuzz(
    'is read to its end by the next client, and takes what that publishes',
    async (mutator) => {
      const database = new MemoryDatabase();
      const first = await lifeOf(database);
      for (let n = 0; n < 3; n += 1) first.add(`before/${n}`);
      await first.clock.advance(1_000);
      await first.end();
      let damaged = false;
      for (const section of database.sections.values()) {
        for (const [key, value] of [...section]) {
          if (mutator.chance(0.5)) continue;
          damaged = true;
          section.delete(key);
          const body = mutator.chance(0.5)
            ? frame(mutator.bytes([value.subarray(5)]))
            : mutator.bytes([value]);
          section.set(mutator.chance(0.2) ? mutator.text([key]) : key, body);
        }
      }
      const second = await lifeOf(database);
      second.add('after');
      await second.clock.advance(1_000);
      const topics = await second.drain();
      assert.ok(topics.includes('after'), `${topics} came out`);
      if (!damaged) assert.deepEqual(topics, ['before/0', 'before/1', 'before/2', 'after']);
      await second.end();
      return topics.length === 4 ? 'taken' : 'refused';
    },
    { cost: 10, slowestMs: 200 },
  );
});

/** A client's outbox over `database`. */
async function lifeOf(database: MemoryDatabase) {
  const clock = new VirtualClock();
  const stores = new Stores(undefined);
  const outbox = new Outbox(
    { maxMessages: 1_000, maxBytes: 1e9, maxAgeMs: Number.POSITIVE_INFINITY, overflow: 'reject-new' },
    {
      clock,
      events: new Recorder(),
      elsewhere: { size: 0, bytes: 0 },
      makeBacklog: (shared, owner) => {
        const lease = () => stores.lease(database, 'c');
        return new Backlog(
          { ...shared, lease, codec: undefined, random: { next: () => 0.5 }, speaksMqtt5: () => true },
          owner,
        );
      },
    },
  );
  await clock.advance(1_000);
  const ended = new FailoverError('ERR_ENDED', 'ended');
  return {
    clock,
    add: (topic: string) =>
      void outbox.add(
        createMessage(topic, 'x', { qos: 1, properties: { contentType: 'x' } }, () => {}, clock.now()),
      ),
    drain: async () => {
      const topics: string[] = [];
      for (let { first } = outbox; first; first = outbox.first) {
        outbox.take(first);
        topics.push(first.topic);
        settleMessage(first);
        await settle();
      }
      return topics;
    },
    end: async () => {
      outbox.seal(ended);
      outbox.clear(ended);
      await clock.advance(1_000);
      await outbox.closed;
    },
  };
}

const STATUS = {
  state: 'connected',
  clientId: 'c',
  current: 'a',
  outbox: { messages: 0, bytes: 0, oldestAgeMs: 0 },
};
const CONNACK = { cmd: 'connack', sessionPresent: false, reasonCode: 0 };
const FILTER = { topics: { 'a/#': { qos: 1 } }, options: undefined };
const MESSAGES: readonly object[] = [
  { kind: 'ask', from: 'x' },
  { kind: 'lead', from: 'x', term: 5, status: STATUS, connack: CONNACK },
  { kind: 'bye', from: 'x' },
  { kind: 'join', from: 'x', filters: [FILTER] },
  { kind: 'leave', from: 'x' },
  { kind: 'declined', from: 'x', n: 1 },
  { kind: 'settled', from: 'x', n: 1, error: undefined, value: [{ topic: 'a/#', qos: 1 }] },
  {
    kind: 'settled',
    from: 'x',
    n: 1,
    error: packError(new FailoverError('ERR_ENDED', 'x')),
    value: undefined,
  },
  { kind: 'message', from: 'x', topic: 'a/b', payload: new Uint8Array(2), packet: { qos: 1, retain: true } },
  { kind: 'event', from: 'x', name: 'state', payload: { from: 'idle', to: 'connected', reason: 'r' } },
  { kind: 'event', from: 'x', name: 'error', payload: { error: { wireError: packError(new Error('e')) } } },
  {
    kind: 'request',
    from: 'x',
    n: 1,
    request: { kind: 'publish', topic: 'a', payload: 'x', options: { qos: 1 } },
  },
  { kind: 'request', from: 'x', n: 2, request: { kind: 'subscribe', topics: ['a/#'], options: { qos: 1 } } },
  { kind: 'request', from: 'x', n: 3, request: { kind: 'unsubscribe', topics: ['a/#'], options: undefined } },
  { kind: 'request', from: 'x', n: 4, request: { kind: 'call', method: 'moveTo', id: 'a' } },
];

/** One end of a channel, on which others may say anything. */
function busOf() {
  const posted: { kind: string; n?: number; error?: unknown }[] = [];
  let hear: (message: unknown) => void = () => {};
  const page = {
    openChannel: (_: string, receive: (message: unknown) => void) => {
      hear = receive;
      return { post: (message: unknown) => void posted.push(message as { kind: string }), close: () => {} };
    },
  };
  const bus = new Bus(page as never, 'channel', 'me');
  return { bus, posted, hear: (message: unknown) => hear(message) };
}

describe('a damaged message of another tab', () => {
  fuzz(
    'does a tab no harm',
    async (mutator) => {
      const { bus, hear } = busOf();
      const core = Object.assign(new FakeCore(), { client: new EventEmitter() });
      core.on('error', () => {});
      const relay = new Relay({
        bus,
        core: core as never,
        events: new Recorder(),
        clock: new VirtualClock(),
        bounds: { maxMessages: 10, maxBytes: 1_000, qos2: 'republish' },
      });
      bus.listen((message) => relay.receive(message));
      const settled: unknown[] = [];
      relay.subscribe(['a/#'], { qos: 1 }, () => {});
      if (mutator.chance(0.7)) hear(MESSAGES[1]);
      for (let n = 0; n < 4; n += 1) hear(mutator.value(MESSAGES));
      relay.publish('a/b', 'x', { qos: 1 }, (error) => settled.push(error));
      // The next leader is understood whatever was said before.
      hear({ kind: 'lead', from: 'y', term: 2 ** 52, status: STATUS, connack: CONNACK });
      await settle();
      assert.equal((core.client as unknown as { connected: boolean }).connected, true);
      assert.equal(relay.status?.state, 'connected');
      for (let n = 1; n <= 3; n += 1)
        hear({ kind: 'settled', from: 'y', n, error: undefined, value: undefined });
      assert.equal(settled.length, 1, 'a publish is settled once');
      return settled[0] === undefined ? 'taken' : 'refused';
    },
    { refusesNothing: true },
  );

  fuzz('does the leader no harm', async (mutator) => {
    const { bus, posted, hear } = busOf();
    const client = Object.assign(new EventEmitter(), {
      status: () => STATUS,
      publish: (topic: string, _: unknown, __: unknown, done: (error?: Error) => void) =>
        done(publishProblem(topic, '', {})),
      subscribe: (topics: unknown, _: unknown, done?: (error: Error | null, granted: object[]) => void) => {
        assert.ok(Array.isArray(topics) ? topics.every((each) => typeof each === 'string') : topics);
        done?.(null, []);
      },
      unsubscribe: (_: unknown, __?: unknown, done?: () => void) => done?.(),
      moveTo: async () => {},
      rebalance: async () => {},
      reconnect: () => {},
      end: () => {},
      drain: async () => {},
    });
    const clock = new VirtualClock();
    const locks = { acquire: () => new Promise(() => {}), take: async () => undefined };
    const hub = new Hub({
      bus,
      client: client as unknown as FailoverClient,
      clock,
      locks: locks as never,
      lock: { isHeld: async () => true },
      term: 7,
    });
    hub.start();
    for (let n = 0; n < 4; n += 1) hear(mutator.value(MESSAGES));
    await settle();
    hear({
      kind: 'request',
      from: 'z',
      n: 9,
      request: { kind: 'publish', topic: 'a', payload: 'x', options: {} },
    });
    await settle();
    const answers = posted.filter(({ kind, n }) => kind === 'settled' && n === 9);
    assert.equal(answers.length, 1, 'the next request is served');
    assert.equal(answers[0]?.error, undefined);
    hub.retire();
    return posted.some(({ kind, n }) => kind === 'settled' && n !== 9) ? 'taken' : 'refused';
  });

  fuzz(
    'is the error that was sent, when it is whole',
    (mutator) => {
      const message = mutator.text(['it failed', '']);
      const error = mutator.chance(0.5)
        ? new Error(message)
        : new FailoverError('ERR_REFUSED', message, { endpoint: 'a', reasonCode: 0x87, retryable: true });
      const { error: back } = unpackPayload(structuredClone(packPayload({ error, n: 1 }))) as {
        error: Error;
      };
      const fields = ({ name, message: text, ...rest }: Error) => ({ ...rest, name, text });
      assert.deepEqual(fields(back), fields(error));
      assert.deepEqual(fields(unpackError(structuredClone(packError(error)))), fields(error));
      return 'taken';
    },
    { refusesNothing: true },
  );
});

/** Packets as a broker sends them. */
const PACKETS: Readonly<Record<4 | 5, readonly Uint8Array[]>> = { 4: packetsOf(4), 5: packetsOf(5) };

function packetsOf(protocolVersion: 4 | 5): readonly Uint8Array[] {
  const properties = protocolVersion === 5 ? { userProperties: { a: 'b' }, reasonString: 'r' } : undefined;
  const publish = { topic: 'a/b', payload: 'x', dup: false, retain: false, messageId: 9 } as const;
  const packets: Packet[] = [
    { cmd: 'publish', ...publish, qos: 1 },
    { cmd: 'publish', ...publish, qos: 2, ...(properties ? { properties: { topicAlias: 1 } } : {}) },
    { cmd: 'puback', messageId: 1, ...(properties ? { reasonCode: 0x10, properties } : {}) },
    { cmd: 'pubrec', messageId: 1, ...(properties ? { reasonCode: 0x97, properties } : {}) },
    { cmd: 'pubrel', messageId: 9 },
    { cmd: 'pubcomp', messageId: 1 },
    { cmd: 'suback', messageId: 1, granted: [1] },
    { cmd: 'unsuback', messageId: 1, granted: [0] },
    { cmd: 'pingresp' },
    ...(properties ? ([{ cmd: 'disconnect', reasonCode: 0x8b, properties }] as Packet[]) : []),
  ];
  return packets.map((packet) => generate(packet, { protocolVersion }));
}

function connackOf(protocolVersion: 4 | 5): Uint8Array {
  const packet =
    protocolVersion === 5
      ? {
          reasonCode: 0,
          properties: {
            receiveMaximum: 20,
            maximumPacketSize: 1_000,
            serverKeepAlive: 30,
            topicAliasMaximum: 5,
            reasonString: 'r',
            userProperties: { spreadMs: '50' },
          },
        }
      : { returnCode: 0 };
  return generate({ cmd: 'connack', sessionPresent: false, ...packet } as Packet, { protocolVersion });
}

describe('a broker that sends damaged packets', () => {
  const damaging =
    (when: 'for CONNACK' | 'after CONNACK') =>
    async (mutator: Mutator): Promise<Verdict> => {
      const clock = new VirtualClock();
      const random = new SeededRandom(mutator.below(2 ** 32));
      const network = new MemoryNetwork(clock, random);
      const protocolVersion = mutator.pick([4, 5] as const);
      // The first broker misbehaves once on every connection; the second is well.
      if (when === 'for CONNACK') network.behave('bad', { ...WELL, connect: 'silent' });
      network.onConnect = (transport: MemoryTransport) => {
        if (transport.id !== 'bad') return;
        const bytes = mutator.bytes(
          when === 'for CONNACK' ? [connackOf(protocolVersion)] : PACKETS[protocolVersion],
        );
        const pieces = mutator.pieces(bytes);
        clock.setTimeout(
          () => {
            for (const piece of pieces) transport.sendRaw(Buffer.from(piece));
          },
          when === 'for CONNACK' ? 5 : 100,
        );
      };
      const { client, own } = virtualClient(
        ['bad', 'good'].map((id) => ({ url: `ws://${id}.test`, id })),
        { clock, random, network },
        { clientId: 'c', protocolVersion, selection: 'ordered', failback: { mode: 'off' } },
      );
      const errors: Error[] = [];
      const settled: unknown[] = [];
      client.on('error', (error) => errors.push(error as Error));
      client.subscribe('a/#', { qos: 1 }, () => {});
      client.publish('a/b', 'x', { qos: 1 }, (error) => settled.push(error));
      try {
        const pass = (ms: number) => clock.advance(ms, () => rest(1));
        await pass(10_000);
        client.publish('a/c', 'y', { qos: 1 }, (error) => settled.push(error));
        for (let minute = 0; minute < 3 && settled.length < 2; minute += 1) await pass(60_000);
        await pass(1_000);
        if (client.status().state === 'failed') {
          // Some codes say that no broker would take us: nobody is asked again until the application wants it.
          assert.ok(errors.length === 1 && isFailoverError(errors[0]) && errors[0].code === 'ERR_ALL_FAILED');
          return 'refused';
        }
        assert.deepEqual(settled, [undefined, undefined], 'what was published has arrived');
        assert.deepEqual([client.connected, errors], [true, []], 'nobody but the broker is the worse for it');
        return client.status().current === 'bad' ? 'taken' : 'refused';
      } finally {
        client.end(true);
        await rest();
        assert.equal(own.pending, 0, 'no timer is left');
      }
    };

  fuzz('for CONNACK costs nobody anything', damaging('for CONNACK'), { cost: 10, slowestMs: 1_000 });
  fuzz('after CONNACK costs nobody anything', damaging('after CONNACK'), { cost: 10, slowestMs: 1_000 });
});
