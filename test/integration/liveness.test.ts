/**
 * A dead link is left quickly, a slow one or a slow application is not taken for one.
 *
 * World: scripted brokers on 127.0.0.1 with the default deadlines, in real time; one of them falls silent, one is
 * reached through a bad network. Each test takes the seconds that the deadlines take, so they run side by side.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Packet } from 'mqtt';
import type { FailoverClient, FailoverEvents, FailoverOptions } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { client, payloads } from './world.js';

type Failover = FailoverEvents['failover'];

/** About two seconds, on a machine that may be busy; keepalive would take 75 and more. */
const SOON_MS = 15_000;

/** The default waits: these tests are about time. */
const DEFAULTS: FailoverOptions = { clientId: 'device-7', backoff: {} };

/** QoS 1 publishes, one every `everyMs` until stopped. */
class Traffic implements Disposable {
  readonly sent: string[] = [];
  readonly #settled: Promise<unknown>[] = [];
  readonly #made: FailoverClient;
  readonly #timer: NodeJS.Timeout;

  constructor(made: FailoverClient, everyMs: number) {
    this.#made = made;
    this.#timer = setInterval(() => this.send(), everyMs);
  }

  send(): void {
    const payload = `${this.sent.length}`;
    this.sent.push(payload);
    const published = this.#made.publishAsync('readings/a', payload, { qos: 1 });
    published.catch(() => {});
    this.#settled.push(published);
  }

  /** Resolves when all that was sent is acknowledged; rejects when any publish was. */
  async stop(): Promise<void> {
    this[Symbol.dispose]();
    await Promise.all(this.#settled);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function arrived(brokers: readonly ScriptedBroker[]): Set<string> {
  return new Set(brokers.flatMap((broker) => payloads(broker)));
}

function pingsAt(broker: ScriptedBroker): number {
  return broker.packets('pingreq').length;
}

/** The simplest broker, with a thread and so a life of its own; it posts its port. */
const THREAD = `
  const { createServer } = require('node:net');
  const { parentPort } = require('node:worker_threads');
  const { generate, parser } = require('mqtt-packet');
  const server = createServer((socket) => {
    const incoming = parser();
    socket.on('error', () => {}).on('data', (bytes) => incoming.parse(bytes));
    incoming.on('packet', ({ cmd, qos, messageId }) => {
      if (cmd === 'connect') socket.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
      if (cmd === 'pingreq') socket.write(generate({ cmd: 'pingresp' }));
      if (cmd === 'publish' && qos === 1) socket.write(generate({ cmd: 'puback', messageId }));
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** Keeps the event loop of this thread from turning. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('a link', { concurrency: true }, () => {
  for (const protocolVersion of [4, 5] as const) {
    it(`that falls silent under QoS 1 traffic is left in seconds, with nothing lost: MQTT ${protocolVersion}`, async () => {
      await using first = await scriptedBroker();
      await using second = await scriptedBroker();
      await using made = client([first.url, second.url], { ...DEFAULTS, protocolVersion });
      await once(made, 'connect');
      using traffic = new Traffic(made, 20);
      await until(() => payloads(first).length >= 25);
      const acknowledged = payloads(first);
      first.script = () => true;
      const silentAt = performance.now();
      const [failover] = await once<[Failover]>(made, 'failover');
      const took = performance.now() - silentAt;
      assert.ok(took < SOON_MS, `${took} ms`);
      assert.match(failover.reason, /dead|no byte/);
      await pause(200);
      await traffic.stop();
      const delivered = new Set([...acknowledged, ...payloads(second)]);
      assert.deepEqual(
        traffic.sent.filter((payload) => !delivered.has(payload)),
        [],
      );
      // First transmissions in order: nothing new overtakes what is sent again.
      const order = [...new Set(payloads(second))].map(Number);
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
    });
  }

  it('that takes publishes and answers pings, but acknowledges nothing, is not left at once', async () => {
    await using first = await scriptedBroker(({ cmd }) => cmd === 'publish');
    await using second = await scriptedBroker();
    await using made = client([first.url, second.url], DEFAULTS);
    const failovers = collect<Failover>(made, 'failover');
    await once(made, 'connect');
    const publishing = made.publishAsync('readings/a', '1', { qos: 1 });
    await until(() => pingsAt(first) >= 3, { timeoutMs: 12_000, what: 'three pings' });
    assert.deepEqual(failovers, []);
    const { messageId = 0 } = first.packets('publish')[0] as Packet;
    first.latest.send({ cmd: 'puback', messageId });
    await publishing;
    assert.equal(second.connects, 0);
  });

  for (const { name, bytes } of [
    { name: 'a trickle', bytes: 10 },
    { name: 'more than the pipe can hold', bytes: 20_000 },
  ]) {
    it(`whose messages a handler takes 4 s for, under ${name} in and traffic out, is not dead`, async () => {
      await using first = await scriptedBroker();
      await using second = await scriptedBroker();
      await using made = client([first.url, second.url], DEFAULTS);
      const closes = collect(made, 'close');
      const failovers = collect<Failover>(made, 'failover');
      let handled = 0;
      made.handleMessage = (_packet, callback) => {
        handled += 1;
        setTimeout(callback, handled === 1 ? 4_000 : 0);
      };
      await once(made, 'connect');
      using traffic = new Traffic(made, 50);
      const message = { cmd: 'publish', topic: 'cmd/a', qos: 0, dup: false, retain: false } as const;
      const inbound = setInterval(() => first.latest.send({ ...message, payload: Buffer.alloc(bytes) }), 20);
      try {
        await until(() => handled >= 20, { timeoutMs: 15_000, what: () => `20 messages, ${handled} so far` });
      } finally {
        clearInterval(inbound);
      }
      await traffic.stop();
      assert.deepEqual([closes, failovers], [[], []]);
      assert.deepEqual([first.connects, second.connects], [1, 0]);
    });
  }

  it('whose only message a handler takes 5 s for goes on telling the broker that it lives', async () => {
    // A broker gives up a client that it has not heard of for one and a half times the keepalive [MQTT-3.1.2-22].
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using made = client([first.url, second.url], { ...DEFAULTS, keepalive: 1 });
    const closes = collect(made, 'close');
    await once(made, 'connect');
    const handled = new Promise<void>((resolve) => {
      made.handleMessage = (_packet, callback) =>
        void setTimeout(() => {
          callback();
          resolve();
        }, 5_000);
    });
    first.latest.send({ cmd: 'publish', topic: 'c', payload: 'x', qos: 0, dup: false, retain: false });
    await handled;
    // One a second; each may be a little late.
    const pings = first.received.filter(({ packet }) => packet.cmd === 'pingreq').length;
    assert.ok(pings >= 3, `${pings} pings in 5 s`);
    assert.deepEqual(closes, []);
  });

  it('that dies while a handler holds its messages back is left once the handler has returned', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using made = client([first.url, second.url], DEFAULTS);
    made.handleMessage = (_packet, callback) => void setTimeout(callback, 2_500);
    await once(made, 'connect');
    first.latest.send({ cmd: 'publish', topic: 'c', payload: 'x', qos: 0, dup: false, retain: false });
    first.script = () => true;
    await pause(100);
    const published = made.publishAsync('readings/a', '1', { qos: 1 });
    await once(made, 'failover', 8_000);
    await published;
    assert.deepEqual([...arrived([second])], ['1']);
  });

  it('of 600 to 1100 ms round trip is kept for 15 s of traffic, with few pings', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using proxy = await faultProxy(first.port);
    proxy.set({ latency: 300, jitter: 250 });
    await using made = client([proxy.url, second.url], {
      ...DEFAULTS,
      // The round trip is for liveness to cope with, not for the race of transports.
      dial: { staggerMs: 2_000 },
    });
    const closes = collect(made, 'close');
    await once(made, 'connect');
    using traffic = new Traffic(made, 50);
    await pause(15_000);
    assert.deepEqual(closes, []);
    await traffic.stop();
    assert.deepEqual([proxy.accepted, second.connects], [1, 0]);
    assert.deepEqual(
      traffic.sent.filter((payload) => !arrived([first]).has(payload)),
      [],
    );
    assert.ok(pingsAt(first) <= 10, `${pingsAt(first)} pings`);
  });

  it('that stalls for less than the deadlines is kept', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using proxy = await faultProxy(first.port);
    await using made = client([proxy.url, second.url], DEFAULTS);
    const closes = collect(made, 'close');
    await once(made, 'connect');
    using traffic = new Traffic(made, 20);
    for (let n = 0; n < 4; n += 1) {
      await pause(500);
      proxy.set({ stall: true });
      await pause(900);
      proxy.clear();
    }
    await traffic.stop();
    assert.deepEqual([closes, proxy.accepted, second.connects], [[], 1, 0]);
  });

  it('that half opens, as behind a NAT that forgot it, is left in seconds after the next publish', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using proxy = await faultProxy(first.port);
    await using made = client([proxy.url, second.url], DEFAULTS);
    await once(made, 'connect');
    proxy.set({ drop: true });
    const publishedAt = performance.now();
    const published = made.publishAsync('readings/a', '1', { qos: 1 });
    await once(made, 'failover');
    assert.ok(performance.now() - publishedAt < SOON_MS);
    await published;
    assert.deepEqual([...arrived([second])], ['1']);
  });
});

// By itself: what blocks the process blocks every test in it.
describe('a link', () => {
  it('whose process was blocked for twice 1.5 s, with all answers waiting to be read, is kept', async () => {
    // Nothing in this thread runs meanwhile, so the broker needs another one.
    const broker = new Worker(THREAD, { eval: true });
    const [port] = await once<[number]>(broker, 'message');
    await using second = await scriptedBroker();
    try {
      await using made = client([`mqtt://127.0.0.1:${port}`, second.url], DEFAULTS);
      const closes = collect(made, 'close');
      await once(made, 'connect');
      using traffic = new Traffic(made, 20);
      await pause(400);
      // The second block comes right after the ping that the first one provokes: no socket is read in between.
      traffic.send();
      setTimeout(() => block(1_500), 1_200);
      block(1_500);
      await pause(2_000);
      await traffic.stop();
      assert.deepEqual([closes, second.connects], [[], 0]);
    } finally {
      await broker.terminate();
    }
  });
});
