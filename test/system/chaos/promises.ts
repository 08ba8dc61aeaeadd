/** The six promises of the README, as what one client is seen to do. A broken one is kept until somebody asks. */
import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/endpoint.js';
import { type FailoverEvents, isFailoverError } from '../../../src/index.js';
import type { Clock, Fetch } from '../../../src/platform/ports.js';
import type { MemoryTransport } from '../../unit/fakes/memory-network.js';
import type { ChaosCluster, ClusterWitness } from './cluster.js';

/** The only domain that the configuration vouches for. */
export const DOMAIN = 'cluster.test';

/** One call of `publish`. */
export interface Publish {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** Different for each. */
  readonly payload: string;
  /** Number of the call. */
  readonly n: number;
  /** The process that it was called in. */
  readonly process: number;
  isStored: boolean;
  readonly settlements: string[];
}

/** What nobody but the client has asked for, in a window of time. */
interface Rate {
  readonly what: string;
  readonly windowMs: number;
  readonly most: number;
}

const RATES: readonly Rate[] = [
  { what: 'CONNECT', windowMs: 1_000, most: 6 },
  { what: 'CONNECT', windowMs: 60_000, most: 30 },
  { what: 'dial', windowMs: 1_000, most: 12 },
  { what: 'dial', windowMs: 60_000, most: 100 },
  { what: 'question to the registry', windowMs: 60_000, most: 20 },
];

/** Errors that an application may get. */
const EXPECTED_ERRORS = /^ERR_(ALL_FAILED|DISCOVERY|NO_ENDPOINT)$/;
/** Why a publish may be rejected in this world. */
const EXPECTED_REJECTIONS = /^(ERR_ENDED|ERR_POISON|ERR_LINK|ERR_UNSUPPORTED|ERR_REFUSED|\d+)$/;

export class Promises implements ClusterWitness {
  readonly publishes: Publish[] = [];
  /** Milliseconds between passes, as the client chose them. */
  readonly waits: number[] = [];
  /** The most that was seen of each rate. */
  readonly most = new Map<Rate, number>();
  readonly #clock: Clock;
  readonly #byPayload = new Map<string, Publish>();
  /** Last first transmission, by topic and QoS. */
  readonly #lastSent = new Map<string, number>();
  readonly #seen = new Set<string>();
  readonly #times = new Map<string, number[]>();
  readonly #dropped = new Map<string, number>();
  #cluster: ChaosCluster | undefined;
  #violation: unknown;
  #process = 1;
  #waitingSince: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(cluster: ChaosCluster): void {
    this.#cluster = cluster;
    cluster.network.onDial = (endpoint) => this.#dialed(endpoint);
  }

  /** @throws the first promise that was broken. */
  verify(): void {
    if (this.#violation) throw this.#violation;
  }

  accepts(topic: string, qos: 0 | 1 | 2): Publish {
    const n = this.publishes.length;
    const publish = {
      topic,
      qos,
      payload: `${n}`,
      n,
      process: this.#process,
      isStored: false,
      settlements: [],
    };
    this.publishes.push(publish);
    this.#byPayload.set(publish.payload, publish);
    return publish;
  }

  stored(publish: Publish, error: Error | undefined): void {
    if (!error && publish.process === this.#process) publish.isStored = true;
  }

  settled(publish: Publish, error: (Error & { code?: unknown }) | undefined | null): void {
    // What a process that is gone would have heard, nobody hears.
    if (publish.process !== this.#process) return;
    this.#check(() => {
      const { payload, qos, settlements } = publish;
      settlements.push(error ? String(error.code ?? error.message) : 'ok');
      assert.equal(settlements.length, 1, `publish ${payload} was settled by ${settlements.join(', ')}`);
      if (error) assert.match(settlements[0] ?? '', EXPECTED_REJECTIONS, `publish ${payload}: ${error}`);
      else if (qos > 0) assert.ok(this.#cluster?.taken.has(payload), `publish ${payload} reached a broker`);
    });
  }

  /** A publish was given up, and the application was told: all that is heard of one of an earlier process. */
  dropped(topic: string, qos: number): void {
    const lane = `${topic} at QoS ${qos}`;
    this.#dropped.set(lane, (this.#dropped.get(lane) ?? 0) + 1);
  }

  /** The process is gone; what it had stored is owed by the next. */
  died(): void {
    this.#process += 1;
    this.#waitingSince = undefined;
    this.provoked();
  }

  /** The application itself asks for connections, which may be a storm of its own making. */
  provoked(): void {
    this.#times.clear();
    this.#waitingSince = undefined;
  }

  slept(): void {
    this.#waitingSince = undefined;
  }

  changed({ from, to }: FailoverEvents['state']): void {
    const now = this.#clock.now();
    if (from === 'backoff' && to === 'connecting' && this.#waitingSince !== undefined)
      this.waits.push(now - this.#waitingSince);
    this.#waitingSince = to === 'backoff' ? now : undefined;
  }

  failed(error: Error): void {
    this.#check(() => {
      assert.ok(
        isFailoverError(error) && EXPECTED_ERRORS.test(error.code),
        `an error of ours: ${error.stack}`,
      );
    });
  }

  /** Counts questions to the registry. */
  asked(fetch: Fetch): Fetch {
    return (url, init) => {
      this.#check(() => {
        assert.equal(new URL(url).host, `registry.${DOMAIN}`);
        this.#count('question to the registry');
      });
      return fetch(url, init);
    };
  }

  connected(transport: MemoryTransport): void {
    this.#check(() => {
      const open = [...(this.#cluster?.network.openTransports ?? [])].filter(({ connected }) => connected);
      assert.deepEqual(
        open.map(({ id }) => id),
        [transport.id],
        'one CONNECT is open',
      );
      this.#count('CONNECT');
    });
  }

  published(topic: string, payload: string, qos: number): void {
    this.#check(() => {
      const publish = this.#byPayload.get(payload);
      assert.ok(
        publish && publish.topic === topic && publish.qos === qos,
        `${topic} ${payload} is as it was called`,
      );
      if (this.#seen.has(payload)) return;
      this.#seen.add(payload);
      const lane = `${topic} at QoS ${qos}`;
      const last = this.#lastSent.get(lane) ?? -1;
      assert.ok(last < publish.n, `${lane}: ${publish.n} was first sent after ${last}`);
      this.#lastSent.set(lane, publish.n);
    });
  }

  /** What is owed when all is well again, and before the client is ended. */
  checkSettled(): void {
    const missing = new Map<string, number>();
    for (const { payload, process, settlements, isStored, qos, topic } of this.publishes) {
      const lane = `${topic} at QoS ${qos}`;
      const name = `publish ${payload} to ${lane} of process ${process}`;
      if (process === this.#process) assert.equal(settlements.length, 1, `${name} is settled`);
      else if (isStored && settlements.length === 0 && !this.#cluster?.taken.has(payload)) {
        missing.set(lane, (missing.get(lane) ?? 0) + 1);
        assert.ok(
          (missing.get(lane) ?? 0) <= (this.#dropped.get(lane) ?? 0),
          `${name} was stored, and has reached a broker or was reported`,
        );
      }
    }
  }

  #dialed({ host, scheme, id }: Endpoint): void {
    this.#check(() => {
      assert.match(host, /^[a-e]\.cluster\.test$/, `${id} at ${host} is dialed`);
      assert.equal(scheme, 'wss', `${id} is dialed by ${scheme}`);
      this.#count('dial');
    });
  }

  #count(what: string): void {
    const now = this.#clock.now();
    const times = (this.#times.get(what) ?? []).filter((at) => now - at < 60_000);
    times.push(now);
    this.#times.set(what, times);
    for (const rate of RATES) {
      if (rate.what !== what) continue;
      const count = times.filter((at) => now - at < rate.windowMs).length;
      this.most.set(rate, Math.max(this.most.get(rate) ?? 0, count));
      assert.ok(count <= rate.most, `${count} times a ${what} in ${rate.windowMs} ms`);
    }
  }

  /** A listener's exception would be the client's to handle. */
  #check(promise: () => void): void {
    try {
      promise();
    } catch (error) {
      this.#violation ??= error;
    }
  }
}
