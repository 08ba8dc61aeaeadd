/**
 * Time that only moves when a test says so.
 *
 * The library reads time and sets timers through a clock port alone; with this clock behind it a test
 * walks through minutes of back-off in microseconds, and the result never depends on how busy the machine
 * is. The world it builds: a monotonic clock, a wall clock that can be moved on its own (NTP step, wrong
 * RTC), and timers that fire in the order of their due time, those due together in the order they were set.
 */

import type { Clock, Timer } from '../../src/platform/ports.js';

interface ArmedTimer extends Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** So many timers at one and the same moment are a timer that re-arms itself without time passing. */
const RUNAWAY = 1000;

/** Long enough for a chain of promises dozens of links deep to run to its end. */
const MICROTASK_TURNS = 50;

export class VirtualClock implements Clock {
  #now: number;
  #wallOffset: number;
  /** In insertion order, which is what breaks ties between equal due times. */
  readonly #armed = new Set<ArmedTimer>();

  constructor(startsAt = 1_000_000, wallStartsAt = 1_700_000_000_000) {
    this.#now = startsAt;
    this.#wallOffset = wallStartsAt - startsAt;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#wallOffset;
  }

  setTimeout(callback: () => void, ms: number): Timer {
    if (Number.isNaN(ms)) throw new TypeError('a timer was set for NaN milliseconds');
    const timer: ArmedTimer = { due: this.#now + Math.max(0, ms), callback };
    this.#armed.add(timer);
    return timer;
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  clearTimeout(timer: Timer): void {
    this.#armed.delete(timer as ArmedTimer);
  }

  /** Number of armed timers: 0 proves that nothing was left behind. */
  get pending(): number {
    return this.#armed.size;
  }

  /** Milliseconds until the next timer fires, `undefined` with none armed. */
  get nextIn(): number | undefined {
    const next = this.#nextDueBy(Number.POSITIVE_INFINITY);
    return next && Math.max(0, next.due - this.#now);
  }

  /**
   * Lets `ms` pass; each timer due on the way runs at its own time, all promise work before the next.
   *
   * @param rest - What lets that work happen; one that also lets I/O in is for code that waits for more than promises.
   */
  async advance(ms: number, rest: () => Promise<void> = settle): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`time cannot advance by ${ms} ms`);
    const end = this.#now + ms;
    let firedNow = 0;
    await rest();
    for (;;) {
      const timer = this.#nextDueBy(end);
      if (timer === undefined) {
        if (this.#now === end) return;
        this.#now = end;
      } else {
        firedNow = timer.due > this.#now ? 1 : firedNow + 1;
        if (firedNow > RUNAWAY) throw new Error(`${RUNAWAY} timers at ${this.#now} ms: one re-arms itself`);
        this.#armed.delete(timer);
        this.#now = Math.max(this.#now, timer.due);
        timer.callback();
      }
      await rest();
    }
  }

  /** The machine slept: time passed, no timer fired; the next `advance`, even by 0, fires them late. */
  sleep(ms: number): void {
    this.#now += ms;
  }

  /** Moves the wall clock alone, forwards or backwards. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #nextDueBy(end: number): ArmedTimer | undefined {
    let next: ArmedTimer | undefined;
    for (const timer of this.#armed) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}

/** Lets promise chains run to their end without letting real time or I/O in. */
export async function settle(turns = MICROTASK_TURNS): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}
