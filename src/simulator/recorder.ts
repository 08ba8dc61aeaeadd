/** What happens to a fleet, counted. Knows no policy: it sees links, CONNECTs and dials. */
import type { Clock } from '../platform/ports.js';
import type { Broker, Traffic } from './broker.js';

/** Width of a bin of the CONNECT rate, in milliseconds. */
export const BIN_MS = 100;

/** Says for a client how much it wants to be where. */
export interface Preference {
  /** The node that the client wants to be on, by the list as it is; `undefined` for clients without a preference. */
  home(client: number): Broker | undefined;
  /** Whether the client would rather be on `a` than on `b`, by the list as it is. */
  prefers(client: number, a: Broker, b: Broker): boolean;
}

/** Where a client comes from, while it has no link. */
interface Origin {
  readonly broker: Broker;
  readonly episode: number;
  /** Whether nothing forced the client to go. */
  readonly isChoice: boolean;
}

/** Counts for one run. From {@link begin} on it measures; before, it only follows who is where. */
export class Recorder implements Traffic {
  readonly #clock: Clock;
  readonly #preference: Preference;
  readonly #bins: Uint32Array;
  /** The node that each client is on. */
  readonly #at: (Broker | undefined)[];
  readonly #origins = new Map<number, Origin>();
  /** Since when each displaced client is on its way. */
  readonly #lostAt = new Map<number, number>();
  /** Clients that wait for one node. */
  readonly #awaited = new Map<number, { readonly broker: Broker; readonly since: number }>();
  readonly #affected = new Set<number>();
  readonly #recoveries: number[] = [];
  /** By client: dials to connect, and those of them at nodes that ran. */
  readonly #dials: Uint32Array;
  readonly #attempts: Uint32Array;
  #loads: number[] = [];
  #begun = false;
  #needlessMoves = 0;
  #connected = 0;
  readonly #blows: number[] = [];

  constructor(clients: number, endMs: number, clock: Clock, preference: Preference) {
    this.#clock = clock;
    this.#preference = preference;
    this.#bins = new Uint32Array(Math.ceil(endMs / BIN_MS) + 1);
    this.#at = new Array(clients).fill(undefined);
    this.#dials = new Uint32Array(clients);
    this.#attempts = new Uint32Array(clients);
  }

  /** Clients with a link. */
  get connected(): number {
    return this.#connected;
  }

  /** Clients on each node now, by its index. */
  loads(nodes: number): number[] {
    return Array.from({ length: nodes }, (_, index) => this.#loads[index] ?? 0);
  }

  /** Moves so far of clients whose node was up all the time and still the one they would rather be on. */
  get needlessMoves(): number {
    return this.#needlessMoves;
  }

  /** Milliseconds that each displaced client took, in the order of arrival. */
  get recoveries(): readonly number[] {
    return this.#recoveries;
  }

  /** Clients that are displaced, or do not have the node that they wait for, and since when. */
  get unrecovered(): readonly number[] {
    return [...this.#lostAt.values(), ...[...this.#awaited.values()].map(({ since }) => since)];
  }

  /** Affected clients. */
  get affected(): number {
    return this.#affected.size;
  }

  /** Dials to connect, of each affected client. */
  get dialsPerClient(): number {
    return this.#perAffected(this.#dials);
  }

  /** Of these, dials at nodes that ran. */
  get attemptsPerClient(): number {
    return this.#perAffected(this.#attempts);
  }

  #perAffected(counts: Uint32Array): number {
    let sum = 0;
    for (const client of this.#affected) sum += counts[client] as number;
    return this.#affected.size === 0 ? 0 : sum / this.#affected.size;
  }

  /** CONNECTs in each tenth of a second of the run. */
  get connects(): Uint32Array {
    return this.#bins;
  }

  /** Measures from now on; each further call tells of another blow. */
  begin(): void {
    this.#begun = true;
    this.#blows.push(this.#clock.now());
  }

  /** When measuring began, and when each further blow came. */
  get blows(): readonly number[] {
    return this.#blows;
  }

  /** Every client that wants to be on `broker` and is not, waits for it from now on. */
  await(broker: Broker): void {
    for (let client = 0; client < this.#at.length; client += 1) {
      if (this.#at[client] === broker || this.#preference.home(client) !== broker) continue;
      this.#affected.add(client);
      this.#awaited.set(client, { broker, since: this.#clock.now() });
    }
  }

  dialed(client: number, isRunning: boolean): void {
    if (!this.#begun) return;
    this.#dials[client] = (this.#dials[client] as number) + 1;
    if (isRunning) this.#attempts[client] = (this.#attempts[client] as number) + 1;
  }

  connectSent(): void {
    const bin = Math.floor(this.#clock.now() / BIN_MS);
    this.#bins[bin] = (this.#bins[bin] as number) + 1;
  }

  /** CONNACK has come. */
  accepted(client: number, broker: Broker): void {
    this.#connected += 1;
    this.#at[client] = broker;
    this.#loads[broker.index] = (this.#loads[broker.index] ?? 0) + 1;
    const now = this.#clock.now();
    const lostAt = this.#lostAt.get(client);
    if (lostAt !== undefined) {
      this.#lostAt.delete(client);
      this.#recoveries.push(now - lostAt);
    }
    const awaited = this.#awaited.get(client);
    if (awaited?.broker === broker) {
      this.#awaited.delete(client);
      this.#recoveries.push(now - awaited.since);
    }
    this.#judge(client, broker);
  }

  /**
   * A node, or the way to it, fails a client; which may not know yet.
   *
   * @returns whether the client has its link there.
   */
  cut(client: number, broker: Broker): boolean {
    if (this.#at[client] !== broker) return false;
    this.#affected.add(client);
    this.#lostAt.set(client, this.#clock.now());
    return true;
  }

  /** Nobody could recover until now: the time that it takes counts from here. */
  possible(): void {
    for (const client of this.#lostAt.keys()) this.#lostAt.set(client, this.#clock.now());
  }

  /**
   * A client has no link any more.
   *
   * @param isChoice - Whether it left a link that worked.
   */
  left(client: number, isChoice: boolean): void {
    const broker = this.#at[client];
    if (!broker) return;
    this.#at[client] = undefined;
    this.#connected -= 1;
    this.#loads[broker.index] = (this.#loads[broker.index] as number) - 1;
    const mayStay = isChoice ? broker.isRunning : broker.condition === 'up';
    if (mayStay && this.#begun) this.#origins.set(client, { broker, episode: broker.episode, isChoice });
  }

  #judge(client: number, to: Broker): void {
    const origin = this.#origins.get(client);
    if (!origin) return;
    this.#origins.delete(client);
    const { broker: from, episode } = origin;
    if (from === to || !from.isRunning || from.episode !== episode) return;
    if (this.#preference.prefers(client, from, to)) this.#needlessMoves += 1;
  }
}
