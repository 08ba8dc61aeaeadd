/**
 * The bounded queue in front of `publish`: what waits for a connection, in the order of the calls.
 *
 * With a store, only its beginning is in memory, and the rest is the {@link OutboxBacklog}. Nothing leaves it silently: a
 * message is taken by the replayer, or settled with an error and reported as `dropped`.
 */

import { FailoverError, type FailoverErrorCode } from '../errors.js';
import type { DropReason, EventSink } from '../events.js';
import { LONGEST_TIMER_MS } from '../platform/longest-timer.js';
import type { Clock, Timer } from '../platform/ports.js';
import { Lane } from './lane.js';
import type { OutboxBacklog } from './late-backlog.js';
import { confirmStored, type Message, settle } from './message.js';
import type { BacklogDeps, BacklogOwner } from './store/backlog.js';
import { TopicCounts } from './topic-counts.js';

/** What happens to a publish that does not fit into the outbox; see `OutboxOptions.overflow`. */
export type OverflowPolicy = 'reject-new' | 'drop-oldest' | 'drop-oldest-qos0' | 'latest-per-topic';

/** Bounds of the outbox; see `OutboxOptions`. */
export interface OutboxBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly overflow: OverflowPolicy;
}

/** Messages and bytes that count towards the bounds without waiting here: in flight, or refused for now. */
export interface HeldElsewhere {
  readonly size: number;
  readonly bytes: number;
}

/** What several parts hold, as one. */
export function heldTogether(...parts: readonly HeldElsewhere[]): HeldElsewhere {
  return {
    get size() {
      return parts.reduce((sum, { size }) => sum + size, 0);
    },
    get bytes() {
      return parts.reduce((sum, { bytes }) => sum + bytes, 0);
    },
  };
}

const CODES: Readonly<Record<'overflow' | 'expired' | 'too-large', FailoverErrorCode>> = {
  overflow: 'ERR_OVERFLOW',
  expired: 'ERR_EXPIRED',
  'too-large': 'ERR_TOO_LARGE',
};

const SUPERSEDED = "a newer one of its topic replaced it (outbox.overflow: 'latest-per-topic')";

/** Messages of one topic in the live lane at most: a topic that floods waits behind its own backlog, and holds up no other. */
const MAX_LIVE = 100;

/** Makes the durable part of an outbox. */
export type MakeBacklog = (
  shared: Pick<BacklogDeps, 'clock' | 'events' | 'spills'>,
  owner: BacklogOwner,
) => OutboxBacklog;

/** Every operation is O(1), whatever the depth. */
export class Outbox {
  readonly #bounds: OutboxBounds;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #inFlight: HeldElsewhere;
  /** QoS 0 apart from the rest, so that the oldest of it can be evicted without a search. */
  readonly #qos0 = new Lane();
  readonly #acknowledged = new Lane();
  /** QoS 1 and 2 that was published when the broker's window was full, and nothing of its topic was in the backlog (R178). */
  readonly #live = new Lane();
  readonly #lanes = [this.#qos0, this.#acknowledged, this.#live];
  readonly #liveTopics = new TopicCounts();
  /** The waiting message of each topic, for `latest-per-topic` only. */
  readonly #byTopic: Map<string, Message> | undefined;
  /** What waits in memory. */
  readonly #topics = new TopicCounts();
  readonly #backlog: OutboxBacklog | undefined;
  #sequence = 0;
  #ageTimer: Timer | undefined;
  #onRemoved: () => void = () => {};
  #onAdded: () => void = () => {};

  /** @param makeBacklog - Makes what lets QoS 1 and 2 survive the process; all is in memory when left out. */
  constructor(
    bounds: OutboxBounds,
    clock: Clock,
    events: EventSink,
    inFlight: HeldElsewhere,
    makeBacklog?: MakeBacklog,
  ) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#events = events;
    this.#inFlight = inFlight;
    this.#byTopic = bounds.overflow === 'latest-per-topic' ? new Map() : undefined;
    this.#backlog = makeBacklog?.(
      { clock, events, spills: this.#byTopic === undefined },
      this.#ownerOfBacklog(),
    );
  }

  #ownerOfBacklog(): BacklogOwner {
    const sequence = () => this.#sequence;
    return {
      get sequence() {
        return sequence();
      },
      window: this.#acknowledged,
      renumber: (by) => {
        this.#sequence += by;
        for (let message = this.#qos0.first; message; message = message.next) message.sequence += by;
      },
      take: (messages) => {
        // Live ones that gave their lane up may be in memory already, and come later.
        this.#acknowledged.merge(messages);
        for (const message of messages) this.#entered(message);
        if (messages.length > 0) this.#onAdded();
      },
      counted: () => {
        const excess = this.#backlog?.shed(() => this.#isOver()) ?? [];
        const why = this.#fullness();
        for (const message of excess) this.drop(message, 'overflow', why);
        this.#onRemoved();
      },
    };
  }

  /** Messages waiting. */
  get size(): number {
    return this.#inMemory + (this.#backlog?.size ?? 0);
  }

  get #inMemory(): number {
    return this.#qos0.size + this.#acknowledged.size + this.#live.size;
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, this.#backlog?.bytes ?? 0);
  }

  /** Opens the store, if there is one and it is not open; publishes wait until what it holds is known. */
  open(): void {
    this.#backlog?.open();
  }

  /**
   * Lets go of the store with everything that is in it, for the next life. What is settled from now on stays there.
   *
   * @param error - For the callbacks of messages that are in the store alone.
   */
  seal(error: FailoverError): void {
    void this.#backlog?.close(error);
  }

  /** Resolves when the store has been let go of; `undefined` without one. */
  get closed(): Promise<void> | undefined {
    return this.#backlog?.closed;
  }

  /** Whether it is not known yet what the store holds. */
  get isOpening(): boolean {
    return this.#backlog?.isOpening ?? false;
  }

  /** Whether everything that was published up to this number has left. */
  hasPassed(sequence: number): boolean {
    // What is in the store alone comes before the live ones.
    if (this.#acknowledged.size === 0 && this.#backlog && this.#backlog.size > 0) return false;
    return (this.#oldest(this.#lanes)?.sequence ?? Number.POSITIVE_INFINITY) > sequence;
  }

  /** The number of the latest publish. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether messages outlive the process. */
  get isDurable(): boolean {
    return this.#backlog !== undefined;
  }

  /** Whether a message may go to the link at once: nothing of its topic waits, and the bounds allow it (R178). */
  mayPass(message: Message): boolean {
    if (message.qos > 0 && this.#backlog?.mayHold(message.topic)) return false;
    return this.#inMemory === 0 || (this.#topics.of(message.topic) === 0 && this.#fits(message, this));
  }

  /** Milliseconds since the oldest waiting message was published; 0 when none waits. */
  get oldestAgeMs(): number {
    const oldest = this.#oldest(this.#lanes);
    return oldest ? this.#clock.now() - oldest.publishedAt : 0;
  }

  /** The next message of the backlog to send. */
  get first(): Message | undefined {
    const first = this.#oldest([this.#qos0, this.#acknowledged]);
    // A topic that has messages in both lanes has its older ones in the live lane.
    return first && this.#liveTopics.of(first.topic) > 0 ? this.#live.first : first;
  }

  /** The next message of the live lane. */
  get firstLive(): Message | undefined {
    return this.#live.first;
  }

  #oldest(lanes: readonly Lane[]): Message | undefined {
    let oldest: Message | undefined;
    for (const { first } of lanes) if (first && (!oldest || first.sequence < oldest.sequence)) oldest = first;
    return oldest;
  }

  /** Calls `listener` whenever a message has left that is not sent. */
  onRemoved(listener: () => void): void {
    this.#onRemoved = listener;
  }

  /** Calls `listener` whenever messages have come from the store. */
  onAdded(listener: () => void): void {
    this.#onAdded = listener;
  }

  /** Numbers a message that goes to the link without waiting, so that it keeps its place if it must come back. */
  stamp(message: Message): void {
    this.#sequence += 1;
    message.sequence = this.#sequence;
  }

  /** A message was given to the link without waiting; its payload does not change any more. */
  sent(message: Message): void {
    if (message.settled) return;
    if (this.#backlog && message.qos > 0) this.#backlog.record(message, true);
    else confirmStored(message);
  }

  /** A broker has answered a QoS 2 message with PUBREC. */
  received(message: Message): void {
    this.#backlog?.received(message);
  }

  /**
   * Takes a new message, making room as the overflow policy says, or settles it with an error.
   *
   * @param isLive - It waits for nothing but a place in the broker's window: it may overtake the backlog of other topics.
   */
  add(message: Message, isLive = false): void {
    this.#backlog?.open();
    this.stamp(message);
    if (message.bytes > this.#bounds.maxBytes) {
      this.drop(
        message,
        'too-large',
        `it has ${message.bytes} bytes and outbox.maxBytes is ${this.#bounds.maxBytes}`,
      );
      return;
    }
    const older = this.#byTopic?.get(message.topic);
    const victims = this.#victims(message);
    if (!this.#couldFit(message, victims, older)) {
      this.drop(message, 'overflow', this.#fullness());
      return;
    }
    const evicted: Message[] = [];
    if (older) this.#remove(older);
    while (!this.#fits(message, this)) {
      const victim = this.#oldest(victims) as Message;
      this.#remove(victim);
      evicted.push(victim);
    }
    const why = this.#fullness();
    // The caller may reuse its buffer as soon as publish returns; a string cannot change. What is refused is not copied.
    if (typeof message.payload !== 'string') {
      message.copy = copy(message.payload);
      message.payload = message.copy;
    }
    message.isLive = isLive && this.#mayOvertake(message);
    this.#append(message);
    // Last, as their callbacks may publish.
    if (older) this.drop(older, 'overflow', SUPERSEDED);
    for (const victim of evicted) this.drop(victim, 'overflow', why);
  }

  #mayOvertake({ topic, qos }: Message): boolean {
    const live = this.#liveTopics.of(topic);
    if (qos === 0 || live === MAX_LIVE || live < this.#topics.of(topic)) return false;
    return !this.#backlog || (!this.#backlog.mayHold(topic) && this.#backlog.hasRoomIn(this.#live));
  }

  /** The link is gone: what was live waits in the backlog, where it belongs by its number. */
  endLive(): void {
    const messages: Message[] = [];
    for (let first = this.#live.first; first; first = this.#live.first) {
      this.#unlink(first);
      messages.push(first);
    }
    this.#acknowledged.merge(messages);
  }

  /** Puts back messages that were in flight, where they belong: before everything that was published after them. */
  putBack(messages: readonly Message[]): void {
    const sorted = [...messages].sort((a, b) => a.sequence - b.sequence);
    for (const lane of [this.#qos0, this.#acknowledged])
      lane.merge(sorted.filter((m) => this.#lane(m) === lane));
    for (const message of sorted) {
      this.#topics.add(message.topic);
      // What is put back is older than what waits.
      if (!this.#byTopic?.has(message.topic)) this.#byTopic?.set(message.topic, message);
    }
    this.#disarmAge();
    this.#watchAge();
  }

  /** Takes `message` out to be sent. Nobody is told: it must be in flight before there is room for another. */
  take(message: Message): void {
    this.#withdraw(message);
    message.copy = undefined;
  }

  #withdraw(message: Message): void {
    this.#unlink(message);
    if (this.#byTopic?.get(message.topic) === message) this.#byTopic.delete(message.topic);
    this.#topics.remove(message.topic);
    if (message.qos > 0) this.#backlog?.refill();
  }

  /** Takes `message` out without settling it. */
  #remove(message: Message): void {
    this.#withdraw(message);
    this.#onRemoved();
  }

  /** Settles a message that is in no lane with an error, and reports it. */
  drop(message: Message, reason: keyof typeof CODES, why: string): void {
    const error = new FailoverError(
      CODES[reason],
      `Message to ${JSON.stringify(message.topic)} was dropped: ${why}`,
      {
        retryable: reason === 'overflow',
      },
    );
    this.reject(message, reason, error);
  }

  /** As {@link drop}, with an error of the caller's. */
  reject(message: Message, reason: DropReason, error: FailoverError): void {
    settle(message, error);
    // The store may still be writing it.
    if (!this.#backlog && message.copy) free(message.copy);
    this.#events.emit('dropped', { topic: message.topic, qos: message.qos, reason, error });
  }

  /** Settles everything that waits with `error` and forgets it; not reported as dropped, as it was asked for. */
  clear(error: FailoverError): void {
    this.#disarmAge();
    for (let message = this.#oldest(this.#lanes); message; message = this.#oldest(this.#lanes)) {
      this.#remove(message);
      settle(message, error);
    }
  }

  #append(message: Message): void {
    const backlog = this.#backlog;
    if (!backlog || message.qos === 0) {
      this.#link(message);
      confirmStored(message);
      return;
    }
    if (!message.isLive && (backlog.isAhead || !backlog.hasRoomIn(this.#acknowledged))) {
      backlog.append(message);
      return;
    }
    this.#link(message);
    backlog.record(message);
  }

  #lane(message: Message): Lane {
    if (message.isLive) return this.#live;
    return message.qos === 0 ? this.#qos0 : this.#acknowledged;
  }

  #link(message: Message): void {
    this.#lane(message).append(message);
    if (message.isLive) this.#liveTopics.add(message.topic);
    this.#entered(message);
  }

  #unlink(message: Message): void {
    this.#lane(message).remove(message);
    if (message.isLive) this.#liveTopics.remove(message.topic);
    message.isLive = false;
  }

  #entered(message: Message): void {
    this.#topics.add(message.topic);
    this.#byTopic?.set(message.topic, message);
    this.#watchAge();
  }

  #disarmAge(): void {
    if (this.#ageTimer) this.#clock.clearTimeout(this.#ageTimer);
    this.#ageTimer = undefined;
  }

  #fits(message: Message, waiting: HeldElsewhere): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    const held = this.#inFlight;
    return waiting.size + held.size < maxMessages && waiting.bytes + held.bytes + message.bytes <= maxBytes;
  }

  #isOver(): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    return this.size + this.#inFlight.size > maxMessages || this.bytes + this.#inFlight.bytes > maxBytes;
  }

  /** Whether there would be room once every possible victim, and the older message of the topic, had gone. */
  #couldFit(message: Message, victims: readonly Lane[], older: Message | undefined): boolean {
    let { size, bytes } = this;
    for (const lane of victims) {
      size -= lane.size;
      bytes -= lane.bytes;
    }
    if (older && !victims.includes(this.#lane(older))) {
      size -= 1;
      bytes -= older.bytes;
    }
    return this.#fits(message, { size, bytes });
  }

  #fullness(): string {
    const { maxMessages, maxBytes, overflow } = this.#bounds;
    const messages = this.size + this.#inFlight.size;
    const bytes = this.bytes + this.#inFlight.bytes;
    return `the outbox holds ${messages} of ${maxMessages} messages and ${bytes} of ${maxBytes} bytes (outbox.overflow: '${overflow}')`;
  }

  /** The lanes whose oldest messages may go for `newcomer`. */
  #victims(newcomer: Message): readonly Lane[] {
    switch (this.#bounds.overflow) {
      case 'drop-oldest':
        return this.#lanes;
      case 'drop-oldest-qos0':
        return [this.#qos0];
      case 'latest-per-topic':
      case 'reject-new':
        return newcomer.qos > 0 ? [this.#qos0] : [];
    }
  }

  /** One timer, for the oldest message; it is re-armed for the next oldest when it fires. */
  #watchAge(): void {
    if (this.#ageTimer || this.#bounds.maxAgeMs === Number.POSITIVE_INFINITY) return;
    const oldest = this.#oldest(this.#lanes);
    if (!oldest) return;
    const left = Math.max(0, oldest.publishedAt + this.#bounds.maxAgeMs - this.#clock.now());
    this.#ageTimer = this.#clock.setTimeout(
      () => {
        this.#ageTimer = undefined;
        this.#expire();
        this.#watchAge();
      },
      Math.min(left, LONGEST_TIMER_MS),
    );
  }

  #expire(): void {
    const limit = this.#clock.now() - this.#bounds.maxAgeMs;
    for (;;) {
      const oldest = this.#oldest(this.#lanes);
      if (!oldest || oldest.publishedAt > limit) return;
      this.#remove(oldest);
      this.drop(oldest, 'expired', `it waited longer than outbox.maxAgeMs (${this.#bounds.maxAgeMs} ms)`);
    }
  }
}

/** A true copy of the same class; `Buffer`'s own `slice` would share memory. */
function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

/**
 * Gives the memory of a copy back at once, where the engine can (Node 22). Collections of garbage come late for what is not on
 * V8's heap: while new messages replace old ones, as much again as `maxBytes` would wait for one.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  // A class of the application may put its copies into a buffer that they share.
  if (buffer.byteLength === byteLength) (buffer as { transfer?: (length: number) => unknown }).transfer?.(0);
}
