/** How much the outbox may hold, and what goes for a newcomer. */
import type { Lane } from './lane.js';
import type { Lanes } from './lanes.js';
import type { Message } from './message.js';

/** What happens to a publish that does not fit into the outbox; see `OutboxOptions.overflow`. */
export type OverflowPolicy = 'reject-new' | 'drop-oldest' | 'drop-oldest-qos0' | 'latest-per-topic';

/** Bounds of the outbox; see `OutboxOptions`. */
export interface OutboxBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly overflow: OverflowPolicy;
}

/** Messages and bytes somewhere: in the outbox, in flight, or refused for now. */
export interface Held {
  readonly size: number;
  readonly bytes: number;
}

/** What several parts hold, as one. */
export function heldTogether(...parts: readonly Held[]): Held {
  return {
    get size() {
      return parts.reduce((sum, { size }) => sum + size, 0);
    },
    get bytes() {
      return parts.reduce((sum, { bytes }) => sum + bytes, 0);
    },
  };
}

/** Compares what is held with the bounds of messages and bytes. Moves nothing. */
export class Bounds {
  readonly #bounds: OutboxBounds;
  readonly #lanes: Lanes;
  readonly #waiting: Held;
  readonly #elsewhere: Held;

  /**
   * @param waiting - All that the outbox holds, in `lanes` and in its store.
   * @param elsewhere - What counts towards the bounds without waiting there.
   */
  constructor(bounds: OutboxBounds, lanes: Lanes, waiting: Held, elsewhere: Held) {
    this.#bounds = bounds;
    this.#lanes = lanes;
    this.#waiting = waiting;
    this.#elsewhere = elsewhere;
  }

  get #size(): number {
    return this.#waiting.size + this.#elsewhere.size;
  }

  get #bytes(): number {
    return this.#waiting.bytes + this.#elsewhere.bytes;
  }

  /** Whether there is room for `message`. */
  haveRoom(message: Message): boolean {
    return this.#fits(message, this.#size, this.#bytes);
  }

  #fits(message: Message, size: number, bytes: number): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    return size < maxMessages && bytes + message.bytes <= maxBytes;
  }

  /** Whether there is more than they allow. */
  get areExceeded(): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    return this.#size > maxMessages || this.#bytes > maxBytes;
  }

  /**
   * The lanes whose oldest messages go, until there is room for `newcomer`; `undefined` if all of them are not enough.
   *
   * @param older - Goes in any case.
   */
  victims(newcomer: Message, older: Message | undefined): readonly Lane[] | undefined {
    const victims = this.#evictable(newcomer);
    let size = this.#size;
    let bytes = this.#bytes;
    for (const lane of victims) {
      size -= lane.size;
      bytes -= lane.bytes;
    }
    if (older && !victims.includes(this.#lanes.of(older))) {
      size -= 1;
      bytes -= older.bytes;
    }
    return this.#fits(newcomer, size, bytes) ? victims : undefined;
  }

  #evictable(newcomer: Message): readonly Lane[] {
    const { all, qos0 } = this.#lanes;
    switch (this.#bounds.overflow) {
      case 'drop-oldest':
        return all;
      case 'drop-oldest-qos0':
        return [qos0];
      case 'latest-per-topic':
      case 'reject-new':
        return newcomer.qos > 0 ? [qos0] : [];
    }
  }

  /** How full the outbox is, for an error. */
  toString(): string {
    const { maxMessages, maxBytes, overflow } = this.#bounds;
    return `the outbox holds ${this.#size} of ${maxMessages} messages and ${this.#bytes} of ${maxBytes} bytes (outbox.overflow: '${overflow}')`;
  }
}
