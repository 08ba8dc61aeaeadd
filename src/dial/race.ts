/**
 * The staggered race of happy eyeballs (RFC 8305 §5), over several contestants that each may have several ways: the
 * endpoints of a pass, and the addresses of each.
 *
 * There is one race and not one within the other, because the bound on what runs at once holds over everything.
 * Silence costs one stagger, a failure nothing. Who is silent on two ways lets the next contestant begin, so that many
 * dead addresses of one delay the others by two staggers only; who merely fails goes on with its other ways at once.
 * Nothing is given up while there is room, however long it is silent, within its contestant's deadline.
 */
import type { Clock, Timer } from '../platform/ports.js';
import type { Contestant, WayFailure } from './contestant.js';

/** Counts, and durations in milliseconds. */
export interface RaceRules {
  /** Time after which the next begins beside one that has not answered. */
  readonly staggerMs: number;
  /** Ways that may be under way at once, over all contestants. */
  readonly limit: number;
  /** Time that a contestant has for all of its ways. */
  readonly deadlineMs: number;
}

/**
 * Runs a race.
 *
 * @returns the first prize, or `undefined` when everybody has lost.
 * @throws the abort reason when `signal` is aborted; everything is given back then.
 */
export function race<Way, Prize>(
  contestants: readonly Contestant<Way, Prize>[],
  rules: RaceRules,
  clock: Clock,
  signal: AbortSignal,
): Promise<Prize | undefined> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    new Race(contestants, rules, clock, signal, { resolve, reject }).start();
  });
}

/** Ways of one contestant that may be silent before the next one begins: one for each address family. */
const SILENT_WAYS = 2;

interface Lane<Way, Prize> {
  readonly contestant: Contestant<Way, Prize>;
  /** Ways not gone yet; `undefined` before its turn. */
  waiting: Way[] | undefined;
  /** Whether it has begun and not left yet. */
  isIn: boolean;
  /** Ways gone without an answer so far, those that were given up included. */
  silent: number;
  /** When its lead over the others ends, though its ways fail and are not silent. */
  leadUntil: number;
  readonly failures: WayFailure<Way>[];
  deadline: Timer | undefined;
}

interface Run<Way, Prize> {
  readonly lane: Lane<Way, Prize>;
  readonly abort: AbortController;
  way: Way | undefined;
}

interface Outcome<Prize> {
  resolve(prize: Prize | undefined): void;
  reject(reason: unknown): void;
}

class Race<Way, Prize> {
  readonly #rules: RaceRules;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #outcome: Outcome<Prize>;
  readonly #lanes: readonly Lane<Way, Prize>[];
  /** Oldest first. */
  readonly #runs = new Set<Run<Way, Prize>>();
  #stagger: Timer | undefined;
  #isSettled = false;

  constructor(
    contestants: readonly Contestant<Way, Prize>[],
    rules: RaceRules,
    clock: Clock,
    signal: AbortSignal,
    outcome: Outcome<Prize>,
  ) {
    this.#rules = rules;
    this.#clock = clock;
    this.#signal = signal;
    this.#outcome = outcome;
    this.#lanes = contestants.map((contestant) => ({
      contestant,
      waiting: undefined,
      isIn: false,
      silent: 0,
      leadUntil: Number.POSITIVE_INFINITY,
      failures: [],
      deadline: undefined,
    }));
  }

  start(): void {
    this.#signal.addEventListener('abort', this.#onAbort);
    this.#startNext();
  }

  readonly #onAbort = () => {
    this.#end();
    this.#outcome.reject(this.#signal.reason);
  };

  #won(prize: Prize | undefined): void {
    this.#end();
    this.#outcome.resolve(prize);
  }

  #end(): void {
    this.#isSettled = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#stopStagger();
    for (const run of this.#runs) run.abort.abort();
    this.#runs.clear();
    for (const lane of this.#lanes) this.#leave(lane);
  }

  #startNext(): void {
    // A listener that heard of a failure may have aborted the race.
    if (this.#isSettled) return;
    this.#stopStagger();
    const lane = this.#nextLane();
    if (!lane) {
      if (this.#runs.size === 0) this.#won(undefined);
      return;
    }
    if (!this.#makeRoom(lane)) return;
    const run: Run<Way, Prize> = { lane, abort: new AbortController(), way: undefined };
    this.#runs.add(run);
    lane.silent += 1;
    this.#go(run).then(
      (prize) => this.#arrived(run, prize),
      (error) => this.#failed(run, error),
    );
    this.#startStagger();
  }

  /** The first with something left to try that has cost no more rounds than the others. */
  #nextLane(): Lane<Way, Prize> | undefined {
    const now = this.#clock.now();
    const rounds = ({ silent, leadUntil }: Lane<Way, Prize>) =>
      Math.max(Math.floor(silent / SILENT_WAYS), now >= leadUntil ? 1 : 0);
    const able = this.#lanes.filter(({ waiting }) => waiting === undefined || waiting.length > 0);
    const fewest = Math.min(...able.map(rounds));
    return able.find((lane) => rounds(lane) === fewest);
  }

  /** When all slots are taken, the longest silent way goes whose contestant has another one, the newcomer included. */
  #makeRoom(newcomer: Lane<Way, Prize>): boolean {
    if (this.#runs.size < this.#rules.limit) return true;
    const runs = [...this.#runs];
    const isSpare = ({ lane }: Run<Way, Prize>) =>
      lane === newcomer || runs.filter((run) => run.lane === lane).length > 1;
    const spare = runs.find(isSpare);
    if (spare) this.#giveUp(spare);
    return spare !== undefined;
  }

  #giveUp(run: Run<Way, Prize>): void {
    this.#runs.delete(run);
    run.lane.failures.push({ way: run.way, error: undefined });
    run.abort.abort();
  }

  async #go(run: Run<Way, Prize>): Promise<Prize> {
    const { lane, abort } = run;
    run.way = lane.waiting === undefined ? await this.#enter(run) : lane.waiting.shift();
    return lane.contestant.go(run.way as Way, abort.signal);
  }

  /** A contestant's turn has come: its first way is what this run goes, the others wait. */
  async #enter(run: Run<Way, Prize>): Promise<Way> {
    const { lane, abort } = run;
    const { contestant } = lane;
    lane.waiting = [];
    lane.isIn = true;
    lane.leadUntil = this.#clock.now() + SILENT_WAYS * this.#rules.staggerMs;
    await contestant.prepare(abort.signal);
    abort.signal.throwIfAborted();
    lane.deadline = this.#clock.setTimeout(() => this.#expired(lane), this.#rules.deadlineMs);
    const [first, ...others] = await contestant.ways(abort.signal);
    abort.signal.throwIfAborted();
    lane.waiting = others;
    this.#startStagger();
    return first;
  }

  #arrived(run: Run<Way, Prize>, prize: Prize): void {
    if (this.#runs.delete(run)) this.#won(prize);
    else run.lane.contestant.discard(prize);
  }

  #failed(run: Run<Way, Prize>, error: unknown): void {
    if (!this.#runs.delete(run)) return;
    const { lane, way } = run;
    lane.silent -= 1;
    lane.failures.push({ way, error });
    const goesOn = lane.waiting?.length !== 0 || [...this.#runs].some((other) => other.lane === lane);
    if (!goesOn) this.#lost(lane, false);
    this.#startNext();
  }

  #expired(lane: Lane<Way, Prize>): void {
    for (const run of [...this.#runs]) if (run.lane === lane) this.#giveUp(run);
    lane.waiting = [];
    this.#lost(lane, true);
    this.#startNext();
  }

  #lost(lane: Lane<Way, Prize>, timedOut: boolean): void {
    this.#leave(lane);
    lane.contestant.lost({ timedOut, failures: lane.failures });
  }

  #startStagger(): void {
    if (this.#stagger || !this.#nextLane()) return;
    this.#stagger = this.#clock.setTimeout(() => this.#startNext(), this.#rules.staggerMs);
  }

  #stopStagger(): void {
    if (this.#stagger) this.#clock.clearTimeout(this.#stagger);
    this.#stagger = undefined;
  }

  #leave(lane: Lane<Way, Prize>): void {
    if (lane.deadline) this.#clock.clearTimeout(lane.deadline);
    lane.deadline = undefined;
    if (lane.isIn) lane.contestant.leave();
    lane.isIn = false;
  }
}
