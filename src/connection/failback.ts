/**
 * Goes home: back to the preferred endpoint once it has proved itself, without a herd.
 *
 * Probing is off the critical path: a transport that is opened and closed. A returned endpoint must answer several
 * times and for a while, each client has its own slot in a window by its id, and no client moves often (R165–R167).
 * That, and nothing else, is what brings placement back to where it was after a rolling restart.
 */
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { Clock, DialTarget, Random, Timer } from '../platform/ports.js';
import { hashShare } from '../selection/murmur3.js';
import type { MoveOptions } from './move.js';

/** See `FailbackOptions` and `HealthOptions.probeMs`. */
export interface FailbackBounds {
  readonly mode: 'auto' | 'manual' | 'off';
  readonly healthyMs: number;
  readonly probes: number;
  readonly windowMs: number;
  readonly dwellMs: number;
  readonly probeMs: number;
}

/** What failback needs of the rest. */
export interface FailbackDeps {
  readonly bounds: FailbackBounds;
  readonly clock: Clock;
  readonly random: Random;
  readonly clientId: () => string;
  /** Endpoints that are better than the one in use, best first; none without a link. */
  readonly better: () => readonly Endpoint[];
  /** The endpoint that the client prefers by placement. */
  readonly home: () => Endpoint | undefined;
  readonly target: (endpoint: Endpoint) => DialTarget;
  /** Opens a transport and closes it again. */
  readonly probe: (target: DialTarget, signal: AbortSignal) => Promise<void>;
  /** Tells the health book what a probe said. */
  readonly observed: (id: string, ok: boolean) => void;
  readonly move: (to: string, reason: string, options: MoveOptions) => Promise<void>;
  /** Whether the session, if there is one worth keeping, would come along. */
  readonly mayLeave: () => boolean;
}

/** Share by which the wait between probes is varied. */
const PROBE_JITTER = 0.2;
/** Milliseconds between probes of an endpoint that stays away, at most. */
const MAX_PROBE_MS = 60_000;
/** Milliseconds that a probe may take. */
const PROBE_TIMEOUT_MS = 3_000;
/** Better endpoints that one look probes, at most. */
const PROBED_AT_ONCE = 3;
/** The longest that moves home which came to nothing stretch `healthyMs`. */
const MAX_HOLD_OFF = 16;

interface Candidate {
  readonly id: string;
  /** Since when every probe was good. */
  readonly healthySince: number;
  readonly goodProbes: number;
}

/** Watches the preferred endpoint while the client is on another. */
export class Failback {
  readonly #deps: FailbackDeps;
  #timer: Timer | undefined;
  #abort: AbortController | undefined;
  #candidate: Candidate | undefined;
  #failures = 0;
  #movedAt = Number.NEGATIVE_INFINITY;
  /** Grows with every move home that failed, or whose link died young; a link that holds at home makes it 1 again. */
  #holdOff = 1;
  #linkedAt = Number.NEGATIVE_INFINITY;
  /** Whether it was we who brought the client to where it is. */
  #cameBack = false;

  constructor(deps: FailbackDeps) {
    this.#deps = deps;
  }

  /** A link is there. */
  linkUp(): void {
    this.linkDown();
    this.#abort = new AbortController();
    this.#candidate = undefined;
    this.#failures = 0;
    this.#cameBack = false;
    this.#linkedAt = this.#deps.clock.now();
    this.#next(this.#probeDelay());
  }

  /**
   * The link is gone: there is nothing to move.
   *
   * @param end - How it ended, unless we left it ourselves.
   */
  linkDown(end?: FailoverError): void {
    // A broker that accepts and then closes passes every probe: how long its links hold says more (R143).
    if (end && this.#cameBack && !this.#hasHeld()) this.#hold();
    this.#cameBack = false;
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#abort?.abort();
    this.#abort = undefined;
  }

  /** A planned move came about. */
  moved(): void {
    this.#movedAt = this.#deps.clock.now();
  }

  #hasHeld(): boolean {
    return this.#deps.clock.now() - this.#linkedAt >= this.#deps.bounds.healthyMs;
  }

  #hold(): void {
    this.#holdOff = Math.min(MAX_HOLD_OFF, this.#holdOff * 2);
  }

  #next(delayMs: number): void {
    this.#timer = this.#deps.clock.setTimeout(this.#due, delayMs);
  }

  /** One for all looks: a client looks for as long as it is connected, and is mostly at home. */
  readonly #due = () => {
    this.#timer = undefined;
    const better = this.#deps.better();
    if (better.length === 0) {
      this.#candidate = undefined;
      if (this.#hasHeld()) this.#holdOff = 1;
      this.#next(this.#probeDelay());
      return;
    }
    const { signal } = this.#abort as AbortController;
    const again = () => {
      if (!signal.aborted) this.#next(this.#probeDelay());
    };
    // Only code of the application's own can throw, such as a `transformWsUrl`; later perhaps it does not.
    this.#look(better, signal).then(again, again);
  };

  #probeDelay(): number {
    const { bounds, random } = this.#deps;
    const base = Math.min(MAX_PROBE_MS, bounds.probeMs * 2 ** Math.min(this.#failures, 16));
    return base * (1 + PROBE_JITTER * (2 * random.next() - 1));
  }

  /** Looks whether one of the endpoints that are better than ours may be gone to, and goes. */
  async #look(better: readonly Endpoint[], signal: AbortSignal): Promise<void> {
    if (this.#deps.bounds.mode === 'off') return;
    // Probed even when we may not go there: what `status()` says of it should be true.
    const candidate = await this.#firstAlive(better.slice(0, PROBED_AT_ONCE), signal);
    if (candidate && !signal.aborted && this.#mayGo() && this.#isReady())
      await this.#goHome(candidate, signal);
  }

  /** Home if it answers, else the next that is better than where we are. */
  async #firstAlive(endpoints: readonly Endpoint[], signal: AbortSignal): Promise<Endpoint | undefined> {
    for (const endpoint of endpoints) {
      if (signal.aborted) return undefined;
      if (await this.#probe(endpoint, signal)) return endpoint;
    }
    return undefined;
  }

  async #probe(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
    const { clock, observed, probe, target } = this.#deps;
    const { id } = endpoint;
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    signal.addEventListener('abort', abort);
    const timer = clock.setTimeout(abort, PROBE_TIMEOUT_MS);
    const ok = await probe(target(endpoint), attempt.signal).then(
      () => true,
      () => false,
    );
    clock.clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    if (signal.aborted) return false;
    const known = this.#candidate?.id === id ? this.#candidate : undefined;
    if (ok) {
      const healthySince = known?.healthySince ?? clock.now();
      this.#candidate = { id, goodProbes: (known?.goodProbes ?? 0) + 1, healthySince };
      this.#failures = 0;
    } else {
      if (known) this.#candidate = undefined;
      this.#failures += 1;
    }
    observed(id, ok);
    return ok;
  }

  #mayGo(): boolean {
    return this.#deps.bounds.mode === 'auto' && this.#deps.mayLeave();
  }

  #isReady(): boolean {
    const { bounds, clock } = this.#deps;
    const now = clock.now();
    return (
      this.#candidate !== undefined &&
      this.#candidate.goodProbes >= bounds.probes &&
      now - this.#candidate.healthySince >= bounds.healthyMs * this.#holdOff &&
      now - this.#movedAt >= bounds.dwellMs
    );
  }

  /** Waits for this client's own slot, looks once more, and moves. */
  async #goHome(home: Endpoint, signal: AbortSignal): Promise<void> {
    await this.#slot(this.#deps.bounds.windowMs, signal);
    if (signal.aborted || !(await this.#probe(home, signal)) || signal.aborted) return;
    if (!this.#mayGo() || !this.#deps.better().some(({ id }) => id === home.id)) return;
    const event = this.#deps.home()?.id === home.id ? 'failback' : 'move';
    try {
      await this.#deps.move(home.id, 'a better endpoint is back', { event, patient: true });
      this.moved();
      this.#cameBack = true;
    } catch {
      this.#candidate = undefined;
      this.#hold();
    }
  }

  /** The same share of every window for the same client: a spread without a draw, and reproducible (R6). */
  #slot(windowMs: number, signal: AbortSignal): Promise<void> {
    const share = hashShare(this.#deps.clientId());
    return new Promise((resolve) => {
      const done = () => {
        this.#deps.clock.clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#deps.clock.setTimeout(done, share * windowMs);
      signal.addEventListener('abort', done);
    });
  }
}
