/** A first-in-first-out list of messages with removal from anywhere in constant time. */
import type { Message } from './message.js';

/** Links messages through their own `previous` and `next`, so that a million of them cost no array to shift. */
export class Lane {
  #first: Message | undefined;
  #last: Message | undefined;
  #size = 0;
  #bytes = 0;

  /** Messages in the list. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the messages in the list. */
  get bytes(): number {
    return this.#bytes;
  }

  get first(): Message | undefined {
    return this.#first;
  }

  get last(): Message | undefined {
    return this.#last;
  }

  append(message: Message): void {
    message.previous = this.#last;
    if (this.#last) this.#last.next = message;
    else this.#first = message;
    this.#last = message;
    this.#count(message, 1);
  }

  prepend(message: Message): void {
    message.next = this.#first;
    if (this.#first) this.#first.previous = message;
    else this.#last = message;
    this.#first = message;
    this.#count(message, 1);
  }

  remove(message: Message): void {
    if (message.previous) message.previous.next = message.next;
    else this.#first = message.next;
    if (message.next) message.next.previous = message.previous;
    else this.#last = message.previous;
    message.previous = undefined;
    message.next = undefined;
    this.#count(message, -1);
  }

  #count({ bytes }: Message, sign: 1 | -1): void {
    this.#size += sign;
    this.#bytes += sign * bytes;
  }
}
