/**
 * How old a message is, although clocks lie: machines boot in 1970 and NTP makes years pass in a moment (R180).
 *
 * Within a life, age is monotonic time. Across lives it must be wall time, which the writer did not have to know: what
 * lasts is by how much the wall clock differs from the monotonic one *at last*, kept for each life. A clock that was
 * set after the publish corrects all earlier messages of that life.
 */
import type { Clock } from '../../platform/ports.js';
import type { Timestamp } from './record.js';

/** No clock that is right shows a time before this library was written: 2026-01-01. */
const EARLIEST = 1_767_225_600_000;
/** A jump of the wall clock that is worth a write. */
const JUMP_MS = 60_000;
const MAX_LIVES = 64;

/** Lives, the oldest first, with wall time minus monotonic time. */
export type LifeOffsets = readonly (readonly [life: number, offset: number])[];

/** This life's clocks, and what is known of those of earlier lives. */
export class Lives {
  readonly #clock: Clock;
  readonly #life: number;
  #earlier: ReadonlyMap<number, number> = new Map();
  #written: number | undefined;

  /** @param life - A random number that tells this life from others: an unsigned 32-bit integer. */
  constructor(clock: Clock, life: number) {
    this.#clock = clock;
    this.#life = life;
  }

  /** Takes what earlier lives have left. */
  recall(offsets: unknown): void {
    const pairs = Array.isArray(offsets) ? (offsets as unknown[][]) : [];
    const valid = pairs.filter(
      (pair): pair is [number, number] => Array.isArray(pair) && pair.every((each) => Number.isFinite(each)),
    );
    this.#earlier = new Map(valid.slice(-MAX_LIVES).filter(([life]) => life !== this.#life));
  }

  /** The timestamp of a publish at monotonic time `at`. */
  stamp(at: number): Timestamp {
    return { life: this.#life, at, wallAt: at + this.#offset };
  }

  /** Monotonic time of this life at which a message of any life was published; not later than now. */
  publishedAt({ life, at, wallAt }: Timestamp): number {
    const now = this.#clock.now();
    if (life === this.#life) return Math.min(at, now);
    const offset = this.#earlier.get(life);
    const wall = offset === undefined ? wallAt : at + offset;
    // A clock that was never right says nothing about the age: it begins now.
    if (!(wall >= EARLIEST) || this.#clock.wallNow() < EARLIEST) return now;
    return Math.min(now, now - (this.#clock.wallNow() - wall));
  }

  /** Whether {@link toStore} must be written: for the first time, or as the wall clock has jumped. */
  get isDue(): boolean {
    return this.#written === undefined || Math.abs(this.#offset - this.#written) > JUMP_MS;
  }

  /** What the next life must know. */
  toStore(): LifeOffsets {
    this.#written = this.#offset;
    const all = [...this.#earlier, [this.#life, this.#offset] as const];
    return all.slice(-MAX_LIVES);
  }

  get #offset(): number {
    return this.#clock.wallNow() - this.#clock.now();
  }
}
