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

  /** Puts messages, the oldest first, where their numbers belong: one walk, none for what comes after all others. */
  merge(messages: readonly Message[]): void {
    let next = this.#first;
    for (const message of messages) {
      if (this.#last && this.#last.sequence < message.sequence) next = undefined;
      while (next && next.sequence < message.sequence) next = next.next;
      if (next) this.#insert(message, next);
      else this.append(message);
    }
  }

  #insert(message: Message, next: Message): void {
    message.next = next;
    message.previous = next.previous;
    if (next.previous) next.previous.next = message;
    else this.#first = message;
    next.previous = message;
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

  /** Takes everything out, in its order. */
  clear(): Message[] {
    const messages: Message[] = [];
    for (let first = this.#first; first; first = this.#first) {
      this.remove(first);
      messages.push(first);
    }
    return messages;
  }

  #count({ bytes }: Message, sign: 1 | -1): void {
    this.#size += sign;
    this.#bytes += sign * bytes;
  }
}
