/** How often a wait may be cut short, whoever asks for it (R146, R199). */
import type { Clock } from '../platform/ports.js';

/** Milliseconds after which one call is free again. */
const FREE_EVERY_MS = 5_000;
/** Calls beyond the free ones: so many at once, and so many a minute (D6). */
const TOKENS = 10;
const TOKEN_EVERY_MS = 6_000;

/**
 * A token bucket in front of everything that makes a client dial before its time: `reconnect()`, signals of the
 * network, what discovery says. A listener that calls `reconnect()` on every `close` makes no storm.
 */
export class RetryBudget {
  readonly #clock: Clock;
  #freeAt = Number.NEGATIVE_INFINITY;
  #tokens = TOKENS;
  #countedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.now();
  }

  /** Whether the caller may act now; if so, it has been counted. */
  take(): boolean {
    const now = this.#clock.now();
    if (now >= this.#freeAt) {
      this.#freeAt = now + FREE_EVERY_MS;
      return true;
    }
    this.#tokens = Math.min(TOKENS, this.#tokens + (now - this.#countedAt) / TOKEN_EVERY_MS);
    this.#countedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes the next free call ahead of its time; milliseconds until then. */
  reserve(): number {
    const wait = Math.max(0, this.#freeAt - this.#clock.now());
    this.#freeAt = this.#clock.now() + wait + FREE_EVERY_MS;
    return wait;
  }
}
