/** Time that passes as fast as the processor allows. */
import type { Clock, Timer } from '../platform/ports.js';

/** Milliseconds that one turn of the wheel covers; a power of two. Most timers of a client are shorter. */
const SLOTS = 16_384;
/** 2026-01-01T00:00:00Z: the wall clock of every simulation starts here, so that runs repeat. */
const WALL_START = 1_767_225_600_000;
/** Timers that there is room for at first; grows by doubling. */
const ROOM = 1_024;
/** No timer. */
const NONE = -1;
/** Above the places: each use of a place has another handle, so that an old handle disarms nobody's timer. */
const USE = 2 ** 24;

/**
 * A clock on a hashed timing wheel (Varghese and Lauck, scheme 6): arming and disarming cost the same however many
 * timers there are, and a fleet has several for each client. Timers are numbers in typed arrays and places are used
 * again: objects would be half of the garbage of a simulation.
 *
 * As in Node, timers have a resolution of a millisecond, wait one at least, and those that are due together fire in the
 * order in which they were armed.
 */
export class VirtualTime implements Clock {
  #now = 0;
  #pending = 0;
  /** First and last timer of each slot, by place. */
  readonly #first = new Int32Array(SLOTS).fill(NONE);
  readonly #last = new Int32Array(SLOTS).fill(NONE);
  /** By place: */
  #due = new Float64Array(ROOM);
  #previous = new Int32Array(ROOM).fill(NONE);
  #next = new Int32Array(ROOM).fill(NONE);
  #uses = new Uint32Array(ROOM);
  readonly #callbacks: ((() => void) | undefined)[] = [];
  /** Places that were used before and are free. */
  readonly #free: number[] = [];
  /** Handles of those that are due at this moment, and how many of them were looked at. */
  #batch: number[] = [];
  #done = 0;

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return WALL_START + this.#now;
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  setTimeout(callback: () => void, ms: number): Timer {
    const wait = Math.max(1, Math.ceil(ms));
    if (!(wait < Number.POSITIVE_INFINITY)) throw new RangeError(`a timer was set for ${ms} ms`);
    const place = this.#free.pop() ?? this.#callbacks.length;
    if (place >= this.#due.length) this.#grow();
    const due = this.#now + wait;
    const slot = due % SLOTS;
    const previous = this.#last[slot] as number;
    this.#callbacks[place] = callback;
    this.#due[place] = due;
    this.#uses[place] = (this.#uses[place] as number) + 1;
    this.#previous[place] = previous;
    this.#next[place] = NONE;
    if (previous === NONE) this.#first[slot] = place;
    else this.#next[previous] = place;
    this.#last[slot] = place;
    this.#pending += 1;
    return this.#handle(place) as unknown as Timer;
  }

  clearTimeout(timer: Timer): void {
    const handle = timer as unknown as number;
    const place = handle % USE;
    if (this.#handle(place) === handle && this.#callbacks[place]) this.#take(place);
  }

  /** Number of armed timers. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Fires the next timer that is due by `end`, at its time; without one, it is `end` afterwards.
   *
   * @returns whether a timer was fired.
   */
  step(end: number): boolean {
    for (;;) {
      while (this.#done < this.#batch.length) {
        const handle = this.#batch[this.#done] as number;
        this.#done += 1;
        const place = handle % USE;
        // Disarmed by one that was due before it.
        if (this.#handle(place) !== handle || !this.#callbacks[place]) continue;
        const callback = this.#take(place);
        callback();
        return true;
      }
      if (this.#now >= end) return false;
      this.#now = this.#pending === 0 ? end : this.#now + 1;
      this.#collect();
    }
  }

  #collect(): void {
    this.#batch.length = 0;
    this.#done = 0;
    let place = this.#first[this.#now % SLOTS] as number;
    for (; place !== NONE; place = this.#next[place] as number)
      if (this.#due[place] === this.#now) this.#batch.push(this.#handle(place));
  }

  /** Never 0: a timer is asked for whether it is there. */
  #handle(place: number): number {
    return (this.#uses[place] as number) * USE + place;
  }

  /** Takes a timer out of its slot, and frees its place. */
  #take(place: number): () => void {
    const callback = this.#callbacks[place] as () => void;
    const slot = (this.#due[place] as number) % SLOTS;
    const previous = this.#previous[place] as number;
    const next = this.#next[place] as number;
    if (previous === NONE) this.#first[slot] = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#last[slot] = previous;
    else this.#previous[next] = previous;
    this.#callbacks[place] = undefined;
    this.#free.push(place);
    this.#pending -= 1;
    return callback;
  }

  #grow(): void {
    const room = 2 * this.#due.length;
    if (room > USE) throw new RangeError(`more than ${USE} timers are armed`);
    const grown = <A extends Float64Array | Int32Array | Uint32Array>(into: A, from: A) => {
      into.set(from);
      return into;
    };
    this.#due = grown(new Float64Array(room), this.#due);
    this.#previous = grown(new Int32Array(room), this.#previous);
    this.#next = grown(new Int32Array(room), this.#next);
    this.#uses = grown(new Uint32Array(room), this.#uses);
  }
}
