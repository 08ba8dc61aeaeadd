/** How fast a client may dial: after a loss, after a failed pass, and at one endpoint. */
import { type BackoffBounds, backoffDelay } from '../health/backoff.js';
import { SHORT_LINK_MS } from '../health/health-book.js';
import type { Clock, Random } from '../platform/ports.js';

/** See `BackoffOptions`. */
export interface PacingBounds extends BackoffBounds {
  readonly resetAfterMs: number;
  readonly spreadMs: number;
}

/** Milliseconds between two attempts at one endpoint, at least. */
const ENDPOINT_GAP_MS = 1_000;
/** Milliseconds by which a timer may be early. */
const EARLY_MS = 20;
/** Short links within this many milliseconds are counted together. */
const FLAP_WINDOW_MS = 60_000;
/** This many short links in the window make the client wait as after a failed pass (R147). */
const FLAPS = 3;

/** Milliseconds of the slow lane's first range, and of its widest. */
const SLOW_LANE_MS = 60_000;
const MAX_SLOW_LANE_MS = 900_000;

/** Reason code → milliseconds at least, and the range of the random part (C2). */
const DISCONNECT_WAITS: ReadonlyMap<number | string, readonly [number, number]> = new Map([
  [0x96, [5_000, 5_000]],
  [0x97, [5_000, 5_000]],
  [0x98, [5_000, 25_000]],
]);

/** Remembers attempts, passes and young deaths, and says how long to wait. All times are milliseconds. */
export class Pacing {
  readonly #bounds: PacingBounds;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lastAttempt = new Map<string, number>();
  #failedPasses = 0;
  #shortLinks: number[] = [];
  #refusedPasses = 0;

  constructor(bounds: PacingBounds, clock: Clock, random: Random) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#random = random;
  }

  /** Forgets failed passes: the user asks for a fresh start. */
  reset(): void {
    this.#failedPasses = 0;
    this.#refusedPasses = 0;
  }

  /** CONNECT was accepted: our credentials are good. */
  accepted(): void {
    this.#refusedPasses = 0;
  }

  /** An attempt at an endpoint has just ended or sent CONNECT. */
  attempted(id: string): void {
    this.#lastAttempt.set(id, this.#clock.now());
  }

  /** An endpoint was left on purpose, in working order: it need not rest. */
  left(id: string): void {
    this.#lastAttempt.delete(id);
  }

  /** How long an endpoint must still rest; 0 when it may be tried. */
  restLeft(id: string): number {
    const last = this.#lastAttempt.get(id);
    const left = last === undefined ? 0 : last + ENDPOINT_GAP_MS - this.#clock.now();
    // Timers may be a little early, by the clock that they are measured with.
    return left < EARLY_MS ? 0 : left;
  }

  /** The wait until one of `ids` has rested. */
  untilRested(ids: readonly string[]): number {
    const soonest = Math.min(...ids.map((id) => this.restLeft(id)));
    return Math.max(1, soonest + this.#spread());
  }

  /** The wait after a link that held for `heldMs`: a moment, or as after a failed pass when links keep dying young. */
  afterLoss(heldMs: number): number {
    const now = this.#clock.now();
    if (heldMs >= this.#bounds.resetAfterMs) this.#failedPasses = 0;
    if (heldMs >= SHORT_LINK_MS) return this.#spread();
    this.#shortLinks = this.#shortLinks.filter((at) => now - at < FLAP_WINDOW_MS);
    this.#shortLinks.push(now);
    return this.#shortLinks.length < FLAPS ? this.#spread() : this.afterFailedPass();
  }

  /** The wait after a pass in which every endpoint failed. */
  afterFailedPass(): number {
    this.#failedPasses += 1;
    return backoffDelay(this.#bounds, this.#failedPasses, this.#random);
  }

  /** What a DISCONNECT asks for by its reason code: a kicked client stays away a while, a fast one slows down. */
  afterDisconnect(code: number | string): number {
    const [least, range] = DISCONNECT_WAITS.get(code) ?? [0, 0];
    return least + this.#random.next() * range;
  }

  /** The wait after our credentials were refused: the slow lane, a minute to a quarter of an hour (D16). */
  afterRefusal(): number {
    const range = Math.min(MAX_SLOW_LANE_MS, SLOW_LANE_MS * 2 ** this.#refusedPasses);
    this.#refusedPasses += 1;
    return range * (0.5 + 0.5 * this.#random.next());
  }

  #spread(): number {
    return this.#random.next() * this.#bounds.spreadMs;
  }
}
