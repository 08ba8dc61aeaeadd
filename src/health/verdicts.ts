/** What one client has concluded about each endpoint: consecutive failures eject it for a growing time. */
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { EndpointState, EventSink } from '../events.js';
import type { Clock, Random } from '../platform/ports.js';

/** When failures eject, and for how long; see `HealthOptions`. */
export interface HealthBounds {
  readonly failures: number;
  readonly ejectMs: number;
  readonly maxEjectMs: number;
  readonly panicAbove: number;
}

/** What `status()` shows of one endpoint's health. */
export interface HealthView {
  readonly state: EndpointState;
  readonly reason: string | null;
  /** Milliseconds since 1970 when an ejected endpoint may be used again. */
  readonly retryAt: number | null;
}

/** Whom a failure is put down to: the node, as any client would find it, or what this client alone has to do with it. */
export type Blame = 'node' | 'client';

interface Verdict {
  /** Failures in a row that are this client's own. */
  failures: number;
  /** Failures in a row that are facts of the node; CONNACK to any client clears them. */
  nodeFailures: number;
  /** What the ejection rests on; what rests on the node, any client may disprove. */
  blame: Blame;
  /** Ejections in a row; each makes the next one longer. */
  ejections: number;
  /** When the last of them was to end, on the monotonic clock. */
  lastEjectedUntil: number;
  /** On the monotonic clock; a verdict whose time has passed is half open: one success closes it. */
  ejectedUntil: number;
  state: EndpointState;
  reason: string | null;
  /** The endpoint as it was when it turned out unfit, and how; another object with its id gets a new chance. */
  unfit: { readonly endpoint: Endpoint; readonly error: FailoverError } | undefined;
}

/** Share of an ejection that is added at random, so that clients do not come back together. */
const EJECT_JITTER = 0.2;

/** One verdict for each endpoint of which anything is known; every change is told as `health`. */
export class Verdicts {
  readonly #bounds: HealthBounds;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: EventSink;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(bounds: HealthBounds, clock: Clock, random: Random, events: EventSink) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
  }

  /** What is known of an endpoint, if anything is. */
  of(id: string): Readonly<Verdict> | undefined {
    return this.#verdicts.get(id);
  }

  /** A failure counts: the endpoint is suspect, or ejected when that was one too many. */
  blame(id: string, reason: string, blame: Blame): void {
    const verdict = this.#verdict(id);
    if (blame === 'node') verdict.nodeFailures += 1;
    else verdict.failures += 1;
    verdict.reason = reason;
    if (this.isEjected(id)) return;
    // Half open: its time was up, and its first chance is gone.
    const halfOpen = verdict.state === 'ejected';
    if (verdict.state !== 'suspect') verdict.blame = blame;
    else if (blame === 'client') verdict.blame = 'client';
    if (!halfOpen && verdict.failures + verdict.nodeFailures < this.#bounds.failures) {
      this.#change(id, verdict, 'suspect');
      return;
    }
    this.#eject(id, verdict);
  }

  #eject(id: string, verdict: Verdict): void {
    const now = this.#clock.now();
    const { ejectMs, maxEjectMs } = this.#bounds;
    // What was long ago says nothing of today.
    if (now - verdict.lastEjectedUntil > maxEjectMs) verdict.ejections = 0;
    verdict.failures = 0;
    verdict.nodeFailures = 0;
    verdict.ejections += 1;
    const jitter = 1 + EJECT_JITTER * this.#random.next();
    verdict.ejectedUntil = now + Math.min(maxEjectMs, ejectMs * verdict.ejections * jitter);
    verdict.lastEjectedUntil = verdict.ejectedUntil;
    this.#change(id, verdict, 'ejected');
  }

  /** Out until then, on the monotonic clock, unless it is out for longer already. */
  coolUntil(id: string, until: number, reason: string, blame: Blame): void {
    const verdict = this.#verdict(id);
    const wasEjected = this.isEjected(id);
    if (wasEjected && until <= verdict.ejectedUntil) return;
    verdict.blame = wasEjected && verdict.blame === 'client' ? 'client' : blame;
    verdict.reason = reason;
    verdict.ejectedUntil = until;
    this.#change(id, verdict, 'ejected');
  }

  /** It works: nothing is held against it any more, but that a link must hold before our own failures are forgotten. */
  clear(id: string, reason: string | null): void {
    const verdict = this.#verdicts.get(id);
    if (!verdict) return;
    verdict.ejectedUntil = 0;
    verdict.nodeFailures = 0;
    verdict.reason = reason;
    this.#change(id, verdict, 'healthy');
    verdict.reason = null;
  }

  /** Failures that are facts of the node are disproved; what else there is stands. */
  clearNodeFailures(id: string): void {
    this.#verdict(id).nodeFailures = 0;
  }

  /** A link held. */
  forgive(id: string): void {
    const verdict = this.#verdicts.get(id);
    if (!verdict) return;
    verdict.failures = 0;
    verdict.ejections = Math.max(0, verdict.ejections - 1);
  }

  /** A probe was answered: that shows, and readmits nobody by itself. */
  answered(id: string): void {
    const verdict = this.#verdicts.get(id);
    if (!verdict || verdict.state === 'healthy') return;
    verdict.reason = 'a probe succeeded';
    this.#change(id, verdict, 'probing');
  }

  /** The endpoint cannot serve this configuration, whatever we wait. */
  unfit(endpoint: Endpoint, error: FailoverError): void {
    const verdict = this.#verdict(endpoint.id);
    verdict.unfit = { endpoint, error };
    verdict.reason = error.message;
    this.#change(endpoint.id, verdict, 'unusable');
  }

  /** Gives those that were unfit another chance. */
  refit(): void {
    for (const [id, verdict] of this.#verdicts) {
      if (!verdict.unfit) continue;
      verdict.unfit = undefined;
      verdict.reason = `it could not serve this client before: ${verdict.reason}`;
      this.#change(id, verdict, 'suspect');
    }
  }

  /** Drops the verdicts on endpoints that are no longer there, and on unfit ones that have changed. */
  retain(present: ReadonlyMap<string, Endpoint>): void {
    for (const [id, { unfit }] of this.#verdicts) {
      const now = present.get(id);
      if (!now || (unfit && unfit.endpoint !== now)) this.#verdicts.delete(id);
    }
  }

  isEjected(id: string): boolean {
    return (this.of(id)?.ejectedUntil ?? 0) > this.#clock.now();
  }

  isHalfOpen(id: string): boolean {
    return this.of(id)?.state === 'ejected' && !this.isEjected(id);
  }

  view(id: string): HealthView {
    const verdict = this.of(id);
    if (!verdict) return { state: 'healthy', reason: null, retryAt: null };
    return {
      state: this.isHalfOpen(id) ? 'suspect' : verdict.state,
      reason: verdict.reason,
      retryAt: this.isEjected(id) ? this.#wall(verdict.ejectedUntil) : null,
    };
  }

  #verdict(id: string): Verdict {
    let verdict = this.#verdicts.get(id);
    if (!verdict) {
      verdict = {
        failures: 0,
        nodeFailures: 0,
        blame: 'client',
        ejections: 0,
        lastEjectedUntil: 0,
        ejectedUntil: 0,
        state: 'healthy',
        reason: null,
        unfit: undefined,
      };
      this.#verdicts.set(id, verdict);
    }
    return verdict;
  }

  #change(id: string, verdict: Verdict, state: EndpointState): void {
    if (verdict.state === state && state !== 'ejected') return;
    verdict.state = state;
    const until = state === 'ejected' ? this.#wall(verdict.ejectedUntil) : null;
    this.#events.emit('health', { endpoint: id, state, reason: verdict.reason ?? 'accepted', until });
  }

  #wall(at: number): number {
    return Math.round(this.#clock.wallNow() + (at - this.#clock.now()));
  }
}
