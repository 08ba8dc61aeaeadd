/** Sends what waits in the outbox, in order, in a window. */
import PQueue from 'p-queue';
import type { Clock } from '../platform/ports.js';
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
}

/** See `OutboxOptions.replay`. */
export interface ReplayBounds {
  readonly concurrency: number;
  readonly perSecond: number;
}

/**
 * Feeds the outbox to one connection through a p-queue, which holds back but stores nothing: each task takes its
 * message when it starts, so the outbox stays the only queue.
 */
export class Replayer {
  readonly #outbox: Outbox;
  readonly #target: ReplayTarget;
  readonly #bounds: ReplayBounds;
  readonly #clock: Clock;
  #run: AbortController | undefined;
  #running = false;
  #nextSendAt = 0;

  constructor(outbox: Outbox, target: ReplayTarget, bounds: ReplayBounds, clock: Clock) {
    this.#outbox = outbox;
    this.#target = target;
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** Begins to send on a connection that is ready. */
  start(receiveMaximum: number): void {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    const queue = new PQueue({ concurrency: Math.min(this.#bounds.concurrency, receiveMaximum) });
    this.#wake = () => {
      if (this.#running || this.#outbox.size === 0) return;
      this.#running = true;
      void this.#feed(queue, run.signal);
    };
    this.#wake();
  }

  /** Stops sending; what was not sent stays in the outbox. */
  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#running = false;
    this.#wake = () => {};
  }

  /** Tells that the outbox got a message. */
  wake(): void {
    this.#wake();
  }

  #wake: () => void = () => {};

  async #feed(queue: PQueue, signal: AbortSignal): Promise<void> {
    while (this.#outbox.size > 0) {
      await queue.onSizeLessThan(1);
      await this.#pace(signal);
      while (!signal.aborted && this.#outbox.first && !this.#target.hasQuota(this.#outbox.first)) {
        await this.#target.quotaChanged();
      }
      if (signal.aborted) return;
      // The signal is asked, not handed over: p-queue would hang a listener on it for every message.
      void queue.add(() => (signal.aborted ? Promise.resolve() : this.#sendNext()));
    }
    // In the same turn as the look at the outbox: what comes later wakes us again.
    if (!signal.aborted) this.#running = false;
  }

  #sendNext(): Promise<void> {
    const message = this.#outbox.first;
    if (!message || !this.#target.hasQuota(message)) return Promise.resolve();
    this.#outbox.remove(message);
    return this.#target.send(message);
  }

  async #pace(signal: AbortSignal): Promise<void> {
    const { perSecond } = this.#bounds;
    if (perSecond === Number.POSITIVE_INFINITY) return;
    const wait = this.#nextSendAt - this.#clock.now();
    if (wait > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimeout(resolve, wait);
        signal.addEventListener('abort', () => {
          this.#clock.clearTimeout(timer);
          resolve();
        });
      });
    }
    if (!signal.aborted) this.#nextSendAt = this.#clock.now() + 1_000 / perSecond;
  }
}
