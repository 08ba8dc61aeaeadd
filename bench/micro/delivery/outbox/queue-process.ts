/** The process of one queue that is filled and timed. */
import { createServer } from 'node:net';
import { createMessage, type Message } from '../../../../src/delivery/message.js';
import { Outbox } from '../../../../src/delivery/outbox.js';
import type { OverflowPolicy } from '../../../../src/index.js';
import { nodePlatform } from '../../../../src/platform/node.js';
import { serve } from '../../../support/child.js';
import { connect } from '../../../support/library.js';

/** Enqueues between two looks at the clock. */
const BATCH = 50;
const BATCHES = 200;
/** A queue is not filled by more than this share beyond its depth. */
const GROWTH = 0.2;
const PAYLOAD = 'x'.repeat(100);

export type Route = 'publish' | 'Outbox.add';

export interface QueueRun {
  readonly route: Route;
  readonly policy: OverflowPolicy;
  readonly depth: number;
}

/** Microseconds for each enqueue, batch by batch. */
export interface QueueTimes {
  /** With room left. */
  readonly room: readonly number[];
  /** With the queue at its bound; for `latest-per-topic` with topics that wait already. */
  readonly full: readonly number[];
}

/** One queue behind either door. */
interface Queue {
  /** Prepares the newcomers; calling the result enqueues them. */
  batch(topics: readonly string[], qos: 0 | 1): () => void;
  end(): Promise<void>;
}

function throughOutbox(policy: OverflowPolicy, maxMessages: number): Queue {
  const bounds = {
    maxMessages,
    maxBytes: Number.MAX_SAFE_INTEGER,
    maxAgeMs: Number.POSITIVE_INFINITY,
    overflow: policy,
  };
  const elsewhere = { size: 0, bytes: 0 };
  const outbox = new Outbox(bounds, { clock: nodePlatform.clock, events: { emit() {} }, elsewhere });
  const options = [{ qos: 0 }, { qos: 1 }] as const;
  return {
    batch(topics, qos) {
      const messages = topics.map((topic) => createMessage(topic, PAYLOAD, options[qos], ignore, 0));
      return () => {
        for (const message of messages) outbox.add(message as Message);
      };
    },
    async end() {},
  };
}

async function throughClient(policy: OverflowPolicy, maxMessages: number): Promise<Queue> {
  const client = connect([`mqtt://127.0.0.1:${await deadPort()}`], {
    clientId: 'bench-offline',
    outbox: { maxMessages, maxBytes: Number.MAX_SAFE_INTEGER, overflow: policy },
  });
  const options = [{ qos: 0 }, { qos: 1 }] as const;
  return {
    batch: (topics, qos) => () => {
      for (const topic of topics) client.publish(topic, PAYLOAD, options[qos], ignore);
    },
    end: () => client.endAsync(true),
  };
}

/** A port where nobody listens. */
function deadPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Batches of one queue, so that small queues stay small. */
function batchesPerQueue(depth: number): number {
  return Math.min(BATCHES, Math.floor((depth * GROWTH) / BATCH));
}

async function timeQueue({ route, policy, depth }: QueueRun, room: number[], full: number[]): Promise<void> {
  const batches = batchesPerQueue(depth);
  const maxMessages = depth + batches * BATCH;
  const queue = await (route === 'publish' ? throughClient : throughOutbox)(policy, maxMessages);
  for (let filled = 0; filled < depth; filled += BATCH) {
    // `drop-oldest-qos0` must have something that it may drop.
    const qos = policy === 'drop-oldest-qos0' && (filled / BATCH) % 2 === 0 ? 0 : 1;
    queue.batch(topics(filled), qos)();
  }
  globalThis.gc?.();
  for (let i = 0; i < batches; i += 1) room.push(time(queue.batch(topics(depth + i * BATCH), 1)));
  for (let i = 0; i < batches; i += 1) {
    const first = policy === 'latest-per-topic' ? i * BATCH : maxMessages + i * BATCH;
    full.push(time(queue.batch(topics(first), 1)));
  }
  await queue.end();
}

function topics(first: number): string[] {
  return Array.from({ length: BATCH }, (_, i) => `site/7/meter/${first + i}/power`);
}

function time(enqueue: () => void): number {
  const startedAt = performance.now();
  enqueue();
  return ((performance.now() - startedAt) * 1_000) / BATCH;
}

function ignore(): void {}

/** Heap and array buffers in use after a collection. */
function memory(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const methods = {
  async time(run: QueueRun): Promise<QueueTimes> {
    const room: number[] = [];
    const full: number[] = [];
    while (room.length < BATCHES) await timeQueue(run, room, full);
    return { room, full };
  },

  /** Bytes for each of `messages` messages that wait, payload and topic included. */
  async bytesPerMessage({
    messages,
    payload,
  }: {
    messages: number;
    payload: 'text' | 'Buffer';
  }): Promise<number> {
    const client = connect([`mqtt://127.0.0.1:${await deadPort()}`], {
      clientId: 'bench-offline',
      outbox: { maxMessages: messages, maxBytes: Number.MAX_SAFE_INTEGER },
    });
    const before = memory();
    const options = { qos: 1 } as const;
    for (let i = 0; i < messages; i += 1) {
      const text = Buffer.alloc(100, String(i));
      client.publish('site/7/meter/42/power', payload === 'text' ? text.toString('latin1') : text, options);
    }
    const bytes = (memory() - before) / messages;
    await client.endAsync(true);
    return bytes;
  },
};

export type QueueMethods = typeof methods;

serve(methods);
