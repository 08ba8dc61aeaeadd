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
  readonly errors: number;
}

export interface Echo {
  readonly qos: QoS;
  readonly messages: number;
  readonly everyMs: number;
}

let client: BenchClient;

/** Resolves with the number of errors when all are settled. */
function publishAll({ qos, messages, window }: Flood): Promise<number> {
  return new Promise((resolve) => {
    let sent = 0;
    let settled = 0;
    let errors = 0;
    let pumping = false;
    function onSettled(error?: unknown): void {
      settled += 1;
      if (error) errors += 1;
      if (settled === messages) resolve(errors);
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
    const errors = await publishAll(run);
    await new Promise((resolve) => client.publish(TOPIC, PAYLOAD, 1, resolve));
    const { user, system } = process.cpuUsage(before);
    const seconds = (now() - startedAt) / 1_000;
    return { perSecond: run.messages / seconds, cpuUs: (user + system) / run.messages, errors };
  },

  /** Publishes at a steady pace to itself; milliseconds from each publish to its message. */
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
    await all;
    return took;
  },

  async close(_: undefined): Promise<void> {
    await client.end();
  },
};

export type LoadMethods = typeof methods;

serve(methods);
