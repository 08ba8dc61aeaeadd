/** The process in which the clients of one contestant live, and the application on top of them. */
import { serve } from '../support/child.js';
import { now } from '../support/monotonic.js';
import { type BenchClient, type ClientInit, openClient, type QoS } from './clients.js';

/** What became of a publish. */
export interface Fate {
  readonly payload: string;
  /** When its callback came, on the clock of all processes; `undefined` while it waits. */
  at?: number;
  /** Why it was refused. */
  error?: string;
}

/** One client and what it has seen. */
interface Seat {
  readonly client: BenchClient;
  /** When CONNACKs came. */
  readonly accepted: number[];
  /** When CONNECTs were sent. */
  readonly attempted: number[];
  readonly fates: Fate[];
  pacer?: NodeJS.Timeout;
  /** When the first message of each sender came, since {@link methods.forget}. */
  heard: Map<string, number>;
  onEvent: () => void;
}

const seats = new Map<string, Seat>();

async function seat(init: ClientInit): Promise<Seat> {
  const client = await openClient(init);
  const made: Seat = {
    client,
    accepted: [],
    attempted: [],
    fates: [],
    heard: new Map(),
    onEvent: () => {},
  };
  client.onConnect = () => {
    made.accepted.push(now());
    made.onEvent();
  };
  client.onAttempt = () => made.attempted.push(now());
  client.onMessage = (_, sender) => {
    if (made.heard.has(sender)) return;
    made.heard.set(sender, now());
    made.onEvent();
  };
  seats.set(init.clientId, made);
  return made;
}

/** Resolves when `condition` holds, looked at whenever something happens to the client; or after `capMs`. */
function until(of: Seat, capMs: number, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      clearTimeout(timer);
      of.onEvent = () => {};
      resolve();
    };
    const timer = setTimeout(stop, capMs);
    of.onEvent = () => {
      if (condition()) stop();
    };
    of.onEvent();
  });
}

function publish(of: Seat, topic: string, payload: string, qos: QoS): Promise<void> {
  const fate: Fate = { payload };
  of.fates.push(fate);
  return new Promise((resolve) => {
    of.client.publish(topic, payload, qos, (error) => {
      fate.at = now();
      if (error) fate.error = String((error as Error).message ?? error);
      resolve();
    });
  });
}

const of = (clientId: string): Seat => {
  const found = seats.get(clientId);
  if (!found) throw new Error(`no client ${clientId}`);
  return found;
};

export interface Opening extends Omit<ClientInit, 'clientId'> {
  readonly clientIds: readonly string[];
  /** URLs of each client, in place of `urls`. */
  readonly rotated?: readonly (readonly string[])[];
  /** Milliseconds to wait for CONNACK. */
  readonly capMs: number;
}

export interface Announcement {
  readonly clientIds: readonly string[];
  readonly topic: string;
  /** Milliseconds to wait for those that cannot. */
  readonly capMs: number;
}

const methods = {
  /** Opens clients, and gives the milliseconds from the call to CONNACK of each; Infinity after the cap. */
  async open({ clientIds, rotated, capMs, ...init }: Opening): Promise<number[]> {
    const opened = clientIds.map(async (clientId, at) => {
      const startedAt = now();
      const made = await seat({ ...init, clientId, urls: rotated?.[at] ?? init.urls });
      await until(made, capMs, () => made.accepted.length > 0);
      return (made.accepted[0] ?? Number.POSITIVE_INFINITY) - startedAt;
    });
    return Promise.all(opened);
  },

  async close(clientIds: readonly string[] | undefined): Promise<void> {
    const ids = clientIds ?? [...seats.keys()];
    await Promise.all(
      ids.map(async (clientId) => {
        const { client, pacer } = of(clientId);
        clearInterval(pacer);
        seats.delete(clientId);
        await client.end();
      }),
    );
  },

  /** Each client publishes its id, to `topic` and its id, so that somebody at its broker knows that it is there. */
  async announce({ clientIds, topic, capMs }: Announcement): Promise<void> {
    const all = Promise.all(clientIds.map((id) => publish(of(id), topic + id, id, 1)));
    let timer: NodeJS.Timeout | undefined;
    const cap = new Promise((resolve) => {
      timer = setTimeout(resolve, capMs);
    });
    await Promise.race([all, cap]);
    clearTimeout(timer);
  },

  async subscribe({ topic }: { topic: string }): Promise<void> {
    await Promise.all([...seats.values()].map(({ client }) => client.subscribe(topic, 1)));
  },

  /** Every client publishes at QoS 1, to `prefix` and its id, payloads that count from 1. */
  startPublishing({ prefix, everyMs }: { prefix: string; everyMs: number }): void {
    for (const [clientId, made] of seats) {
      made.fates.length = 0;
      made.pacer = setInterval(() => {
        void publish(made, prefix + clientId, String(made.fates.length + 1), 1);
      }, everyMs);
    }
  },

  stopPublishing(_: undefined): void {
    for (const { pacer } of seats.values()) clearInterval(pacer);
  },

  /** What became of all publishes by client id, when none is open or after the cap. */
  async fates({ capMs }: { capMs: number }): Promise<Map<string, Fate[]>> {
    for (const until = now() + capMs; now() < until; ) {
      const open = [...seats.values()].some(({ fates }) => fates.some(({ at }) => at === undefined));
      if (!open) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Map([...seats].map(([clientId, { fates }]) => [clientId, fates]));
  },

  forget(_: undefined): void {
    for (const made of seats.values()) {
      made.heard = new Map();
      made.attempted.length = 0;
      made.accepted.length = 0;
    }
  },

  /** When each client heard one of `senders` for the first time, on the clock of all processes; Infinity after the cap. */
  async heard({ senders, capMs }: { senders: readonly string[]; capMs: number }): Promise<number[]> {
    const first = (made: Seat) =>
      Math.min(...senders.map((sender) => made.heard.get(sender) ?? Number.POSITIVE_INFINITY));
    return Promise.all(
      [...seats.values()].map(async (made) => {
        await until(made, capMs, () => Number.isFinite(first(made)));
        return first(made);
      }),
    );
  },

  /** When CONNECTs were sent and CONNACKs came since {@link methods.forget}, of all clients. */
  connections(_: undefined): { attempted: number[]; accepted: number[] } {
    const all = [...seats.values()];
    return {
      attempted: all.flatMap(({ attempted }) => attempted),
      accepted: all.flatMap(({ accepted }) => accepted),
    };
  },

  /** Bytes of memory after a collection: of the process, and of it the JavaScript heap. */
  async memory(_: undefined): Promise<{ resident: number; heap: number }> {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, heap: heapUsed };
  },
};

export type ClientMethods = typeof methods;

serve(methods);
