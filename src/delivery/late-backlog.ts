/** The durable part of the outbox before its code is there, which is loaded for a client with `outbox.store`. */
import { chunk } from '../chunk.js';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Held } from './bounds.js';
import { Lane } from './lane.js';
import { confirmStored, type Message, settle } from './message.js';
import type { Backlog, BacklogDeps, BacklogOwner } from './store/backlog.js';

/** What the outbox needs of its durable part. */
export type OutboxBacklog = Pick<Backlog, keyof Backlog>;

/** Makes the durable part of an outbox. */
export type MakeBacklog = (
  shared: Pick<BacklogDeps, 'clock' | 'events' | 'spills'>,
  owner: BacklogOwner,
) => OutboxBacklog;

/** Keeps what is published until the code is loaded; without it, the outbox goes on in memory. */
export class LateBacklog implements OutboxBacklog {
  readonly #load: () => Promise<OutboxBacklog>;
  readonly #owner: BacklogOwner;
  readonly #events: EventSink;
  readonly #late = new Lane();
  #phase: 'closed' | 'opening' | 'memory' = 'closed';
  #backlog: OutboxBacklog | undefined;
  #error: FailoverError | undefined;

  /** @param load - Called until it has succeeded once. */
  constructor(load: () => Promise<OutboxBacklog>, owner: BacklogOwner, events: EventSink) {
    this.#load = chunk(load);
    this.#owner = owner;
    this.#events = events;
  }

  get size(): number {
    return this.#late.size + (this.#backlog?.size ?? 0);
  }

  get bytes(): number {
    return this.#late.bytes + (this.#backlog?.bytes ?? 0);
  }

  holdsUpTo(sequence: number): boolean {
    return this.#backlog?.holdsUpTo(sequence) ?? false;
  }

  get isAhead(): boolean {
    return this.#backlog?.isAhead ?? this.#phase !== 'memory';
  }

  get isOpening(): boolean {
    return this.#backlog?.isOpening ?? this.#phase === 'opening';
  }

  mayHold(topic: string): boolean {
    return this.#backlog?.mayHold(topic) ?? this.isAhead;
  }

  hasRoomIn(lane: Held): boolean {
    return this.#backlog?.hasRoomIn(lane) ?? true;
  }

  get closed(): Promise<void> {
    return this.#backlog?.closed ?? Promise.resolve();
  }

  open(): void {
    if (this.#backlog) this.#backlog.open();
    else if (this.#phase === 'closed') {
      this.#phase = 'opening';
      void this.#loadNow();
    }
  }

  async #loadNow(): Promise<void> {
    try {
      const backlog = await this.#load();
      if (this.#phase !== 'opening' || this.#backlog) return;
      this.#backlog = backlog;
      for (const message of this.#late.clear()) backlog.append(message);
      backlog.open();
    } catch (cause) {
      if (this.#phase === 'opening') this.#goOnInMemory(cause);
    }
  }

  #goOnInMemory(cause: unknown): void {
    const text = 'The outbox goes on in memory, as the code of its store could not be loaded';
    const error = new FailoverError('ERR_STORE', `${text}: is the chunk beside the bundle?`, { cause });
    this.#phase = 'memory';
    this.#error = error;
    const messages = this.#late.clear();
    this.#owner.take(messages);
    this.#events.emit('storage-degraded', { reason: 'unavailable', error });
    for (const message of messages) confirmStored(message, error);
    this.#owner.counted();
  }

  record(message: Message, isOnTheWire?: boolean): void {
    if (this.#backlog) this.#backlog.record(message, isOnTheWire);
    else confirmStored(message, this.#error);
  }

  append(message: Message): void {
    (this.#backlog ?? this.#late).append(message);
  }

  received(message: Message): void {
    this.#backlog?.received(message);
  }

  refill(): void {
    this.#backlog?.refill();
  }

  shed(isTooMuch: () => boolean): Message[] {
    return this.#backlog?.shed(isTooMuch) ?? [];
  }

  close(settleWith: FailoverError): Promise<void> {
    if (this.#backlog) return this.#backlog.close(settleWith);
    this.#phase = 'closed';
    for (const message of this.#late.clear()) settle(message, settleWith);
    return this.closed;
  }
}
