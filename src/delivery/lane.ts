/** A first-in-first-out list of messages with removal from anywhere in constant time. */
import type { Message } from './message.js';

/** Links messages through their own `previous` and `next`, so that a million of them cost no array to shift. */
export class Lane {
  #first: Message | undefined;
  #last: Message | undefined;

  get first(): Message | undefined {
    return this.#first;
  }

  append(message: Message): void {
    message.previous = this.#last;
    if (this.#last) this.#last.next = message;
    else this.#first = message;
    this.#last = message;
  }

  prepend(message: Message): void {
    message.next = this.#first;
    if (this.#first) this.#first.previous = message;
    else this.#last = message;
    this.#first = message;
  }

  remove(message: Message): void {
    if (message.previous) message.previous.next = message.next;
    else this.#first = message.next;
    if (message.next) message.next.previous = message.previous;
    else this.#last = message.previous;
    message.previous = undefined;
    message.next = undefined;
  }
}
