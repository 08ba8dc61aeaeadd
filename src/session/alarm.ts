/** One timer for several deadlines: it rings at the earliest, and whoever hears it looks which one that was. */
import type { Clock, Timer } from '../platform/ports.js';

/** Rings once each time it is set. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: (due: number) => void;
  #timer: Timer | undefined;
  #due = Number.POSITIVE_INFINITY;

  /** @param ring - Told for when it was set: how late it is says something about us. */
  constructor(clock: Clock, ring: (due: number) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Sets it for `due`, in the clock's milliseconds, and for nothing else. */
  set(due: number): void {
    this.clear();
    this.#due = due;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#due = Number.POSITIVE_INFINITY;
        this.#ring(due);
      },
      Math.max(0, due - this.#clock.now()),
    );
  }

  /** Sets it for `due`, unless it rings earlier anyway. */
  setBy(due: number): void {
    if (due < this.#due) this.set(due);
  }

  /** It does not ring any more. */
  clear(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
  }
}
