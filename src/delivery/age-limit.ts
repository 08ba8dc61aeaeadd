/** How long messages wait at most. */
import { LONGEST_TIMER_MS } from '../platform/longest-timer.js';
import type { Clock, Timer } from '../platform/ports.js';
import type { Lanes } from './lanes.js';
import type { Message } from './message.js';

/** Has one timer, for the oldest message; it is armed for the next oldest when it fires. */
export class AgeLimit {
  readonly #maxAgeMs: number;
  readonly #clock: Clock;
  readonly #lanes: Lanes;
  readonly #expire: (message: Message) => void;
  #timer: Timer | undefined;

  /**
   * @param maxAgeMs - Infinity for no limit, and no timer.
   * @param expire - Takes a message out of the lanes that has waited for so long.
   */
  constructor(maxAgeMs: number, clock: Clock, lanes: Lanes, expire: (message: Message) => void) {
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
    this.#lanes = lanes;
    this.#expire = expire;
  }

  /** Milliseconds since the oldest waiting message was published; 0 when none waits. */
  get oldestMs(): number {
    const oldest = this.#lanes.oldest();
    return oldest ? this.#clock.now() - oldest.publishedAt : 0;
  }

  /** Messages were added, and none of them is older than all that wait. */
  watch(): void {
    if (this.#timer || this.#maxAgeMs === Number.POSITIVE_INFINITY) return;
    const oldest = this.#lanes.oldest();
    if (!oldest) return;
    const left = Math.max(0, oldest.publishedAt + this.#maxAgeMs - this.#clock.now());
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#expireAll();
        this.watch();
      },
      Math.min(left, LONGEST_TIMER_MS),
    );
  }

  #expireAll(): void {
    const limit = this.#clock.now() - this.#maxAgeMs;
    for (let first = this.#lanes.oldest(); first; first = this.#lanes.oldest()) {
      if (first.publishedAt > limit) return;
      this.#expire(first);
    }
  }

  /** Messages were added that are older than what waits. */
  restart(): void {
    this.stop();
    this.watch();
  }

  stop(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
