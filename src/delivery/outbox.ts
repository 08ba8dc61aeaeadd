/**
 * The bounded queue in front of `publish`: what waits for a connection, in the order of the calls.
 *
 * With a store, only its beginning is in memory, and the rest is the {@link OutboxBacklog}. Nothing leaves it silently: a
 * message is taken by the replayer, or settled with an error and reported as `dropped`.
 */
import type { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock, Platform } from '../platform/ports.js';
import { AgeLimit } from './age-limit.js';
import { Bounds, type Held, type OutboxBounds } from './bounds.js';
import { Drops } from './drops.js';
import { Lanes } from './lanes.js';
import type { MakeBacklog, OutboxBacklog } from './late-backlog.js';
import { confirmStored, copyPayload, type Message, settle } from './message.js';
import type { BacklogOwner } from './store/backlog.js';

const SUPERSEDED = "a newer one of its topic replaced it (outbox.overflow: 'latest-per-topic')";

export interface OutboxDeps {
  readonly clock: Clock;
  readonly events: EventSink;
  /** What counts towards the bounds without waiting here. */
  readonly elsewhere: Held;
  /** As `Platform.freeBuffer`. */
  readonly freeBuffer?: Platform['freeBuffer'];
  /** Makes what lets QoS 1 and 2 survive the process; all is in memory when left out. */
  readonly makeBacklog?: MakeBacklog | undefined;
}

/** Every operation is O(1), whatever the depth. */
export class Outbox {
  /** Gives up what is in no lane. */
  readonly drops: Drops;
  readonly #options: OutboxBounds;
  readonly #lanes: Lanes;
  readonly #bounds: Bounds;
  readonly #ages: AgeLimit;
  readonly #backlog: OutboxBacklog | undefined;
  #sequence = 0;
  #onRemoved: () => void = () => {};
  #onAdded: () => void = () => {};

  constructor(options: OutboxBounds, { clock, events, elsewhere, freeBuffer, makeBacklog }: OutboxDeps) {
    const isLatestOnly = options.overflow === 'latest-per-topic';
    this.#options = options;
    this.#lanes = new Lanes(isLatestOnly);
    this.#bounds = new Bounds(options, this.#lanes, this, elsewhere);
    this.#ages = new AgeLimit(options.maxAgeMs, clock, this.#lanes, (message) => this.#expire(message));
    // A store may still be writing what is dropped.
    this.drops = new Drops(events, makeBacklog ? undefined : freeBuffer);
    this.#backlog = makeBacklog?.({ clock, events, spills: !isLatestOnly }, this.#ownerOfBacklog());
  }

  #ownerOfBacklog(): BacklogOwner {
    const sequence = () => this.#sequence;
    return {
      get sequence() {
        return sequence();
      },
      window: this.#lanes.acknowledged,
      renumber: (by) => {
        this.#sequence += by;
        for (let { first: message } = this.#lanes.qos0; message; message = message.next)
          message.sequence += by;
      },
      take: (messages) => {
        for (const message of messages) {
          message.isLive = this.#lanes.mayBeLive(message);
          this.#lanes.append(message);
        }
        this.#ages.watch();
        this.#onAdded();
      },
      counted: () => {
        const excess = this.#backlog?.shed(() => this.#bounds.areExceeded) ?? [];
        const why = String(this.#bounds);
        for (const message of excess) this.drops.drop(message, 'overflow', why);
        this.#onRemoved();
      },
    };
  }

  /** Messages waiting. */
  get size(): number {
    return this.#lanes.size + (this.#backlog?.size ?? 0);
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#lanes.bytes + (this.#backlog?.bytes ?? 0);
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
    if (this.#backlog?.holdsUpTo(sequence)) return false;
    return (this.#lanes.oldest()?.sequence ?? Number.POSITIVE_INFINITY) > sequence;
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
    const lanes = this.#lanes;
    return lanes.size === 0 || (lanes.topics.of(message.topic) === 0 && this.#bounds.haveRoom(message));
  }

  /** Milliseconds since the oldest waiting message was published; 0 when none waits. */
  get oldestAgeMs(): number {
    return this.#ages.oldestMs;
  }

  /** The next message of the backlog to send. */
  get first(): Message | undefined {
    return this.#lanes.first;
  }

  /** The next message of the live lane. */
  get firstLive(): Message | undefined {
    return this.#lanes.live.first;
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
    if (!message.settled) this.#record(message, true);
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
    const { maxBytes } = this.#options;
    if (message.bytes > maxBytes) {
      this.drops.drop(
        message,
        'too-large',
        `it has ${message.bytes} bytes and outbox.maxBytes is ${maxBytes}`,
      );
      return;
    }
    const older = this.#lanes.latest(message.topic);
    const victims = this.#bounds.victims(message, older);
    if (!victims) {
      this.drops.drop(message, 'overflow', String(this.#bounds));
      return;
    }
    const evicted: Message[] = [];
    if (older) this.#remove(older);
    while (!this.#bounds.haveRoom(message)) {
      const victim = this.#lanes.oldest(victims) as Message;
      this.#remove(victim);
      evicted.push(victim);
    }
    const why = evicted.length > 0 ? String(this.#bounds) : '';
    // What is refused is not copied.
    copyPayload(message);
    message.isLive = isLive;
    if (isLive) this.#lanes.beginLive();
    this.#append(message);
    // Last, as their callbacks may publish.
    if (older) this.drops.drop(older, 'overflow', SUPERSEDED);
    for (const victim of evicted) this.drops.drop(victim, 'overflow', why);
  }

  #mayOvertake(message: Message): boolean {
    if (message.qos === 0 || !this.#lanes.mayBeLive(message) || this.#backlog?.mayHold(message.topic))
      return false;
    return this.#backlog?.hasRoomIn(this.#lanes.live) ?? true;
  }

  /** The link is gone: what was live waits in the backlog, where it belongs by its number. */
  endLive(): void {
    this.#lanes.endLive();
  }

  /** Puts back messages that were in flight, where they belong: before everything that was published after them. */
  putBack(messages: readonly Message[]): void {
    this.#lanes.putBack(messages);
    this.#ages.restart();
  }

  /** Takes `message` out to be sent. Nobody is told: it must be in flight before there is room for another. */
  take(message: Message): void {
    this.#withdraw(message);
    message.isCopy = false;
  }

  #withdraw(message: Message): void {
    this.#lanes.remove(message);
    if (message.qos > 0) this.#backlog?.refill();
  }

  /** Takes `message` out without settling it. */
  #remove(message: Message): void {
    this.#withdraw(message);
    this.#onRemoved();
  }

  /** Settles everything that waits with `error` and forgets it; not reported as dropped, as it was asked for. */
  clear(error: FailoverError): void {
    this.#ages.stop();
    for (let message = this.#lanes.oldest(); message; message = this.#lanes.oldest()) {
      this.#remove(message);
      settle(message, error);
    }
  }

  #append(message: Message): void {
    const overtakes = this.#mayOvertake(message);
    const backlog = message.qos > 0 && !overtakes ? this.#backlog : undefined;
    if (backlog?.isAhead || backlog?.hasRoomIn(this.#lanes.acknowledged) === false) {
      backlog.append(message);
      return;
    }
    message.isLive = overtakes;
    this.#lanes.append(message);
    this.#ages.watch();
    this.#record(message);
  }

  /** Tells the store of a message that is in memory, or on the wire. */
  #record(message: Message, isOnTheWire = false): void {
    if (this.#backlog && message.qos > 0) this.#backlog.record(message, isOnTheWire);
    else confirmStored(message);
  }

  #expire(message: Message): void {
    this.#remove(message);
    this.drops.drop(
      message,
      'expired',
      `it waited longer than outbox.maxAgeMs (${this.#options.maxAgeMs} ms)`,
    );
  }
}
