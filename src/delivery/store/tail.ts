/** What is in the store alone: counted, read a page at a time, and known by its topics. */
import type { PacketCallback } from 'mqtt';
import type { FailoverError } from '../../errors.js';
import type { Held } from '../bounds.js';
import { isIgnored, type Message } from '../message.js';
import type { Lives } from './lives.js';
import type { StorePage, StoreReader, StoreState } from './store-reader.js';
import { storedMessage } from './stored-message.js';
import { TopicSketch } from './topic-sketch.js';

/** What was read of a tail. */
export interface TailPage {
  /** In their order. */
  readonly messages: readonly Message[];
  /** Of records that stay where they are: another version, or the right key, may read them. */
  readonly errors: readonly FailoverError[];
}

/** The records of one store, from its opening on. Reads none twice, but for its topic. */
export class Tail {
  readonly #reader: StoreReader;
  readonly #lives: Lives;
  /** Callbacks of messages that are here alone, by number. */
  readonly #callbacks = new Map<number, PacketCallback>();
  /** Numbers of the records whose messages are in memory; the first is where a later life begins to read. */
  readonly #loaded = new Set<number>();
  /** Numbers of what has passed the tail and may have a record. */
  readonly #passed = new Set<number>();
  /** Those whose records were deleted while a page was read that may have them still. */
  #passedAndGone: number[] = [];
  #fetching: Promise<StorePage> | undefined;
  /** An estimate while a large store of an earlier life is being counted. */
  #size: number;
  #bytes: number;
  /** Records up to the first number were read; those after it, up to the second, are the tail. */
  #readUpTo: number;
  #upTo: number;
  readonly #topics = new TopicSketch();
  /** The last number of what earlier lives have left, and the last one whose topic has been counted, or read with it. */
  readonly #earlierUpTo: number;
  #scannedUpTo = 0;
  /** The scan comes no further before this record is read. */
  #barrier = 0;
  #isScanning = false;
  #isWritten = true;

  /** @param state - What the store held when it was opened. */
  constructor(reader: StoreReader, state: StoreState, lives: Lives) {
    this.#reader = reader;
    this.#lives = lives;
    this.#size = state.last - state.first + 1;
    this.#bytes = state.bytes;
    this.#readUpTo = state.first - 1;
    this.#upTo = state.last;
    this.#earlierUpTo = state.last;
  }

  /** Messages. */
  get size(): number {
    return Math.max(0, this.#size);
  }

  /** Their bytes. */
  get bytes(): number {
    return Math.max(0, this.#bytes);
  }

  get isEmpty(): boolean {
    return this.#readUpTo >= this.#upTo;
  }

  /** Whether everything up to this number has been read. */
  hasRead(sequence: number): boolean {
    return sequence <= this.#readUpTo;
  }

  /** The lowest number that a message here may have; infinite when there is none. */
  get first(): number {
    return this.isEmpty ? Number.POSITIVE_INFINITY : this.#readUpTo + 1;
  }

  /** The lowest number that may still be in the store; infinite when there is none. */
  get head(): number {
    const [loaded = Number.POSITIVE_INFINITY] = this.#loaded;
    const [passed = Number.POSITIVE_INFINITY] = this.#passed;
    return Math.min(loaded, passed, this.first);
  }

  /** A message that is in memory gets a record, and comes after everything that has one. */
  addLoaded(sequence: number): void {
    this.#loaded.add(sequence);
  }

  /** A message that is in memory gets a record in the midst of others, and is not to be read with them. */
  addPassed(sequence: number): void {
    if (this.#isWritten) this.#passed.add(sequence);
  }

  /** The store fails: there will be no more records. */
  endWriting(): void {
    this.#isWritten = false;
  }

  /** A message is settled: its record need not be kept. */
  release(sequence: number): void {
    this.#loaded.delete(sequence);
  }

  /** A record is gone, or was never written. */
  forget(sequence: number): void {
    if (this.#fetching) this.#passedAndGone.push(sequence);
    else this.#passed.delete(sequence);
  }

  /** Takes a message that is written, comes after all others, and needs no memory any more. */
  add(message: Message): void {
    if (this.isEmpty) this.#readUpTo = message.sequence - 1;
    this.#upTo = message.sequence;
    this.#size += 1;
    this.#bytes += message.bytes;
    this.#topics.count(message.topic, 1);
    if (!isIgnored(message)) this.#callbacks.set(message.sequence, message.settle);
  }

  /** Corrects the estimate, which takes a second when it is a million; @returns whether there was anything to correct. */
  async count(): Promise<boolean> {
    const first = this.#readUpTo + 1;
    const before = { messages: this.#size, bytes: this.#bytes };
    const counted = await this.#reader.count(first, this.#earlierUpTo);
    // What was read meanwhile has been taken off already.
    if (this.hasRead(this.#earlierUpTo)) return false;
    this.#size += counted.messages - before.messages;
    this.#bytes += counted.bytes - before.bytes;
    return true;
  }

  /** Reads the next page, of what `most` has room for, which {@link adopt} makes messages of. */
  fetch(most: Held): Promise<StorePage> {
    this.#fetching = this.#reader.read(this.#readUpTo + 1, this.#upTo, most);
    return this.#fetching;
  }

  /** Takes what was fetched out of the tail. */
  adopt(page: StorePage): TailPage {
    const messages: Message[] = [];
    const errors: FailoverError[] = [];
    this.#readUpTo = page.readUpTo;
    for (const { key, content, error, received } of page.entries) {
      const { sequence, bytes } = key;
      if (this.#passed.has(sequence)) continue;
      const callback = this.#callbacks.get(sequence);
      this.#callbacks.delete(sequence);
      this.#loaded.add(sequence);
      this.#size -= 1;
      this.#bytes -= bytes;
      if (content) {
        if (sequence > this.#earlierUpTo || sequence <= this.#scannedUpTo)
          this.#topics.count(content.topic, -1);
        const message = storedMessage(content, key, this.#lives.publishedAt(content.time), callback);
        message.received = received;
        messages.push(message);
      } else {
        errors.push(error);
        callback?.(error);
      }
    }
    this.#fetched();
    if (this.isEmpty) this.#end();
    return { messages, errors };
  }

  #fetched(): void {
    this.#fetching = undefined;
    for (const sequence of this.#passedAndGone) this.#passed.delete(sequence);
    this.#passedAndGone = [];
  }

  /** Whatever was counted, there is nothing left to read; @returns the callbacks of what was not. */
  abandon(): PacketCallback[] {
    this.#fetched();
    this.#end();
    const callbacks = [...this.#callbacks.values()];
    this.#callbacks.clear();
    return callbacks;
  }

  #end(): void {
    this.#size = 0;
    this.#bytes = 0;
    this.#readUpTo = this.#upTo;
    this.#topics.clear();
  }

  /** Whether a message of `topic` may be here. */
  mayHave(topic: string): boolean {
    return !this.isEmpty && (!this.knowsTopics || this.#topics.mayHave(topic));
  }

  /** Whether the topics of what earlier lives have left are known. */
  get knowsTopics(): boolean {
    return Math.max(this.#readUpTo, this.#scannedUpTo) >= this.#earlierUpTo;
  }

  /** Whether the topics are being read. */
  get isScanning(): boolean {
    return this.#isScanning;
  }

  /**
   * Reads the topics of what earlier lives have left, what `most` has room for at a time and after the pages of {@link fetch}.
   *
   * Resolves when they are known; or at a record that cannot be read, to go on when it is called after that was read:
   * until then, nobody knows which order it would break. Rejects with the error of the database, and then reads no more.
   */
  async scan(most: Held): Promise<void> {
    this.#isScanning = true;
    try {
      while (!this.knowsTopics && this.hasRead(this.#barrier)) {
        if (this.#fetching) await this.#fetching.catch(() => {});
        else await this.#scanPage(most);
      }
    } finally {
      this.#isScanning = false;
    }
  }

  async #scanPage(most: Held): Promise<void> {
    try {
      const first = Math.max(this.#readUpTo, this.#scannedUpTo) + 1;
      const page = await this.#reader.read(first, this.#earlierUpTo, most);
      for (const { key, content } of page.entries) {
        // Read meanwhile.
        if (this.hasRead(key.sequence)) continue;
        if (!content) {
          this.#barrier = key.sequence;
          return;
        }
        this.#topics.count(content.topic, 1);
        this.#scannedUpTo = key.sequence;
      }
      this.#scannedUpTo = page.readUpTo;
    } catch (error) {
      this.#barrier = this.#earlierUpTo;
      throw error;
    }
  }
}
