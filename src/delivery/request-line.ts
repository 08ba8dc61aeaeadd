/** SUBSCRIBE and UNSUBSCRIBE on their way to one broker: at once, or one at a time while one of them is suspected. */
import type { FailoverError } from '../errors.js';
import type { Clock, Timer } from '../platform/ports.js';
import { CAUSE_WINDOW_MS, type Judgement, mayBeOurDoing, Suspects } from './suspects.js';

/** One packet to send. */
export interface Sending<Item> {
  /** What is in it, as far as it can be suspected. */
  readonly items: readonly Item[];
  /** Writes it. `answered` must be called when the broker has answered. */
  send(answered: () => void): void;
}

/** Puts packets on the wire and judges them by the end of the link (R92). */
export class RequestLine<Item extends object> {
  readonly #clock: Clock;
  readonly #suspects: Suspects<Item>;
  #queue: Sending<Item>[] = [];
  /** What is on the wire unanswered, and since when. */
  readonly #unanswered = new Map<Sending<Item>, number>();
  #held = false;
  #trial: { readonly sending: Sending<Item>; readonly timer: Timer } | undefined;

  /** @param isOpen - Whether an item still waits to be sent or answered. */
  constructor(clock: Clock, isOpen: (item: Item) => boolean) {
    this.#clock = clock;
    this.#suspects = new Suspects(isOpen);
  }

  /** Whether something must be sent alone. */
  get cautious(): boolean {
    return this.#suspects.any;
  }

  /** Whether `item` must be sent alone. */
  suspects(item: Item): boolean {
    return this.#suspects.has(item);
  }

  /** From now on `item` is sent alone, and the first link that ends over it proves it guilty. */
  suspect(item: Item): void {
    this.#suspects.suspect(item);
  }

  /** Sends as soon as it may be. */
  add(sending: Sending<Item>): void {
    this.#queue.push(sending);
    this.#pump();
  }

  /** Keeps back what comes from now on, or lets it go: something else must be alone on the wire. */
  hold(held: boolean): void {
    this.#held = held;
    this.#pump();
  }

  /**
   * The link is gone, and what was on it; nothing of it is kept here.
   *
   * @param end - How it ended, unless we left it.
   */
  linkDown(end?: FailoverError): Judgement<Item> {
    const since = this.#clock.now() - CAUSE_WINDOW_MS;
    const recent = [...this.#unanswered].filter(([, sentAt]) => sentAt > since);
    this.#queue = [];
    this.#unanswered.clear();
    this.#held = false;
    this.#endTrial();
    if (!end || !mayBeOurDoing(end)) return { suspected: false, culprit: undefined };
    return this.#suspects.linkEnded(recent.flatMap(([{ items }]) => items));
  }

  #pump(): void {
    while (this.#queue.length > 0 && !this.#held && !this.#trial) {
      const sending = this.#queue.shift() as Sending<Item>;
      this.#unanswered.set(sending, this.#clock.now());
      if (this.cautious) this.#beginTrial(sending);
      sending.send(() => {
        if (!this.#unanswered.delete(sending)) return;
        this.#acquit(sending);
      });
    }
  }

  /** It is innocent once it is answered, or the link has outlived it for a while. */
  #beginTrial(sending: Sending<Item>): void {
    const timer = this.#clock.setTimeout(() => this.#acquit(sending), CAUSE_WINDOW_MS);
    this.#trial = { sending, timer };
  }

  #acquit(sending: Sending<Item>): void {
    for (const item of sending.items) this.#suspects.acquit(item);
    if (this.#trial?.sending !== sending) return;
    this.#endTrial();
    this.#pump();
  }

  #endTrial(): void {
    if (this.#trial) this.#clock.clearTimeout(this.#trial.timer);
    this.#trial = undefined;
  }
}
