/** Brokers that said they are full: healthy, but not for us, for a while (S7). */
import type { Endpoint } from '../endpoint.js';
import type { Outcome } from '../health/outcomes.js';
import type { Clock, Random } from '../platform/ports.js';

/** Milliseconds that a full endpoint is left alone at first; doubles when it is still full after that. */
const HOLD_MS = 300_000;
const MAX_HOLD_MS = 3_600_000;
/** Share of a hold that is added at random, so that those who were sent away do not come back together. */
const HOLD_JITTER = 0.2;

/** Server busy, Quota exceeded, Connection rate exceeded (MQTT 5.0 §3.2.2.2). */
const FULL_CODES: ReadonlySet<unknown> = new Set([0x89, 0x97, 0x9f]);
/** In a DISCONNECT it is our own quota that is exceeded, not the broker's (MQTT 5.0 §3.14.2.1). */
const OWN_QUOTA = 0x97;

/** Whether a broker says that it has no room. */
export function saysFull(outcome: Outcome | undefined): boolean {
  if (outcome?.kind === 'disconnect') return outcome.code !== OWN_QUOTA && FULL_CODES.has(outcome.code);
  return outcome?.kind === 'connack' && FULL_CODES.has(outcome.code);
}

interface Hold {
  readonly until: number;
  readonly reason: string;
  /** Such answers in a row, each given when the time of the one before was up. */
  readonly answers: number;
}

/**
 * Remembers who is full, without a coordinator and without calling anyone dead: a full endpoint comes after all
 * others, and counts neither as ejected nor for panic.
 */
export class FullNodes {
  readonly #clock: Clock;
  readonly #random: Random;
  /** Made with the first. */
  #holds: Map<string, Hold> | undefined;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The endpoint said that it is full. Asked before its time was up, for want of others, it has only said it again. */
  answered(id: string, reason: string): void {
    const known = this.#holds?.get(id)?.answers ?? 0;
    const answers = this.hold(id) ? known : known + 1;
    const holdMs = Math.min(MAX_HOLD_MS, HOLD_MS * 2 ** Math.min(answers - 1, 16));
    const until = this.#clock.now() + holdMs * (1 + HOLD_JITTER * this.#random.next());
    this.#holds ??= new Map();
    this.#holds.set(id, { until, reason, answers });
  }

  /**
   * The endpoint took us: it has room.
   *
   * @returns whether it was held for full.
   */
  accepted(id: string): boolean {
    const wasFull = this.hold(id) !== undefined;
    this.#holds?.delete(id);
    return wasFull;
  }

  /** Why an endpoint is left alone, and until when on the monotonic clock; `undefined` when it is not. */
  hold(id: string): { readonly until: number; readonly reason: string } | undefined {
    const hold = this.#holds?.get(id);
    return hold && hold.until > this.#clock.now() ? hold : undefined;
  }

  /** `ranked` with the full ones at its end, the one first whose time is up first. */
  last(ranked: readonly Endpoint[]): readonly Endpoint[] {
    if (!this.#holds || this.#holds.size === 0) return ranked;
    const others: Endpoint[] = [];
    const full: { readonly endpoint: Endpoint; readonly until: number }[] = [];
    for (const endpoint of ranked) {
      const hold = this.hold(endpoint.id);
      if (hold) full.push({ endpoint, until: hold.until });
      else others.push(endpoint);
    }
    if (full.length === 0) return ranked;
    full.sort((a, b) => a.until - b.until);
    return [...others, ...full.map(({ endpoint }) => endpoint)];
  }

  /** Forgets endpoints that are no longer in the list. */
  retain(present: ReadonlySet<string>): void {
    this.#holds?.forEach((_, id, holds) => {
      if (!present.has(id)) holds.delete(id);
    });
  }
}
