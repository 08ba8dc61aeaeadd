/** Signals that end a request: the caller's, and a clock's. */
import type { Clock, Timer } from '../../platform/ports.js';

/** A time limit that can be put off, under a caller's signal. */
export class Deadline {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #abort = new AbortController();
  readonly #relay = () => this.#abort.abort(this.#outer.reason);
  #timer: Timer | undefined;
  #expired = false;

  constructor(clock: Clock, outer: AbortSignal) {
    this.#clock = clock;
    this.#outer = outer;
    if (outer.aborted) this.#relay();
    else outer.addEventListener('abort', this.#relay, { once: true });
  }

  /** Aborted by the caller's signal, or when a limit has passed. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A limit has passed. */
  get expired(): boolean {
    return this.#expired;
  }

  /** From now on: `ms` milliseconds, then `signal` is aborted with an error that says `what` did not happen. */
  allow(ms: number, what: string): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => {
      this.#expired = true;
      this.#abort.abort(new Error(`${what} within ${ms} ms`));
    }, ms);
  }

  /** Gives back timer and listener; closes what still uses `signal`. */
  end(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#outer.removeEventListener('abort', this.#relay);
    this.#abort.abort();
  }

  /** `promise`, or the reason of `signal` when that comes first: what ignores the signal holds nobody up. */
  race<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(signal.reason);
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      const settle = () => signal.removeEventListener('abort', giveUp);
      promise.then(resolve, reject).finally(settle);
    });
  }
}
