/**
 * The durable part of the outbox: what waits behind the messages that are in memory.
 *
 * In the order of the calls: the *window*, which the outbox holds and the replayer sends; the *tail*, which is in the
 * store alone; and *late* messages, which are not written yet, or cannot be. A message that is written while it is late
 * joins the tail; what the window lacks is read from the tail, and then comes from the late ones. Live publishes of other
 * topics pass all of these (R178): their records are among those of the tail, and are not read with it.
 */
import type { PacketCallback } from 'mqtt';
import type { FailoverError } from '../../errors.js';
import type { EventSink } from '../../events.js';
import type { Clock, Random } from '../../platform/ports.js';
import { Lane } from '../lane.js';
import { confirmStored, isIgnored, type Message, settle } from '../message.js';
import type { OutboxCodec } from './codec.js';
import { StoreRefusal, type StoreTrouble, storeTrouble } from './failure.js';
import { Journal } from './journal.js';
import { Lives } from './lives.js';
import { type StoredEntry, StoreReader, type StoreState } from './store-reader.js';
import { storedMessage } from './stored-message.js';
import type { Lease } from './stores.js';
import { TopicSketch } from './topic-sketch.js';

export interface BacklogDeps {
  /** Opens the store. */
  readonly lease: () => Promise<Lease>;
  readonly codec: OutboxCodec | undefined;
  /** False keeps everything in memory as well: a policy has to find messages by their topic. */
  readonly spills: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** Messages in memory. */
export interface HeldMessages {
  readonly size: number;
  readonly bytes: number;
}

/** What the outbox has to do for its backlog. */
export interface BacklogOwner {
  /** The highest number given out. */
  readonly sequence: number;
  /** What is in memory already and waits. */
  readonly window: HeldMessages;
  /** The store has messages of earlier lives: everything that was published since the opening began comes after. */
  renumber(by: number): void;
  /** Takes messages into the window, in this order. */
  take(messages: readonly Message[]): void;
  /** It is known now what the store holds: the bounds may be exceeded. */
  counted(): void;
}

/** Messages and bytes that the window has at most, and at which it is filled again. */
const WINDOW = { messages: 1_000, bytes: 4 * 1024 * 1024 };

type Phase = 'closed' | 'opening' | 'open' | 'memory';

/** Holds no message twice, and reads no record twice. */
export class Backlog {
  readonly #deps: BacklogDeps;
  readonly #owner: BacklogOwner;
  readonly #lives: Lives;
  readonly #late = new Lane();
  /** Callbacks of messages that are in the store alone, by number. */
  readonly #callbacks = new Map<number, PacketCallback>();
  /** Numbers of the records whose messages are in memory; the first is where a later life begins to read. */
  readonly #loaded = new Set<number>();
  /** Numbers of what has passed the tail and may have a record. */
  readonly #passed = new Set<number>();
  /** Those whose records were deleted while a page was read that may have them still. */
  #passedAndGone: number[] = [];
  /** Topics of the late messages, and of the tail that this life has written. */
  readonly #topics = new TopicSketch();
  /** The last number of what earlier lives have left, whose topics nobody knows before they are read. */
  #earlierUpTo = 0;
  #phase: Phase = 'closed';
  #opening: Promise<void> = Promise.resolve();
  #lease: Lease | undefined;
  #reader: StoreReader | undefined;
  #journal: Journal | undefined;
  #trouble: StoreTrouble | undefined;
  /** What the tail holds; an estimate while a large store of an earlier life is being counted. */
  #tail = { messages: 0, bytes: 0 };
  /** Records up to the first number were read; those after it, up to the second, are the tail. */
  #readUpTo = 0;
  #tailUpTo = 0;
  #loading = false;
  /** Where the next life begins to read, once this one forgets what it has loaded. */
  #lastHead: number | undefined;

  constructor(deps: BacklogDeps, owner: BacklogOwner) {
    this.#deps = deps;
    this.#owner = owner;
    this.#lives = new Lives(deps.clock, Math.floor(deps.random.next() * 2 ** 32));
  }

  /** Messages that wait here. */
  get size(): number {
    return Math.max(0, this.#tail.messages) + this.#late.size;
  }

  /** Their bytes. */
  get bytes(): number {
    return Math.max(0, this.#tail.bytes) + this.#late.bytes;
  }

  /** Whether a new message must wait here: older ones do, or it is not known yet whether there are any. */
  get isAhead(): boolean {
    return this.#phase === 'opening' || this.#phase === 'closed' || this.#hasTail || this.#late.size > 0;
  }

  /** Whether a message of `topic` may wait here. */
  mayHold(topic: string): boolean {
    if (!this.isAhead) return false;
    if (this.#phase === 'opening' || this.#phase === 'closed') return true;
    return this.#readUpTo < this.#earlierUpTo || this.#topics.mayHave(topic);
  }

  /** Whether it is not known yet what the store holds. */
  get isOpening(): boolean {
    return this.#phase === 'opening';
  }

  get #hasTail(): boolean {
    return this.#readUpTo < this.#tailUpTo;
  }

  /** Opens the store, unless it is open; never throws, as there is always the memory. */
  open(): void {
    if (this.#phase !== 'closed') return;
    this.#phase = 'opening';
    this.#opening = this.#opening.then(() => this.#open());
  }

  /** Whether a lane in memory may have another message. */
  hasRoomIn({ size, bytes }: HeldMessages): boolean {
    return !this.#deps.spills || (size < WINDOW.messages && bytes < WINDOW.bytes);
  }

  /** Writes a message that is in the window, in the live lane, or on the wire. */
  record(message: Message, isOnTheWire = false): void {
    message.release = this.#release;
    if (!this.isAhead) this.#loaded.add(message.sequence);
    else if (this.#journal?.trouble === undefined) this.#passed.add(message.sequence);
    this.#write(message, isOnTheWire);
  }

  /** Takes a message that comes after everything that waits. */
  append(message: Message): void {
    message.release = this.#release;
    this.#late.append(message);
    this.#topics.count(message.topic, 1);
    this.#write(message);
  }

  #write(message: Message, isOnTheWire = false): void {
    if (this.#journal) this.#journal.put(message, isOnTheWire);
    else if (this.#phase === 'memory') confirmStored(message, this.#trouble?.error);
  }

  /** A broker has answered with PUBREC. */
  received({ sequence, release }: Message): void {
    if (release) this.#journal?.received(sequence);
  }

  /** Fills the window up when half of it is empty. */
  refill(): void {
    if (this.#phase === 'opening' || !this.isAhead || this.#loading) return;
    const { size, bytes } = this.#owner.window;
    if (this.#deps.spills && (size > WINDOW.messages / 2 || bytes > WINDOW.bytes / 2)) return;
    if (!this.#hasTail) {
      this.#promote();
      return;
    }
    this.#loading = true;
    void this.#load().finally(() => {
      this.#loading = false;
      for (const sequence of this.#passedAndGone) this.#passed.delete(sequence);
      this.#passedAndGone = [];
      this.refill();
    });
  }

  /** Takes the newest messages that do not fit out again, while `isTooMuch` says so. */
  shed(isTooMuch: () => boolean): Message[] {
    const shed: Message[] = [];
    for (let last = this.#late.last; last && isTooMuch(); last = this.#late.last) {
      this.#late.remove(last);
      this.#topics.count(last.topic, -1);
      shed.push(last);
    }
    return shed;
  }

  /**
   * Gives the store back with everything in it, for the next life.
   *
   * @param settleWith - What the callbacks of messages get that are not in memory.
   */
  close(settleWith: FailoverError): Promise<void> {
    if (this.#phase === 'closed') return this.#opening;
    this.#phase = 'closed';
    this.#lastHead = this.#head;
    const journal = this.#journal;
    const late = [...drained(this.#late)];
    const callbacks = [...this.#callbacks.values()];
    this.#callbacks.clear();
    this.#loaded.clear();
    this.#passed.clear();
    this.#endTail();
    this.#journal = undefined;
    this.#reader = undefined;
    const lease = this.#lease;
    this.#lease = undefined;
    for (const message of late) {
      // What was never given to the journal is in no store.
      if (!journal) message.release = undefined;
      settle(message, settleWith);
    }
    for (const callback of callbacks) callback(settleWith);
    this.#opening = this.#opening.then(async () => {
      await journal?.flush();
      await lease?.release();
    });
    return this.#opening;
  }

  /** Resolves when the store is closed, if it is being closed. */
  get closed(): Promise<void> {
    return this.#opening;
  }

  /** A message of the window is settled: the store need not keep it. */
  readonly #release = (message: Message): void => {
    this.#loaded.delete(message.sequence);
    this.#journal?.remove(message);
  };

  readonly #forget = (sequence: number): void => {
    if (this.#loading) this.#passedAndGone.push(sequence);
    else this.#passed.delete(sequence);
  };

  async #open(): Promise<void> {
    // What waits here already was published before the store was opened, perhaps with QoS 0 in between.
    const before = (this.#late.first?.sequence ?? this.#owner.sequence + 1) - 1;
    let lease: Lease | undefined;
    try {
      lease = await this.#deps.lease();
      const reader = new StoreReader(lease.section, this.#lives, this.#deps.codec);
      const state = await reader.open();
      if (this.#phase === 'opening') this.#begin(lease, reader, state, before);
      else await lease.release();
    } catch (error) {
      await lease?.release();
      if (this.#phase === 'opening') this.#degrade(storeTrouble(error));
    }
  }

  #begin(lease: Lease, reader: StoreReader, state: StoreState, before: number): void {
    this.#lease = lease;
    this.#reader = reader;
    this.#trouble = undefined;
    this.#lastHead = undefined;
    this.#readUpTo = state.first - 1;
    this.#tailUpTo = state.last;
    this.#earlierUpTo = state.last;
    this.#tail = { messages: state.last - state.first + 1, bytes: state.bytes };
    if (state.last > before) {
      const shift = state.last - before;
      this.#owner.renumber(shift);
      for (let late = this.#late.first; late; late = late.next) late.sequence += shift;
    }
    const journal = new Journal({
      section: lease.section,
      clock: this.#deps.clock,
      lives: this.#lives,
      codec: this.#deps.codec,
      meta: () => reader.meta(),
      head: () => this.#lastHead ?? this.#head,
      onCommitted: (sequence) => this.#spill(sequence),
      onForgotten: this.#forget,
      onFailure: (trouble) => this.#degrade(trouble),
    });
    this.#journal = journal;
    this.#phase = 'open';
    // Before anything is written: some of it may have no place.
    this.#owner.counted();
    for (let late = this.#late.first; late; late = late.next) journal.put(late);
    if (lease.damage !== undefined) this.#report(storeTrouble(new StoreRefusal('corrupt', lease.damage)));
    if (this.#hasTail) void this.#count(reader, state);
    this.refill();
  }

  /** Numbers and the first sizes say about how much there is; the truth takes a second when it is a million. */
  async #count(reader: StoreReader, { first, last, bytes }: StoreState): Promise<void> {
    try {
      const counted = await reader.count(first, last);
      // What was read meanwhile has been taken off already.
      if (reader !== this.#reader || this.#readUpTo >= last) return;
      this.#tail.messages += counted.messages - (last - first + 1);
      this.#tail.bytes += counted.bytes - bytes;
      this.#owner.counted();
    } catch (error) {
      if (reader === this.#reader) this.#report(storeTrouble(error));
    }
  }

  /** The lowest number that may still be in the store. */
  get #head(): number {
    const [loaded = Number.POSITIVE_INFINITY] = this.#loaded;
    const tail = this.#hasTail ? this.#readUpTo + 1 : Number.POSITIVE_INFINITY;
    const [passed = Number.POSITIVE_INFINITY] = this.#passed;
    const late = this.#late.first?.sequence ?? Number.POSITIVE_INFINITY;
    return Math.min(loaded, passed, tail, late, this.#owner.sequence + 1);
  }

  /** What is written and waits behind the window needs no memory. */
  #spill(upTo: number): void {
    if (!this.#hasTail) this.#promote();
    if (!this.#deps.spills) return;
    for (let first = this.#late.first; first && first.sequence <= upTo; first = this.#late.first) {
      this.#late.remove(first);
      if (!this.#hasTail) this.#readUpTo = first.sequence - 1;
      this.#tail.messages += 1;
      this.#tail.bytes += first.bytes;
      this.#tailUpTo = first.sequence;
      if (!isIgnored(first)) this.#callbacks.set(first.sequence, first.settle);
    }
  }

  /** Late messages go on into the window, as nothing is before them. */
  #promote(): void {
    for (
      let first = this.#late.first;
      first && this.hasRoomIn(this.#owner.window);
      first = this.#late.first
    ) {
      this.#late.remove(first);
      this.#topics.count(first.topic, -1);
      this.#loaded.add(first.sequence);
      this.#owner.take([first]);
    }
  }

  async #load(): Promise<void> {
    const reader = this.#reader;
    if (!reader) return;
    const limit = this.#deps.spills ? WINDOW.messages / 2 : Number.MAX_SAFE_INTEGER;
    try {
      const page = await reader.read(this.#readUpTo + 1, this.#tailUpTo, limit);
      if (reader !== this.#reader) return;
      this.#readUpTo = page.readUpTo;
      const messages = page.entries.flatMap((entry) => this.#adopt(entry) ?? []);
      if (!this.#hasTail) this.#endTail();
      this.#owner.take(messages);
    } catch (error) {
      if (reader === this.#reader) this.#abandonTail(storeTrouble(error));
    }
  }

  #adopt(entry: StoredEntry): Message | undefined {
    const { sequence, bytes } = entry.key;
    if (this.#passed.has(sequence)) return undefined;
    const callback = this.#callbacks.get(sequence);
    this.#callbacks.delete(sequence);
    this.#loaded.add(sequence);
    this.#tail.messages -= 1;
    this.#tail.bytes -= bytes;
    if (entry.content) {
      if (sequence > this.#earlierUpTo) this.#topics.count(entry.content.topic, -1);
      const publishedAt = this.#lives.publishedAt(entry.content.time);
      const message = storedMessage(entry.content, entry.key, publishedAt, callback);
      message.received = entry.received;
      message.release = this.#release;
      return message;
    }
    // It stays where it is: another version, or the right key, may read it.
    this.#report({ reason: 'corrupt', error: entry.error });
    callback?.(entry.error);
    return undefined;
  }

  #abandonTail(trouble: StoreTrouble): void {
    this.#endTail();
    const callbacks = [...this.#callbacks.values()];
    this.#callbacks.clear();
    this.#degrade(trouble);
    for (const callback of callbacks) callback(trouble.error);
  }

  /** Whatever was counted, there is nothing left to read. */
  #endTail(): void {
    this.#tail = { messages: 0, bytes: 0 };
    this.#readUpTo = this.#tailUpTo;
    this.#topics.clear();
    for (let late = this.#late.first; late; late = late.next) this.#topics.count(late.topic, 1);
  }

  #degrade(trouble: StoreTrouble): void {
    this.#trouble = trouble;
    const wasOpening = this.#phase === 'opening';
    if (wasOpening) this.#phase = 'memory';
    this.#report(trouble);
    if (wasOpening) this.#owner.counted();
    if (wasOpening)
      for (let late = this.#late.first; late; late = late.next) confirmStored(late, trouble.error);
    this.refill();
  }

  #report({ reason, error }: StoreTrouble): void {
    this.#deps.events.emit('storage-degraded', { reason, error });
  }
}

function* drained(lane: Lane): Generator<Message> {
  for (let first = lane.first; first; first = lane.first) {
    lane.remove(first);
    yield first;
  }
}
