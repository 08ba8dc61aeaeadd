/** What was published and is not settled yet: how much it is, and who waits until it is less. */
import type { EventSink } from '../events.js';
import type { Clock } from '../platform/ports.js';
import type { InFlight } from './in-flight.js';
import type { Outbox } from './outbox.js';
import type { Retries } from './retries.js';
import { type WaterBounds, WaterMarks } from './water-marks.js';

/** Publishes that are not settled yet. */
export interface UnsettledStatus {
  readonly messages: number;
  readonly bytes: number;
  /** Milliseconds since the oldest of them was published; 0 when there is none. */
  readonly oldestAgeMs: number;
}

export interface UnsettledDeps {
  readonly outbox: Outbox;
  readonly inFlight: InFlight;
  readonly retries: Retries;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly options: WaterBounds;
}

/** Looks at the three places where a publish can be: the outbox, in flight, and refused for now. Moves nothing. */
export class Unsettled {
  readonly #outbox: Outbox;
  readonly #inFlight: InFlight;
  readonly #retries: Retries;
  readonly #clock: Clock;
  readonly #water: WaterMarks;
  #waiters: (() => void)[] = [];

  constructor({ outbox, inFlight, retries, clock, events, options }: UnsettledDeps) {
    this.#outbox = outbox;
    this.#inFlight = inFlight;
    this.#retries = retries;
    this.#clock = clock;
    this.#water = new WaterMarks(options, events);
  }

  /** How many publishes are not settled yet. */
  get size(): number {
    return this.#outbox.size + this.#inFlight.size + this.#retries.size;
  }

  get #bytes(): number {
    return this.#outbox.bytes + this.#inFlight.bytes + this.#retries.bytes;
  }

  status(): UnsettledStatus {
    const now = this.#clock.now();
    return {
      messages: this.size,
      bytes: this.#bytes,
      oldestAgeMs: Math.max(
        this.#outbox.oldestAgeMs,
        this.#inFlight.oldestAgeMs(now),
        this.#retries.oldestAgeMs(now),
      ),
    };
  }

  /** A publish was added. */
  grew(): void {
    this.#water.look(this.size, this.#bytes);
  }

  /** There may be less, or another state of it: whoever waits looks again. */
  wake(): void {
    if (this.#water.isHigh) this.grew();
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves at the next {@link wake}. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves when the outbox may be filled further: at once, or after `lowwater`; or when `signal` is aborted. */
  async room(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#water.isHigh || signal?.aborted) return;
    const wake = () => this.wake();
    signal?.addEventListener('abort', wake);
    while (this.#water.isHigh && !signal?.aborted) await this.changed();
    signal?.removeEventListener('abort', wake);
  }

  /** Resolves when nothing is unsettled, or `signal` is aborted. */
  async drained(signal: AbortSignal): Promise<void> {
    while ((this.#outbox.isOpening || this.size > 0) && !signal.aborted) await this.changed();
  }

  /** Resolves when everything that was published before this call is settled, or `signal` is aborted. */
  async flushed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#outbox.isOpening) await this.changed();
    const { sequence } = this.#outbox;
    while (!signal.aborted && !this.#hasSettled(sequence)) await this.changed();
  }

  #hasSettled(sequence: number): boolean {
    if (!this.#outbox.hasPassed(sequence) || this.#retries.size > 0) return false;
    return !this.#inFlight.some((message) => message.sequence <= sequence);
  }
}
