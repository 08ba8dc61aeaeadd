/** The process of one client under load, which measures its own CPU time. */
import { type BenchClient, type ClientInit, openClient, type QoS } from '../../contestants/clients.js';
import { serve } from '../../support/child.js';
import { now } from '../../support/monotonic.js';

const PAYLOAD = 'x'.repeat(100);
const TOPIC = 'site/7/line/2/meter/42/power';

export interface Flood {
  readonly qos: QoS;
  readonly messages: number;
  /** Publishes whose callback has not been called yet, at most. */
  readonly window: number;
}

export interface FloodResult {
  readonly perSecond: number;
  /** Microseconds of CPU time, user and system, of the whole process for each message. */
  readonly cpuUs: number;
  /** Publishes that were refused, or not settled in time. */
  readonly missing: number;
}

export interface Echo {
  readonly qos: QoS;
  readonly messages: number;
  readonly everyMs: number;
}

/** Milliseconds after which nothing more is expected. */
const CAP_MS = 30_000;

let client: BenchClient;

/** Resolves with the promise, or after the cap. */
async function capped(promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const cap = new Promise((resolve) => {
    timer = setTimeout(resolve, CAP_MS);
  });
  await Promise.race([promise, cap]);
  clearTimeout(timer);
}

/** Resolves with the number of those that were delivered when all are settled, or after the cap. */
async function publishAll({ qos, messages, window }: Flood): Promise<number> {
  let delivered = 0;
  const all = new Promise<void>((resolve) => {
    let sent = 0;
    let settled = 0;
    let pumping = false;
    function onSettled(error?: unknown): void {
      settled += 1;
      if (!error) delivered += 1;
      if (settled === messages) resolve();
      else pump();
    }
    function pump(): void {
      // QoS 0 may be settled before `publish` returns.
      if (pumping) return;
      pumping = true;
      while (sent < messages && sent - settled < window) {
        sent += 1;
        client.publish(TOPIC, PAYLOAD, qos, onSettled);
        // Nobody could read or write if one client settled everything at once.
        if (qos === 0 && sent % window === 0) {
          setImmediate(() => {
            pumping = false;
            pump();
          });
          return;
        }
      }
      pumping = false;
    }
    pump();
  });
  await capped(all);
  return delivered;
}

const methods = {
  async open(init: ClientInit): Promise<void> {
    client = await openClient(init);
    await new Promise<void>((resolve) => {
      client.onConnect = resolve;
    });
  },

  /** Publishes as fast as it can; the last message is acknowledged, so that all of them are with the broker. */
  async flood(run: Flood): Promise<FloodResult> {
    const startedAt = now();
    const before = process.cpuUsage();
    const delivered = await publishAll(run);
    await capped(new Promise((resolve) => client.publish(TOPIC, PAYLOAD, 1, resolve)));
    const { user, system } = process.cpuUsage(before);
    const seconds = (now() - startedAt) / 1_000;
    return {
      perSecond: delivered / seconds,
      cpuUs: (user + system) / delivered,
      missing: run.messages - delivered,
    };
  },

  /** Publishes at a steady pace to itself; milliseconds from each publish to its message, of those that came. */
  async echo({ qos, messages, everyMs }: Echo): Promise<number[]> {
    const topic = `echo/${qos}`;
    const took: number[] = [];
    const sentAt: number[] = [];
    const all = new Promise<void>((resolve) => {
      client.onMessage = (_, payload) => {
        took.push(now() - sentAt[Number(payload)]!);
        if (took.length === messages) resolve();
      };
    });
    await client.subscribe(topic, qos);
    const pacer = setInterval(() => {
      if (sentAt.length === messages) {
        clearInterval(pacer);
        return;
      }
      sentAt.push(now());
      client.publish(topic, String(sentAt.length - 1), qos, () => {});
    }, everyMs);
    await capped(all);
    return took;
  },

  async close(_: undefined): Promise<void> {
    await client.end();
  },
};

export type LoadMethods = typeof methods;

serve(methods);
