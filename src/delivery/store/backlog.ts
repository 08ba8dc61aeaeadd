/**
 * The durable part of the outbox, from the opening of its store to the end, and without one when it fails.
 *
 * What waits in which order is in {@link Waiting}; here is written what must survive the process.
 */
import type { FailoverError } from '../../errors.js';
import type { EventSink } from '../../events.js';
import type { Clock, Random } from '../../platform/ports.js';
import type { Held } from '../bounds.js';
import { confirmStored, type Message, settle } from '../message.js';
import type { OutboxCodec } from './codec.js';
import { StoreRefusal, type StoreTrouble, storeTrouble } from './failure.js';
import { Journal } from './journal.js';
import { Lives } from './lives.js';
import { StoreReader, type StoreState } from './store-reader.js';
import type { Lease } from './stores.js';
import { Tail } from './tail.js';
import { Waiting, type Window } from './waiting.js';

export interface BacklogDeps {
  /** Opens the store. */
  readonly lease: () => Promise<Lease>;
  readonly codec: OutboxCodec | undefined;
  /** Whether the client speaks MQTT 5, which alone knows properties. */
  readonly speaksMqtt5: () => boolean;
  /** False keeps everything in memory as well: a policy has to find messages by their topic. */
  readonly spills: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** What the outbox has to do for its backlog. */
export interface BacklogOwner extends Window {
  /** The highest number given out. */
  readonly sequence: number;
  /** The store has messages of earlier lives: everything that was published since the opening began comes after. */
  renumber(by: number): void;
  /** It is known now what the store holds: the bounds may be exceeded. */
  counted(): void;
}

type Phase = 'closed' | 'opening' | 'open' | 'memory';

/** Holds no message twice. */
export class Backlog {
  readonly #deps: BacklogDeps;
  readonly #owner: BacklogOwner;
  readonly #lives: Lives;
  readonly #waiting: Waiting;
  #phase: Phase = 'closed';
  #opening: Promise<void> = Promise.resolve();
  #lease: Lease | undefined;
  #journal: Journal | undefined;
  #tail: Tail | undefined;
  #trouble: StoreTrouble | undefined;
  /** Where the next life begins to read, once this one forgets what it has loaded. */
  #lastHead: number | undefined;
  #hasWarned = false;

  constructor(deps: BacklogDeps, owner: BacklogOwner) {
    this.#deps = deps;
    this.#owner = owner;
    this.#lives = new Lives(deps.clock, Math.floor(deps.random.next() * 2 ** 32));
    this.#waiting = new Waiting(owner, deps.spills, this.#release, (trouble) => this.#report(trouble));
  }

  /** Messages that wait here. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#waiting.bytes;
  }

  /** Whether a message up to this number may wait here. */
  holdsUpTo(sequence: number): boolean {
    return this.#waiting.oldest <= sequence;
  }

  /** Whether a new message must wait here: older ones do, or it is not known yet whether there are any. */
  get isAhead(): boolean {
    return this.#isShut || !this.#waiting.isEmpty;
  }

  /** Whether a message of `topic` may wait here. */
  mayHold(topic: string): boolean {
    return this.#isShut || this.#waiting.mayHave(topic);
  }

  /** Whether it is not known yet what the store holds. */
  get isOpening(): boolean {
    return this.#phase === 'opening';
  }

  get #isShut(): boolean {
    return this.#phase === 'opening' || this.#phase === 'closed';
  }

  /** Opens the store, unless it is open; never throws, as there is always the memory. */
  open(): void {
    if (this.#phase !== 'closed') return;
    this.#phase = 'opening';
    this.#opening = this.#opening.then(() => this.#open());
  }

  /** Whether a lane in memory may have another message. */
  hasRoomIn(lane: Held): boolean {
    return this.#waiting.hasRoomIn(lane);
  }

  /** Writes a message that is in the window, in the live lane, or on the wire. */
  record(message: Message, isOnTheWire = false): void {
    message.release = this.#release;
    if (this.isAhead) this.#tail?.addPassed(message.sequence);
    else this.#tail?.addLoaded(message.sequence);
    this.#write(message, isOnTheWire);
  }

  /** Takes a message that comes after everything of its topic; if it is live, it may pass what waits of others. */
  append(message: Message): void {
    message.release = this.#release;
    this.#waiting.append(message);
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
    if (this.#phase !== 'opening') this.#waiting.refill();
  }

  /** Takes the newest messages that do not fit out again, while `isTooMuch` says so. */
  shed(isTooMuch: () => boolean): Message[] {
    return this.#waiting.shed(isTooMuch);
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
    const { messages, callbacks } = this.#waiting.end();
    this.#tail = undefined;
    this.#journal = undefined;
    const lease = this.#lease;
    this.#lease = undefined;
    for (const message of messages) {
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

  /** An earlier life spoke MQTT 5, perhaps: MQTT.js leaves properties out where they cannot be said (R185). */
  readonly #foundProperties = (): void => {
    if (this.#hasWarned || this.#deps.speaksMqtt5()) return;
    this.#hasWarned = true;
    const message =
      'The store has messages with properties of MQTT 5, which are delivered without them, as this client speaks MQTT 3.1.1. Set protocolVersion: 5 as the client had that published them.';
    this.#deps.events.emit('warning', { code: 'PROPERTIES_DROPPED', message });
  };

  /** A message in memory is settled: the store need not keep it. */
  readonly #release = (message: Message): void => {
    this.#tail?.release(message.sequence);
    this.#journal?.remove(message);
  };

  async #open(): Promise<void> {
    // What waits here already was published before the store was opened, perhaps with QoS 0 in between.
    const before = Math.min(this.#waiting.oldest, this.#owner.sequence + 1) - 1;
    let lease: Lease | undefined;
    try {
      lease = await this.#deps.lease();
      const reader = new StoreReader(lease.section, this.#lives, this.#deps.codec, this.#foundProperties);
      const state = await reader.open();
      if (this.#phase === 'opening') this.#begin(lease, reader, state, before);
      else await lease.release();
    } catch (error) {
      await lease?.release();
      if (this.#phase === 'opening') this.#degrade(storeTrouble(error));
    }
  }

  #begin(lease: Lease, reader: StoreReader, state: StoreState, before: number): void {
    const tail = new Tail(reader, state, this.#lives);
    this.#lease = lease;
    this.#tail = tail;
    this.#trouble = undefined;
    this.#lastHead = undefined;
    const shift = Math.max(0, state.last - before);
    if (shift > 0) this.#owner.renumber(shift);
    this.#waiting.begin(tail, shift);
    const journal = new Journal({
      section: lease.section,
      clock: this.#deps.clock,
      lives: this.#lives,
      codec: this.#deps.codec,
      meta: () => reader.meta(),
      head: () => this.#lastHead ?? this.#head,
      onCommitted: (sequence) => this.#waiting.committed(sequence),
      onForgotten: (sequence) => tail.forget(sequence),
      onFailure: (trouble) => {
        tail.endWriting();
        this.#degrade(trouble);
      },
    });
    this.#journal = journal;
    this.#phase = 'open';
    // Before anything is written: some of it may have no place.
    this.#owner.counted();
    for (const message of this.#waiting.late()) journal.put(message);
    if (lease.damage !== undefined) this.#report(storeTrouble(new StoreRefusal('corrupt', lease.damage)));
    if (!tail.isEmpty) void this.#count(tail);
    this.#waiting.start();
  }

  async #count(tail: Tail): Promise<void> {
    try {
      if ((await tail.count()) && tail === this.#tail) this.#owner.counted();
    } catch (error) {
      if (tail === this.#tail) this.#report(storeTrouble(error));
    }
  }

  /** The lowest number that may still be in the store. */
  get #head(): number {
    return Math.min(
      this.#tail?.head ?? Number.POSITIVE_INFINITY,
      this.#waiting.oldest,
      this.#owner.sequence + 1,
    );
  }

  #degrade(trouble: StoreTrouble): void {
    this.#trouble = trouble;
    const wasOpening = this.#phase === 'opening';
    if (wasOpening) this.#phase = 'memory';
    this.#report(trouble);
    if (wasOpening) {
      this.#owner.counted();
      for (const message of this.#waiting.late()) confirmStored(message, trouble.error);
    }
    this.#waiting.refill();
  }

  #report({ reason, error }: StoreTrouble): void {
    this.#deps.events.emit('storage-degraded', { reason, error });
  }
}
