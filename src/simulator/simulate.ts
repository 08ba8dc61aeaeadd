/** Runs a scenario over a fleet, and says what came of it. */
import type { EndpointSet } from '../discovery/resolver.js';
import { createEndpoint } from '../endpoint.js';
import { runTurns } from '../platform/node-turns.js';
import { BaselineFleet, FULL_JITTER, LIST_WALKER } from './baseline-fleets.js';
import { Broker, Wires } from './broker.js';
import { FailoverFleet } from './failover-fleet.js';
import type { Fleet, World } from './fleet.js';
import { type ClientPolicy, type ReadOptions, readOptions, type SimulationOptions } from './options.js';
import { BIN_MS, type Preference, Recorder } from './recorder.js';
import { SCENARIOS, type ScenarioName } from './scenarios.js';
import { SeededRandom } from './seeded-random.js';
import { connectRate, percentile, skew } from './statistics.js';
import { VirtualTime } from './virtual-time.js';

/** Milliseconds in which the clients of a fleet begin, and after which all of it is at rest. */
const START_MS = 60_000;
const REST_MS = 120_000;
/** Milliseconds that a list which is pushed takes to reach a client, at most. */
const PUSH_MS = 1_000;
/** Milliseconds between two looks at who is where. */
const SAMPLE_MS = 1_000;

/** What came of a scenario: the JSON of `mqtt-failover simulate`. Counts and times are from the first blow on. */
export interface SimulationReport {
  /** What happened to the fleet. */
  readonly scenario: ScenarioName;
  /** Clients of the fleet. */
  readonly clients: number;
  /** The most CONNECTs that all clients together sent in one tenth of a second. */
  readonly connectsPeakPer100ms: number;
  /**
   * CONNECTs in a tenth of a second, on average over the time of recovery: after each blow of the scenario from the
   * first CONNECT to the last one, before the next blow.
   */
  readonly connectsMeanPer100ms: number;
  /**
   * Transports that an affected client dialed at nodes that run, to connect, on average; losers of a race and dials that
   * overloaded nodes did not hear included. Dials at a node that is down cost nobody a handshake, and are not counted; nor are
   * probes. Affected are the clients whose link a blow cut, or who have a better node to go to by it.
   */
  readonly attemptsPerClient: number;
  /**
   * Milliseconds that half of the affected clients needed at most: from the blow to CONNACK anywhere;
   * in `node-returns` and `scale-out` to CONNACK by the node that they wait for; in `total-outage` from the return of the
   * nodes. A client that is not there at the end counts with the time until then.
   */
  readonly recoverP50Ms: number;
  /** As {@link SimulationReport.recoverP50Ms}, of 99 % of the affected clients. */
  readonly recoverP99Ms: number;
  /**
   * CONNACKs by another node than the one before, though that one ran all the time from the end of the link to CONNACK,
   * and the client would still rather be there: by its ranking; a client without one would rather stay where it is. A
   * link that breaks while its node is slow is a reason to go; a slow node alone is none.
   */
  readonly needlessMoves: number;
  /** Clients on the fullest running node over the mean of all running nodes, just before the first blow. */
  readonly skewBefore: number;
  /** As {@link SimulationReport.skewBefore}, at the end. */
  readonly skewAfter: number;
}

/** What happened when, for charts. Time 0 is the fleet at rest, half a minute at least after its last client has begun. */
export interface Timeline {
  /** Milliseconds of each entry of `connects`. */
  readonly binMs: number;
  /** CONNECTs of all clients. */
  readonly connects: readonly number[];
  /** Milliseconds between two entries of `placement`. */
  readonly sampleMs: number;
  /** Names of the nodes. */
  readonly nodes: readonly string[];
  /** Clients on each node, in the order of `nodes`. */
  readonly placement: readonly (readonly number[])[];
  /** Milliseconds at which each blow of the scenario came. */
  readonly blows: readonly number[];
}

/** A run that is over. */
export interface Simulation {
  /** The figures. */
  readonly report: SimulationReport;
  /** How the clients behaved. */
  readonly policy: ClientPolicy;
  /** Broker nodes at the start. */
  readonly endpoints: number;
  /** What was drawn follows from it. */
  readonly seed: number;
  /** Clients whose link a blow cut, or who have a better node to go to by it. */
  readonly affected: number;
  /** As {@link SimulationReport.attemptsPerClient}, with the dials at nodes that are down or gone. */
  readonly dialsPerClient: number;
  /** Affected clients that were not where they should be when the run ended. */
  readonly unrecovered: number;
  /** Milliseconds of the fleet's time. */
  readonly virtualMs: number;
  /** What happened when. */
  readonly timeline: Timeline;
}

/**
 * Simulates a fleet: the real clients of this library, or others to compare with, over modelled broker nodes and wires on
 * a virtual clock. The same options give the same result, on every machine.
 *
 * Runs in the calling thread, and lets its event loop go round; a hundred thousand clients take about a minute.
 *
 * @throws a `FailoverError` with code `ERR_OPTION` when an option is wrong.
 * @throws the reason of `signal` when it is aborted.
 */
export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const run = new Run(readOptions(options));
  const { onProgress, signal } = options;
  await run.play(onProgress, signal);
  return run.result();
}

class Run {
  readonly #options: ReadOptions;
  readonly #clock = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #brokers: Broker[] = [];
  readonly #byId = new Map<string, Broker>();
  readonly #listeners: ((list: EndpointSet) => void)[] = [];
  readonly #recorder: Recorder;
  readonly #fleet: Fleet;
  readonly #endMs: number;
  readonly #placement: number[][] = [];
  #list: EndpointSet = { endpoints: [], source: 'simulator' };
  #skewBefore = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
    const { clients, endpoints, seed, spreadMs, policy } = options;
    this.#random = new SeededRandom(seed);
    if (spreadMs !== undefined) this.#list = { ...this.#list, spreadMs };
    for (let i = 0; i < endpoints; i += 1) this.#addBroker();
    this.#endMs = REST_MS + SCENARIOS[options.scenario].lastsMs(endpoints);
    const preference: Preference = {
      home: (client) => this.#fleet.home(client),
      prefers: (client, a, b) => this.#fleet.prefers(client, a, b),
    };
    this.#recorder = new Recorder(clients, this.#endMs, this.#clock, preference);
    this.#fleet = fleetOf(policy, {
      clock: this.#clock,
      random: this.#random,
      wires: new Wires(this.#clock, this.#recorder),
      recorder: this.#recorder,
      options: options.client,
      list: () => this.#list,
      onList: (listener) => this.#listeners.push(listener),
      broker: (id) => this.#byId.get(id) as Broker,
    });
  }

  async play(onProgress: SimulationOptions['onProgress'], signal: AbortSignal | undefined): Promise<void> {
    const { clients, scenario } = this.#options;
    signal?.throwIfAborted();
    for (let client = 0; client < clients; client += 1)
      this.#clock.setTimeout(() => this.#fleet.start(client), this.#random.next() * START_MS);
    this.#clock.setTimeout(() => {
      SCENARIOS[scenario].play({
        brokers: this.#brokers,
        recorder: this.#recorder,
        random: this.#random,
        begin: () => this.#begin(),
        at: (ms, act) => this.#clock.setTimeout(act, ms),
        grow: () => this.#grow(),
      });
    }, REST_MS - 1);
    this.#sample(onProgress);
    await runTurns(() => {
      signal?.throwIfAborted();
      return this.#clock.step(this.#endMs);
    });
  }

  result(): Simulation {
    const { clients, endpoints, policy, scenario, seed } = this.#options;
    const { affected, attemptsPerClient, dialsPerClient, blows, connects, needlessMoves } = this.#recorder;
    const { recoveries, unrecovered } = this.#recorder;
    const times = [...recoveries, ...unrecovered.map((since) => this.#endMs - since)];
    const { peak, mean } = connectRate(
      connects,
      blows.map((at) => Math.floor(at / BIN_MS)),
    );
    const report: SimulationReport = {
      scenario,
      clients,
      connectsPeakPer100ms: peak,
      connectsMeanPer100ms: rounded(mean, 2),
      attemptsPerClient: rounded(attemptsPerClient, 3),
      recoverP50Ms: percentile(times, 0.5),
      recoverP99Ms: percentile(times, 0.99),
      needlessMoves,
      skewBefore: rounded(this.#skewBefore, 4),
      skewAfter: rounded(this.#skewNow(), 4),
    };
    const timeline: Timeline = {
      binMs: BIN_MS,
      connects: [...connects.subarray(REST_MS / BIN_MS)],
      sampleMs: SAMPLE_MS,
      nodes: this.#brokers.map(({ endpoint }) => endpoint.id),
      placement: this.#placement,
      blows: blows.map((at) => at - REST_MS),
    };
    return {
      report,
      policy,
      endpoints,
      seed,
      affected,
      dialsPerClient: rounded(dialsPerClient, 3),
      unrecovered: unrecovered.length,
      virtualMs: this.#endMs,
      timeline,
    };
  }

  /** Looks once a second at who is where. */
  #sample(onProgress: SimulationOptions['onProgress']): void {
    const atMs = this.#clock.now();
    if (atMs >= REST_MS) this.#placement.push(this.#recorder.loads(this.#brokers.length));
    onProgress?.({ atMs, endMs: this.#endMs, connected: this.#recorder.connected });
    this.#clock.setTimeout(() => this.#sample(onProgress), SAMPLE_MS);
  }

  #begin(): void {
    if (this.#recorder.blows.length === 0) this.#skewBefore = this.#skewNow();
    this.#recorder.begin();
  }

  #skewNow(): number {
    const loads = this.#recorder.loads(this.#brokers.length);
    return skew(loads.filter((_, index) => this.#brokers[index]?.isRunning));
  }

  #addBroker(): Broker {
    const { brokers: model } = this.#options;
    const index = this.#brokers.length;
    const id = `n${index + 1}`;
    const endpoint = createEndpoint({ scheme: 'mqtt', authority: `${id}.example`, id }, 'endpoints');
    const broker = new Broker(endpoint, index, model, this.#clock, this.#random);
    this.#brokers.push(broker);
    this.#byId.set(id, broker);
    const endpoints = Object.freeze([...this.#list.endpoints, endpoint]);
    this.#list = Object.freeze({ ...this.#list, endpoints });
    return broker;
  }

  /** A node joins, and the clients hear of it one by one. */
  #grow(): Broker {
    const broker = this.#addBroker();
    const list = this.#list;
    for (const listener of this.#listeners)
      this.#clock.setTimeout(() => listener(list), this.#random.next() * PUSH_MS);
    return broker;
  }
}

function fleetOf(policy: ClientPolicy, world: World): Fleet {
  switch (policy) {
    case 'ours':
      return new FailoverFleet(world);
    case 'list-walker':
      return new BaselineFleet(world, LIST_WALKER);
    case 'full-jitter':
      return new BaselineFleet(world, FULL_JITTER);
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
