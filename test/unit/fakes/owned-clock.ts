/** The virtual clock as one owner sees it: what it has armed itself can be counted. */
import type { Clock, Timer } from '../../../src/platform/ports.js';

export class OwnedClock implements Clock {
  readonly #clock: Clock;
  readonly #armed = new Set<Timer>();
  #isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Timers of this owner that are armed. */
  get pending(): number {
    return this.#armed.size;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  soon(callback: () => void): void {
    this.#clock.soon(() => {
      if (!this.#isDead) callback();
    });
  }

  setTimeout(callback: () => void, ms: number): Timer {
    if (this.#isDead) return {};
    const timer = this.#clock.setTimeout(() => {
      this.#armed.delete(timer);
      callback();
    }, ms);
    this.#armed.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#armed.delete(timer);
    this.#clock.clearTimeout(timer);
  }

  /** The owner's process is gone, as by kill -9: nothing fires any more, and nothing can be armed. */
  kill(): void {
    this.#isDead = true;
    for (const timer of [...this.#armed]) this.clearTimeout(timer);
  }

  /** MQTT.js's option `timerVariant`: its intervals on this clock. They count as one timer each. */
  intervals(): { set: (callback: () => void, ms: number) => never; clear: (id: never) => void } {
    const running = new Map<number, Timer>();
    let last = 0;
    return {
      set: (callback, ms) => {
        last += 1;
        const id = last;
        const arm = () => {
          const tick = () => {
            arm();
            callback();
          };
          running.set(id, this.setTimeout(tick, ms));
        };
        arm();
        return id as never;
      },
      clear: (id) => {
        const timer = running.get(id);
        running.delete(id);
        if (timer) this.clearTimeout(timer);
      },
    };
  }
}
