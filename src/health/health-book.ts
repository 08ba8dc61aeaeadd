/** What one client has learned about each endpoint, and the order in which that lets it try them. */
import type { Endpoint } from '../endpoint.js';
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

interface Entry {
  failures: number;
  /** Ejections in a row; each makes the next one longer. */
  ejections: number;
  /** On the monotonic clock; an entry whose time has passed is half open: one success closes it. */
  ejectedUntil: number;
  state: EndpointState;
  reason: string | null;
  /** The endpoint as it was when it turned out unfit; another object with its id gets a new chance. */
  unfit: Endpoint | undefined;
}

/** A link that ends sooner than this after CONNACK counts as a failure of its endpoint (C3 table, R143). */
export const SHORT_LINK_MS = 5_000;
/** Share of an ejection that is added at random, so that clients do not come back together. */
const EJECT_JITTER = 0.2;

/**
 * Passive health: consecutive failures eject an endpoint for a growing time.
 *
 * An accepted TCP connection proves nothing; only CONNACK does, and only a link that holds clears the count (R143).
 */
export class HealthBook {
  readonly #bounds: HealthBounds;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: EventSink;
  readonly #entries = new Map<string, Entry>();

  constructor(bounds: HealthBounds, clock: Clock, random: Random, events: EventSink) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
  }

  /** An attempt or a young link failed, and the endpoint is to blame. */
  failed(id: string, reason: string): void {
    const entry = this.#entry(id);
    entry.failures += 1;
    entry.reason = reason;
    if (this.#isEjected(id)) return;
    // Half open: its time was up, and its first chance is gone.
    const halfOpen = entry.state === 'ejected';
    if (!halfOpen && entry.failures < this.#bounds.failures) {
      this.#change(id, entry, 'suspect');
      return;
    }
    entry.failures = 0;
    entry.ejections += 1;
    const { ejectMs, maxEjectMs } = this.#bounds;
    const jitter = 1 + EJECT_JITTER * this.#random.next();
    entry.ejectedUntil = this.#clock.now() + Math.min(maxEjectMs, ejectMs * entry.ejections * jitter);
    this.#change(id, entry, 'ejected');
  }

  /** The endpoint asked to be left alone for so many milliseconds. */
  cool(id: string, ms: number, reason: string): void {
    const entry = this.#entry(id);
    entry.reason = reason;
    entry.ejectedUntil = Math.max(entry.ejectedUntil, this.#clock.now() + ms);
    this.#change(id, entry, 'ejected');
  }

  /** The endpoint cannot serve this configuration, whatever we wait: not before its entry in the list changes. */
  unfit(endpoint: Endpoint, reason: string): void {
    const entry = this.#entry(endpoint.id);
    entry.unfit = endpoint;
    entry.reason = reason;
    this.#change(endpoint.id, entry, 'unusable');
  }

  /** CONNECT was accepted. */
  accepted(id: string): void {
    const entry = this.#entry(id);
    entry.ejectedUntil = 0;
    entry.reason = null;
    this.#change(id, entry, 'healthy');
  }

  /** A probe off the critical path succeeded or failed. Success shows in `state`, but readmits nobody by itself. */
  probed(id: string, ok: boolean): void {
    const entry = this.#entry(id);
    if (ok && entry.state !== 'healthy') {
      entry.reason = 'a probe succeeded';
      this.#change(id, entry, 'probing');
    } else if (!ok) {
      this.failed(id, 'a probe failed');
    }
  }

  /** An accepted link ended after `durationMs`. */
  linkEnded(id: string, durationMs: number, reason: string): void {
    if (durationMs < SHORT_LINK_MS) {
      this.failed(id, reason);
      return;
    }
    const entry = this.#entry(id);
    entry.failures = 0;
    entry.ejections = Math.max(0, entry.ejections - 1);
  }

  /** Drops what is known of endpoints that are no longer in the list, and of unfit ones that have changed. */
  retain(endpoints: readonly Endpoint[]): void {
    const present = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    for (const [id, { unfit }] of this.#entries) {
      if (!present.has(id) || (unfit && unfit !== present.get(id))) this.#entries.delete(id);
    }
  }

  /**
   * The order to try `ranked` in: healthy ones first, then ejected ones by the time of their return (R134).
   *
   * When more than `panicAbove` of them are ejected, ejection says more about us than about them: the ranking stands
   * as it is (panic mode, S6).
   */
  order(ranked: readonly Endpoint[]): readonly Endpoint[] {
    const fit = ranked.filter(({ id }) => !this.#entries.get(id)?.unfit);
    const out = fit.filter(({ id }) => this.#isEjected(id));
    if (out.length === 0 || out.length > this.#bounds.panicAbove * fit.length) return fit;
    out.sort((a, b) => this.#entry(a.id).ejectedUntil - this.#entry(b.id).ejectedUntil);
    return [...fit.filter(({ id }) => !this.#isEjected(id)), ...out];
  }

  view(id: string): HealthView {
    const entry = this.#entries.get(id);
    if (!entry) return { state: 'healthy', reason: null, retryAt: null };
    const halfOpen = entry.state === 'ejected' && !this.#isEjected(id);
    return {
      state: halfOpen ? 'suspect' : entry.state,
      reason: entry.reason,
      retryAt: this.#isEjected(id) ? this.#wall(entry.ejectedUntil) : null,
    };
  }

  #isEjected(id: string): boolean {
    return (this.#entries.get(id)?.ejectedUntil ?? 0) > this.#clock.now();
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = {
        failures: 0,
        ejections: 0,
        ejectedUntil: 0,
        state: 'healthy',
        reason: null,
        unfit: undefined,
      };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  #change(id: string, entry: Entry, state: EndpointState): void {
    if (entry.state === state && state !== 'ejected') return;
    entry.state = state;
    const until = state === 'ejected' ? this.#wall(entry.ejectedUntil) : null;
    this.#events.emit('health', { endpoint: id, state, reason: entry.reason ?? 'accepted', until });
  }

  #wall(at: number): number {
    return Math.round(this.#clock.wallNow() + (at - this.#clock.now()));
  }
}
