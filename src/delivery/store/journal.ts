/** Writes messages to the store in groups, and takes them out again when they are settled. */
import type { DatabaseOperation, DatabaseSection } from '../../platform/database.js';
import type { Clock, Timer } from '../../platform/ports.js';
import { confirmStored, type Message } from '../message.js';
import type { OutboxCodec } from './codec.js';
import { type StoreTrouble, storeTrouble } from './failure.js';
import { HEAD_KEY, META_KEY, receivedKey, recordKey } from './keys.js';
import type { Lives } from './lives.js';
import { encodeBody, frame } from './record.js';

export interface JournalDeps {
  readonly section: DatabaseSection;
  readonly clock: Clock;
  readonly lives: Lives;
  readonly codec: OutboxCodec | undefined;
  /** What the store says of itself, now. */
  readonly meta: () => Uint8Array;
  /** The lowest number that may still be in the store. */
  readonly head: () => number;
  /** Every message up to this number, if it was given to {@link Journal.put} and not removed, is on the disk. */
  readonly onCommitted: (sequence: number) => void;
  /** The record of that number is gone, or was never written. */
  readonly onForgotten: (sequence: number) => void;
  /** Nothing more can be written. */
  readonly onFailure: (trouble: StoreTrouble) => void;
}

/** Messages in one commit at most, so that a burst does not hold the next one up for long. */
const MAX_GROUP = 2_000;
/** What is on the wire may wait this long for its commit (R175): the acknowledgement is mostly faster, and spares it. */
const PATIENT_MS = 5;
/** Deletions may wait this long for a commit that has to be made anyway: a crash costs a duplicate (R176). */
const LAZY_MS = 100;
/** More of them do not wait. */
const MAX_LAZY = 2_000;

/**
 * Group commit: what was given in one turn, or while the last commit was under way, is one synchronous batch.
 *
 * A message that is settled before its group is written never reaches the disk: a fast broker saves the writing.
 */
export class Journal {
  readonly #deps: JournalDeps;
  readonly #puts = new Map<number, Message>();
  #removed: Message[] = [];
  #received: number[] = [];
  #lazy: Timer | undefined;
  #patience: Timer | undefined;
  /** Messages up to this number are for the next commit, which is not to be put off. */
  #dueUpTo = 0;
  /** The highest number given so far, and the one at the last look at what is on the wire. */
  #latest = 0;
  #seen = 0;
  #running: Promise<void> | undefined;
  #trouble: StoreTrouble | undefined;

  constructor(deps: JournalDeps) {
    this.#deps = deps;
  }

  /** Why nothing is written any more, if so. */
  get trouble(): StoreTrouble | undefined {
    return this.#trouble;
  }

  /**
   * Takes a message, whose topic, payload and options do not change any more, to be written with the next group.
   *
   * @param isOnTheWire - Its acknowledgement may come first; unless somebody asks, its commit may wait a little.
   */
  put(message: Message, isOnTheWire = false): void {
    if (this.#trouble) {
      confirmStored(message, this.#trouble.error);
      return;
    }
    this.#puts.set(message.sequence, message);
    this.#latest = Math.max(this.#latest, message.sequence);
    if (isOnTheWire && !message.onStored) this.#lookLater();
    else this.#startNow(Number.POSITIVE_INFINITY);
  }

  /** Writes what was there at the last look already: it has had its time, and what is younger gets the same. */
  #lookLater(): void {
    this.#patience ??= this.#deps.clock.setTimeout(() => {
      this.#patience = undefined;
      const [oldest] = this.#puts.keys();
      if (oldest !== undefined && oldest <= this.#seen) this.#startNow(this.#seen);
      this.#seen = this.#latest;
      if (this.#puts.size > 0) this.#lookLater();
    }, PATIENT_MS);
  }

  #startNow(upTo: number): void {
    this.#dueUpTo = Math.max(this.#dueUpTo, upTo);
    this.#start();
  }

  /** Forgets a settled message, at once if it was not written yet, else some time later. */
  remove(message: Message): void {
    if (this.#puts.delete(message.sequence)) this.#deps.onForgotten(message.sequence);
    else if (!this.#trouble) this.#removeLater(message);
  }

  #removeLater(message: Message): void {
    this.#removed.push(message);
    if (this.#removed.length >= MAX_LAZY) this.#start();
    else this.#startLater();
  }

  /** A broker has answered a QoS 2 message with PUBREC: a later life must know that it may have been delivered. */
  received(sequence: number): void {
    if (this.#trouble) return;
    this.#received.push(sequence);
    this.#startLater();
  }

  /** Resolves when everything that was given so far is written, or cannot be. */
  async flush(): Promise<void> {
    for (const timer of [this.#lazy, this.#patience]) if (timer) this.#deps.clock.clearTimeout(timer);
    this.#lazy = undefined;
    this.#patience = undefined;
    while (!this.#trouble && (this.#isPending || this.#running)) {
      this.#startNow(Number.POSITIVE_INFINITY);
      await this.#running;
    }
  }

  get #isPending(): boolean {
    return this.#puts.size > 0 || this.#removed.length > 0 || this.#received.length > 0;
  }

  #startLater(): void {
    this.#lazy ??= this.#deps.clock.setTimeout(() => {
      this.#lazy = undefined;
      this.#start();
    }, LAZY_MS);
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // What was given after the last look.
      if (this.#dueUpTo > 0 && this.#puts.size > 0 && !this.#trouble) this.#start();
    });
  }

  async #run(): Promise<void> {
    await new Promise<void>((resolve) => this.#deps.clock.soon(resolve));
    do {
      const upTo = this.#dueUpTo;
      // A group has its limit: what is beyond it is for the next one.
      this.#dueUpTo = this.#puts.size > MAX_GROUP ? upTo : 0;
      await this.#commit(upTo);
    } while (this.#dueUpTo > 0 && !this.#trouble);
  }

  async #commit(upTo: number): Promise<void> {
    const { section, lives, meta, onCommitted, onForgotten } = this.#deps;
    const group = [...take(this.#puts, MAX_GROUP, upTo)];
    let removed: readonly Message[] = [];
    const operations: DatabaseOperation[] = [];
    try {
      for (const message of group) {
        const body = this.#encode(message);
        // A microtask for each of thousands would be felt.
        const value = frame(body instanceof Uint8Array ? body : await body);
        operations.push({ type: 'put', key: recordKey(message), value });
      }
      if (lives.isDue) operations.push({ type: 'put', key: META_KEY, value: meta() });
      removed = this.#addLazy(operations);
      if (operations.length > 0) await section.batch(operations, { sync: group.length > 0 });
    } catch (error) {
      this.#fail(error, group);
      return;
    }
    for (const { sequence } of removed) onForgotten(sequence);
    for (const message of group) confirmStored(message);
    const last = group.at(-1);
    if (last) onCommitted(last.sequence);
  }

  #encode(message: Message): Uint8Array | Promise<Uint8Array> {
    const { codec, lives } = this.#deps;
    const body = encodeBody(message, lives.stamp(message.publishedAt));
    return codec ? codec.encode(body) : body;
  }

  /** @returns what is deleted. */
  #addLazy(operations: DatabaseOperation[]): readonly Message[] {
    for (const sequence of this.#received)
      operations.push({ type: 'put', key: receivedKey(sequence), value: MARK });
    this.#received = [];
    const removed = this.#removed;
    if (removed.length === 0) return removed;
    for (const message of removed) {
      operations.push({ type: 'del', key: recordKey(message) });
      if (message.qos === 2) operations.push({ type: 'del', key: receivedKey(message.sequence) });
    }
    this.#removed = [];
    operations.push({ type: 'put', key: HEAD_KEY, value: frame(encoder.encode(String(this.#deps.head()))) });
    return removed;
  }

  #fail(error: unknown, group: readonly Message[]): void {
    const trouble = storeTrouble(error);
    this.#trouble = trouble;
    const unwritten = [...group, ...this.#puts.values()];
    this.#puts.clear();
    this.#removed = [];
    this.#deps.onFailure(trouble);
    for (const message of unwritten) confirmStored(message, trouble.error);
  }
}

const MARK = Uint8Array.of(1);
const encoder = new TextEncoder();

function* take(puts: Map<number, Message>, count: number, upTo: number): Generator<Message> {
  let taken = 0;
  for (const [sequence, message] of puts) {
    if (taken === count || sequence > upTo) return;
    taken += 1;
    puts.delete(sequence);
    yield message;
  }
}
