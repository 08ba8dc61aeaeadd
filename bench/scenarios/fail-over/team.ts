/** The clients of one contestant, all of them on the node that will fail. */
import type { ClientMethods, Fate } from '../../contestants/client-process.js';
import type { Cluster } from '../../contestants/cluster.js';
import type { Contestant } from '../../contestants/contestants.js';
import { FEED, PUBLISHED, type Watch, WHERE } from '../../contestants/watch.js';
import { Child } from '../../support/child.js';
import { now } from '../../support/monotonic.js';

/** Clients of each role. */
const EACH = 3;
const PUBLISH_EVERY_MS = 20;
/** Milliseconds that a balancer may take until it sends clients to a node that is back. */
const PLACING_MS = 60_000;
/** Milliseconds that publishes may take to settle once their client is back. */
const SETTLE_MS = 15_000;

const PROCESS = new URL('../../contestants/client-process.ts', import.meta.url);

/** What a round has shown. Times are milliseconds from the fault, or Infinity after the cap. */
export interface Outcome {
  /** To the first acknowledgement of a message that another node took. */
  readonly publisher: readonly number[];
  /** To the first message from another node. */
  readonly subscriber: readonly number[];
  /** From `connect()` right after the fault, of a client that was on the node before, to CONNACK. */
  readonly newcomer: readonly number[];
  readonly published: number;
  /** Neither delivered nor refused. */
  readonly lost: number;
  /** Publishes that the client refused, so that the application knows. */
  readonly refused: number;
  /** Still waiting, at clients that were not back within the cap. */
  readonly waiting: number;
  readonly duplicates: number;
}

/** Roles are processes of their own, so that none of them learns from another's connection. */
export class Team implements AsyncDisposable {
  readonly contestant: Contestant;
  readonly #cluster: Cluster;
  readonly #watch: Watch;
  readonly #publishers = new Child<ClientMethods>(PROCESS);
  readonly #subscribers = new Child<ClientMethods>(PROCESS);
  readonly #newcomers = new Child<ClientMethods>(PROCESS);
  #publisherIds: readonly string[] = [];
  #newcomerIds: readonly string[] = [];
  #urls: readonly string[] = [];
  #victim = 0;

  constructor(contestant: Contestant, cluster: Cluster, watch: Watch) {
    this.contestant = contestant;
    this.#cluster = cluster;
    this.#watch = watch;
  }

  /** Connects everybody to `victim`, and lets publishers and subscribers work. */
  async prepare(victim: number, round: number): Promise<void> {
    this.#victim = victim;
    // Who walks a list starts at its first.
    this.#urls = this.#cluster.urlsFor(this.contestant, victim);
    const label = `${this.contestant.name.replaceAll(/[^a-z0-9]/gi, '')}-${round}`;
    this.#publisherIds = await this.#place(this.#publishers, `${label}-pub`);
    await this.#place(this.#subscribers, `${label}-sub`);
    this.#newcomerIds = await this.#place(this.#newcomers, `${label}-new`);
    await this.#newcomers.call('close', undefined);
    await this.#subscribers.call('subscribe', { topic: FEED });
    await this.#publishers.call('startPublishing', { prefix: PUBLISHED, everyMs: PUBLISH_EVERY_MS });
  }

  /** The newcomers' clients come to life now, in the moment of the fault. */
  dial(capMs: number): Promise<number[]> {
    return this.#newcomers.call('open', {
      ...this.#init,
      clientIds: this.#newcomerIds,
      capMs,
    });
  }

  /** When each subscriber heard another node, on the clock of all processes. */
  heard(capMs: number): Promise<number[]> {
    const senders = this.#cluster.nodes
      .map((_, at) => String(at))
      .filter((at) => at !== String(this.#victim));
    return this.#subscribers.call('heard', { senders, capMs });
  }

  /** Whether all publishers publish at another node by now. */
  get publishesElsewhere(): boolean {
    return this.#publisherIds.every((id) => {
      const node = this.#watch.publishesAt(id);
      return node !== undefined && node !== this.#victim;
    });
  }

  /** Ends the round, and counts. */
  async finish(faultAt: number, heard: readonly number[], newcomer: readonly number[]): Promise<Outcome> {
    const isBack = this.publishesElsewhere;
    await this.#publishers.call('stopPublishing', undefined);
    const fates = await this.#publishers.call('fates', { capMs: isBack ? SETTLE_MS : 0 });
    const counts = [...fates].map(([id, list]) => this.#count(id, list, faultAt));
    const sum = (of: (count: (typeof counts)[number]) => number) =>
      counts.reduce((total, count) => total + of(count), 0);
    await Promise.all(
      [this.#publishers, this.#subscribers, this.#newcomers].map((child) => child.call('close', undefined)),
    );
    return {
      publisher: counts.map(({ gap }) => gap),
      subscriber: heard.map((at) => at - faultAt),
      newcomer,
      published: sum(({ published }) => published),
      lost: sum(({ lost }) => lost),
      refused: sum(({ refused }) => refused),
      waiting: sum(({ waiting }) => waiting),
      duplicates: sum(({ duplicates }) => duplicates),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.#publishers, this.#subscribers, this.#newcomers].map((child) => child[Symbol.asyncDispose]()),
    );
  }

  get #init() {
    const { library, options } = this.contestant;
    return { library, options, urls: this.#urls };
  }

  #count(id: string, fates: readonly Fate[], faultAt: number) {
    const node = this.#watch.publishesAt(id);
    const isBack = node !== undefined && node !== this.#victim;
    let gap = Number.POSITIVE_INFINITY;
    let lost = 0;
    let refused = 0;
    let waiting = 0;
    let duplicates = 0;
    for (const { payload, at, error } of fates) {
      const sightings = this.#watch.sightings(id, payload);
      duplicates += Math.max(0, sightings.length - 1);
      if (error !== undefined) refused += 1;
      else if (at === undefined && !isBack) waiting += 1;
      else if (at === undefined || sightings.length === 0) lost += 1;
      else if (sightings.some((seen) => seen !== this.#victim)) gap = Math.min(gap, at - faultAt);
    }
    return { gap, published: fates.length, lost, refused, waiting, duplicates };
  }

  /** Opens clients until enough of them are on the victim; the others are ended. */
  async #place(child: Child<ClientMethods>, label: string): Promise<string[]> {
    const placed: string[] = [];
    const misplaced: string[] = [];
    let serial = 0;
    for (const until = now() + PLACING_MS; placed.length < EACH && now() < until; ) {
      const clientIds = Array.from({ length: EACH - placed.length }, () => `${label}-${serial++}`);
      await child.call('open', { ...this.#init, clientIds, capMs: 10_000 });
      await child.call('announce', { clientIds, topic: WHERE, capMs: 10_000 });
      for (const id of clientIds) (this.#watch.seatOf(id) === this.#victim ? placed : misplaced).push(id);
      if (serial > 20 * EACH) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await child.call('close', misplaced);
    if (placed.length < EACH)
      throw new Error(`${this.contestant.name}: no way to node ${this.#victim} after ${serial} clients`);
    return placed;
  }
}
