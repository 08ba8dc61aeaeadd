/** Sends what waits in the outbox, in order, in a window. */
import type { Clock } from '../platform/ports.js';
import type { CreateGate, Gate } from './gate.js';
import type { Message } from './message.js';
import type { Outbox } from './outbox.js';

/** What the replayer needs to send. */
export interface ReplayTarget {
  /** Whether another message of this QoS fits into the broker's Receive Maximum. */
  hasQuota(message: Message): boolean;
  /** Resolves when {@link hasQuota} may have changed. */
  quotaChanged(): Promise<void>;
  /** Sends a message that was taken from the outbox; resolves when it is settled, or never if the link ends. */
  send(message: Message): Promise<void>;
  /** Nothing waits for {@link hasQuota} any more. */
  gaveWay(): void;
}

/** See `OutboxOptions.replay`. */
export interface ReplayBounds {
  readonly concurrency: number;
  readonly perSecond: number;
}

/** Milliseconds in which several refusals are one push-back. */
const PUSH_BACK_GAP_MS = 1_000;
/** Milliseconds without push-back after which the rate doubles. */
const RECOVERY_MS = 10_000;
/** A timer for each message cannot keep to a higher rate: there is no limit any more. */
const UNLIMITED_PER_SECOND = 1_000;

/**
 * Feeds the outbox to one connection through a gate, which holds back but stores nothing: each task takes its
 * message when it starts, so the outbox stays the only queue.
 */
export class Replayer {
  readonly #outbox: Outbox;
  readonly #target: ReplayTarget;
  readonly #bounds: ReplayBounds;
  readonly #clock: Clock;
  readonly #createGate: CreateGate;
  #run: AbortController | undefined;
  #running = false;
  #isShort = false;
  #nextSendAt = 0;
  /** Messages per second after the broker pushed back, and when it last did. */
  #cap = Number.POSITIVE_INFINITY;
  #cappedAt = Number.NEGATIVE_INFINITY;
  /** The second that is being counted, and the messages sent in it and in the one before. */
  #second = 0;
  #sent = 0;
  #sentBefore = 0;

  constructor(
    outbox: Outbox,
    target: ReplayTarget,
    bounds: ReplayBounds,
    clock: Clock,
    createGate: CreateGate,
  ) {
    this.#outbox = outbox;
    this.#target = target;
    this.#bounds = bounds;
    this.#clock = clock;
    this.#createGate = createGate;
  }

  /** Begins to send on a connection that is ready. */
  start(receiveMaximum: number): void {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    const gate = this.#createGate(Math.min(this.#bounds.concurrency, receiveMaximum));
    this.#wake = () => {
      if (this.#running || !this.#outbox.first) return;
      this.#running = true;
      void this.#feed(gate, run.signal);
    };
    this.#wake();
  }

  /** Whether the next message waits for nothing but a place in the broker's window. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** Stops sending; what was not sent stays in the outbox. */
  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#running = false;
    this.#isShort = false;
    this.#wake = () => {};
  }

  /**
   * The broker pushed back: from now on half the rate of the last seconds, and twice as much again after each quiet
   * while (R178). What is refused in one go counts once.
   */
  slowDown(): void {
    const now = this.#clock.now();
    if (now - this.#cappedAt < PUSH_BACK_GAP_MS) return;
    this.#count(0);
    const rate = Math.max(this.#sent, this.#sentBefore) || this.#bounds.concurrency;
    this.#cap = Math.max(1, Math.min(rate, this.#perSecond) / 2);
    this.#cappedAt = now;
  }

  /** Messages per second that may be sent now. */
  get #perSecond(): number {
    const { perSecond } = this.#bounds;
    if (this.#cap === Number.POSITIVE_INFINITY) return perSecond;
    const quiet = Math.floor((this.#clock.now() - this.#cappedAt) / RECOVERY_MS);
    const cap = this.#cap * 2 ** quiet;
    if (cap > UNLIMITED_PER_SECOND) this.#cap = Number.POSITIVE_INFINITY;
    return Math.min(perSecond, cap);
  }

  #count(messages: number): void {
    const second = Math.floor(this.#clock.now() / 1_000);
    if (second !== this.#second) {
      this.#sentBefore = second === this.#second + 1 ? this.#sent : 0;
      this.#second = second;
      this.#sent = 0;
    }
    this.#sent += messages;
  }

  /** Tells that the outbox got a message. */
  wake(): void {
    this.#wake();
  }

  #wake: () => void = () => {};

  async #feed(gate: Gate, signal: AbortSignal): Promise<void> {
    while (this.#outbox.first) {
      await gate.room();
      await this.#pace(signal);
      while (!signal.aborted && this.#outbox.first && !this.#target.hasQuota(this.#outbox.first)) {
        this.#isShort = true;
        await this.#target.quotaChanged();
      }
      if (signal.aborted) return;
      // The signal is asked, not handed over: a listener on it for every message would hang there.
      gate.pass(() => (signal.aborted ? Promise.resolve() : this.#sendNext()));
    }
    // In the same turn as the look at the outbox: what comes later wakes us again.
    if (!signal.aborted) this.#running = false;
  }

  #sendNext(): Promise<void> {
    const message = this.#outbox.first;
    if (!message || !this.#target.hasQuota(message)) {
      this.#isShort = false;
      this.#target.gaveWay();
      return Promise.resolve();
    }
    this.#outbox.take(message);
    this.#isShort = false;
    this.#count(1);
    return this.#target.send(message);
  }

  async #pace(signal: AbortSignal): Promise<void> {
    const perSecond = this.#perSecond;
    if (perSecond === Number.POSITIVE_INFINITY) return;
    const wait = this.#nextSendAt - this.#clock.now();
    if (wait > 0) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#clock.clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = this.#clock.setTimeout(done, wait);
        signal.addEventListener('abort', done);
      });
    }
    if (!signal.aborted) this.#nextSendAt = this.#clock.now() + 1_000 / perSecond;
  }
}
