/** The process of one client with an outbox, which measures how fast it takes, stores and sends messages. */
import { setTimeout } from 'node:timers/promises';
import type { FailoverClient } from '../../../src/client/client.js';
import { serve } from '../../support/child.js';
import { connect } from '../../support/library.js';

const TOPIC = 'site/7/line/2/meter/42/power';
const PAYLOAD = 'x'.repeat(100);
/** Of which nothing waits. */
const LIVE_TOPIC = 'site/7/line/2/alarm';
/** Milliseconds between an acknowledged live publish and the next. */
const LIVE_PAUSE_MS = 100;
/** Publishes in one turn of the event loop, and those that may wait for their commit. */
const BURST = 1_000;
const UNCOMMITTED = 20_000;

export interface OutboxRun {
  readonly url: string;
  /** A new directory, or `undefined` for memory. */
  readonly store: string | undefined;
  readonly messages: number;
}

function open({ url, store }: OutboxRun): FailoverClient {
  const outbox = { maxMessages: 10_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
  const client = connect([url], { clientId: 'bench', outbox: store ? { ...outbox, store } : outbox });
  client.on('storage-degraded', ({ error }) => {
    throw error;
  });
  return client;
}

function connected(client: FailoverClient): Promise<void> {
  return new Promise((resolve) => client.once('connect', () => resolve()));
}

/** Resolves when all are accepted. */
function accept(client: FailoverClient, messages: number): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let stored = 0;
    const options = {
      qos: 1,
      cbStorePut: () => {
        stored += 1;
        if (stored === messages) resolve();
      },
    } as const;
    const burst = () => {
      const end = Math.min(messages, sent + (sent - stored < UNCOMMITTED ? BURST : 0));
      for (; sent < end; sent += 1) client.publish(TOPIC, PAYLOAD, options);
      if (sent < messages) setImmediate(burst);
    };
    burst();
  });
}

const methods = {
  /** Messages per second through a connected client, a window of them in the air. */
  async live(run: OutboxRun): Promise<number> {
    const client = open(run);
    await connected(client);
    // What is published while the store opens is queued, and a full window then keeps the queue from running empty.
    await client.flush();
    const startedAt = performance.now();
    await new Promise<void>((resolve) => {
      let sent = 0;
      let settled = 0;
      const pump = () => {
        while (sent < run.messages && sent - settled < 500) {
          sent += 1;
          client.publish(TOPIC, PAYLOAD, { qos: 1 }, () => {
            settled += 1;
            if (settled === run.messages) resolve();
            else if (sent - settled < 250) pump();
          });
        }
      };
      pump();
    });
    const rate = (run.messages * 1_000) / (performance.now() - startedAt);
    await client.endAsync();
    return rate;
  },

  /** Messages accepted per second while no broker is there; the store keeps them. */
  async accept(run: OutboxRun): Promise<{ rate: number; heapBytes: number }> {
    const client = open(run);
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    const startedAt = performance.now();
    await accept(client, run.messages);
    const rate = (run.messages * 1_000) / (performance.now() - startedAt);
    globalThis.gc?.();
    const heapBytes = (process.memoryUsage().heapUsed - heapUsed) / run.messages;
    await client.endAsync(true);
    return { rate, heapBytes };
  },

  /** Milliseconds from `connect` to the first PUBACK of what the store holds, and messages per second after CONNACK. */
  async drain(run: OutboxRun): Promise<{ firstMs: number; rate: number }> {
    const startedAt = performance.now();
    const client = open(run);
    let firstMs = 0;
    client.on('packetreceive', ({ cmd }) => {
      if (cmd === 'puback' && firstMs === 0) firstMs = performance.now() - startedAt;
    });
    await connected(client);
    const connectedAt = performance.now();
    await client.flush({ timeoutMs: 600_000 });
    const rate = (run.messages * 1_000) / (performance.now() - connectedAt);
    await client.endAsync();
    return { firstMs, rate };
  },

  /**
   * Milliseconds from `publish` to PUBACK of each live publish of a topic of its own, one after another, while what
   * the store holds is being drained. The first one makes the client read the store for its topics.
   */
  async overtake(run: OutboxRun): Promise<number[]> {
    const client = open(run);
    await connected(client);
    const took: number[] = [];
    do {
      const startedAt = performance.now();
      await client.publishAsync(LIVE_TOPIC, PAYLOAD, { qos: 1 });
      took.push(performance.now() - startedAt);
      await setTimeout(LIVE_PAUSE_MS);
    } while (client.status().outbox.messages > 0);
    await client.endAsync();
    return took;
  },
};

export type OutboxMethods = typeof methods;

serve(methods);
