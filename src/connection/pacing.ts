/** How fast a client may dial: after a loss, after a failed pass, and at one endpoint. */
import { type BackoffBounds, backoffDelay } from '../health/backoff.js';
import type { Clock, Random } from '../platform/ports.js';
import { murmur3 } from '../selection/murmur3.js';

/** See `BackoffOptions`. */
export interface PacingBounds extends BackoffBounds {
  readonly resetAfterMs: number;
  readonly spreadMs: number;
}

/** An operator's wish how wide a fleet spreads after a loss, for one client. */
export interface SpreadHint {
  readonly spreadMs: number;
  readonly clientId: string;
}

/** Milliseconds that a hint may ask for, at most (R148). */
const MAX_SPREAD_MS = 600_000;
/** Milliseconds between two attempts at one endpoint, at least. */
const ENDPOINT_GAP_MS = 1_000;
/** Milliseconds by which a timer may be early. */
const EARLY_MS = 20;
/** This many links in a row that did not hold make the client wait as after a failed pass (R147). */
const FLAPS = 3;
/** Kicks by an administrator within this many milliseconds are counted together; so many of them lead to the slow lane. */
const KICK_WINDOW_MS = 600_000;
const KICKS = 3;

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
  /** Links in a row that did not hold for `resetAfterMs`. */
  #shortLinks = 0;
  #refusals = 0;
  #refreshed = false;
  #kicks: number[] = [];

  constructor(bounds: PacingBounds, clock: Clock, random: Random) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#random = random;
  }

  /** Forgets failed passes: the user asks for a fresh start. */
  reset(): void {
    this.#failedPasses = 0;
    this.#refusals = 0;
    this.#refreshed = false;
  }

  /**
   * A link ended that had held for `heldMs`. Only one that held for `resetAfterMs` proves that things are well: CONNACK
   * alone does not, for a broker may accept us and send us away a moment later (R147).
   */
  linkEnded(heldMs: number): void {
    if (heldMs >= this.#bounds.resetAfterMs) {
      this.reset();
      this.#shortLinks = 0;
    } else {
      this.#shortLinks += 1;
    }
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

  /**
   * The wait after the loss of a link: a moment, or as after a failed pass when links keep dying young.
   *
   * @param hint - A wider spread that the operator asks for, and this client's place in it.
   */
  afterLoss(hint?: SpreadHint): number {
    return this.#shortLinks >= FLAPS ? this.afterFailedPass() : this.atOnce(hint);
  }

  /**
   * The wait before something that a whole fleet may be about to do: a moment.
   *
   * @param hint - See {@link afterLoss}.
   */
  atOnce(hint?: SpreadHint): number {
    if (!hint || hint.spreadMs <= this.#bounds.spreadMs) return this.#spread();
    // Not a draw: the same client has the same slot each time, so that the operator can reckon with it (R148).
    return (murmur3(hint.clientId) / 2 ** 32) * Math.min(MAX_SPREAD_MS, hint.spreadMs);
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

  /** Whether this is the third kick within ten minutes, or a later one. */
  kicked(): boolean {
    const now = this.#clock.now();
    this.#kicks = [...this.#kicks.filter((at) => now - at < KICK_WINDOW_MS), now].slice(-KICKS);
    return this.#kicks.length >= KICKS;
  }

  /** Whether fresh credentials may be tried at once; only once until a link has held. */
  mayRefresh(): boolean {
    if (this.#refreshed) return false;
    this.#refreshed = true;
    return true;
  }

  /**
   * The slow lane, a minute to a quarter of an hour: after refused credentials, distrusted certificates and repeated
   * kicks, which only people can mend (D16). It grows until a link has held.
   */
  slowLane(): number {
    const range = Math.min(MAX_SLOW_LANE_MS, SLOW_LANE_MS * 2 ** Math.min(this.#refusals, 16));
    this.#refusals += 1;
    return range * (0.5 + 0.5 * this.#random.next());
  }

  #spread(): number {
    return this.#random.next() * this.#bounds.spreadMs;
  }
}
