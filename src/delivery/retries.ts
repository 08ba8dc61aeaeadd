/** Publishes that a broker refused for now, until they are published again as new messages (R71). */
import { backoffDelay } from '../health/backoff.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { Held } from './bounds.js';
import type { Message } from './message.js';

/** How often one message is published again. */
const MAX_RETRIES = 3;
const BACKOFF = { minMs: 500, baseMs: 1_000, maxMs: 10_000 };

/** Reason codes of PUBACK and PUBREC after which a new copy may be taken; every other refusal is final. */
const UNSPECIFIED_ERROR = 0x80;
const IMPLEMENTATION_ERROR = 0x83;
const PACKET_ID_IN_USE = 0x91;
/** Also asks for a slower replay (R178). */
export const QUOTA_EXCEEDED = 0x97;
const PASSING: ReadonlySet<unknown> = new Set([
  UNSPECIFIED_ERROR,
  IMPLEMENTATION_ERROR,
  PACKET_ID_IN_USE,
  QUOTA_EXCEEDED,
]);

/** Holds each refused message for its backoff. They count towards the bounds of the outbox meanwhile. */
export class Retries implements Held {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #waiting = new Map<Message, Timer>();
  #bytes = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds since the oldest of them was published; 0 when there is none. */
  oldestAgeMs(now: number): number {
    let age = 0;
    for (const { publishedAt } of this.#waiting.keys()) age = Math.max(age, now - publishedAt);
    return age;
  }

  /**
   * Takes a message that was refused with `reasonCode`, and hands it to `again` when its time has come.
   *
   * @returns false when the refusal is final: by its code, or as the message has had its retries.
   */
  take(message: Message, reasonCode: unknown, again: (message: Message) => void): boolean {
    if (!PASSING.has(reasonCode) || message.refusals >= MAX_RETRIES) return false;
    message.refusals += 1;
    // An id clash ends with the id.
    const delay = reasonCode === PACKET_ID_IN_USE ? 0 : backoffDelay(BACKOFF, message.refusals, this.#random);
    const timer = this.#clock.setTimeout(() => {
      this.#forget(message);
      again(message);
    }, delay);
    this.#waiting.set(message, timer);
    this.#bytes += message.bytes;
    return true;
  }

  /** Gives all of them up and returns them in the order of the calls. */
  clear(): Message[] {
    const messages = [...this.#waiting.keys()].sort((a, b) => a.sequence - b.sequence);
    for (const timer of this.#waiting.values()) this.#clock.clearTimeout(timer);
    for (const message of messages) this.#forget(message);
    return messages;
  }

  #forget(message: Message): void {
    this.#waiting.delete(message);
    this.#bytes -= message.bytes;
  }
}
