/** Whether messages of the broker are missed: a steady flow that stops is a reason to ask whether the link lives. */
import { RoundTrip } from './round-trip.js';

/** See `LivenessOptions`. */
export interface InflowBounds {
  readonly suspectAfterMs: number;
  readonly maxMs: number;
}

/** Milliseconds after which a question that was not needed is forgotten. */
const FORGET_MS = 60_000;

/**
 * Learns how messages follow each other on one link, and says when the next one is late.
 *
 * Only a flow is missed: messages that came for at least as long as the silence that would be its end. Every question
 * doubles that silence for a minute, so that a topic that comes in bursts is not asked about after each of them.
 */
export class Inflow {
  readonly #bounds: InflowBounds;
  /** The time between messages, which varies as a round trip does. */
  readonly #gap = new RoundTrip();
  /** First and last message of the present flow. */
  #since: number | undefined;
  #last: number | undefined;
  #questions = 0;
  #askedAt = 0;

  constructor(bounds: InflowBounds) {
    this.#bounds = bounds;
  }

  /** When the next message will be late, in the clock's milliseconds; `undefined` when none is expected. */
  get lateAt(): number | undefined {
    if (this.#since === undefined || this.#last === undefined) return undefined;
    const silence = this.#silenceMs;
    const isFlow = silence <= this.#bounds.maxMs && this.#last - this.#since >= silence;
    return isFlow ? this.#last + silence : undefined;
  }

  /** A message came at `now`. */
  heard(now: number): void {
    if (this.#questions > 0 && now - this.#askedAt > FORGET_MS) this.#questions = 0;
    const last = this.#last;
    this.#last = now;
    if (last === undefined || now - last > this.#silenceMs) this.#since = undefined;
    this.#since ??= now;
    if (last !== undefined) this.#gap.sample(now - last);
  }

  /**
   * The link was asked at `now` because a message was late: until the next one there is nothing to miss.
   *
   * @returns milliseconds since the last message.
   */
  asked(now: number): number {
    this.#since = undefined;
    this.#questions += 1;
    this.#askedAt = now;
    return now - (this.#last ?? now);
  }

  get #silenceMs(): number {
    return this.#gap.timeoutMs(this.#bounds.suspectAfterMs, Number.POSITIVE_INFINITY) * 2 ** this.#questions;
  }
}
