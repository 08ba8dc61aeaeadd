/** How a message is given up: its callback gets the error, event `dropped` says why, and its memory is given back. */
import { FailoverError, type FailoverErrorCode } from '../errors.js';
import type { DropReason, EventSink } from '../events.js';
import { type Message, settle } from './message.js';

const CODES: Readonly<Record<'overflow' | 'expired' | 'too-large', FailoverErrorCode>> = {
  overflow: 'ERR_OVERFLOW',
  expired: 'ERR_EXPIRED',
  'too-large': 'ERR_TOO_LARGE',
};

/** Gives up messages that wait nowhere any more. */
export class Drops {
  readonly #events: EventSink;
  readonly #freeBuffer: ((buffer: ArrayBuffer) => void) | undefined;

  /** @param freeBuffer - As `Platform.freeBuffer`; left out where somebody may still read a payload. */
  constructor(events: EventSink, freeBuffer: ((buffer: ArrayBuffer) => void) | undefined) {
    this.#events = events;
    this.#freeBuffer = freeBuffer;
  }

  /** Settles `message` with an error that says `why`, and reports it. */
  drop(message: Message, reason: keyof typeof CODES, why: string): void {
    const text = `Message to ${JSON.stringify(message.topic)} was dropped: ${why}`;
    const retryable = reason === 'overflow';
    this.reject(message, reason, new FailoverError(CODES[reason], text, { retryable }));
  }

  /** As {@link drop}, with an error of the caller's. */
  reject(message: Message, reason: DropReason, error: FailoverError): void {
    settle(message, error);
    this.#free(message);
    this.#events.emit('dropped', { topic: message.topic, qos: message.qos, reason, error });
  }

  /**
   * What is not on V8's heap waits long for a collection of garbage: while new messages replace old ones, as much again
   * as `maxBytes` would.
   */
  #free({ payload, isCopy }: Message): void {
    if (!isCopy || typeof payload === 'string') return;
    const { buffer, byteLength } = payload;
    // A class of the application may put its copies into a buffer that they share.
    if (buffer.byteLength === byteLength) this.#freeBuffer?.(buffer as ArrayBuffer);
  }
}
