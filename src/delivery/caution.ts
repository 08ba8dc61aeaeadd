/** Sends one message at a time while one of them is suspected to end connections (R92). */
import type { FailoverError } from '../errors.js';
import type { Clock, Timer } from '../platform/ports.js';
import type { InFlightEntry } from './in-flight.js';
import type { Message } from './message.js';
import { CAUSE_WINDOW_MS, type Judgement, mayBeOurDoing, Suspects } from './suspects.js';

const NOTHING: Judgement<never> = { suspected: false, culprit: undefined };

/**
 * Tries messages one by one, from the beginning of a link until nobody is suspected any more, or the link ends.
 *
 * What is alone on the wire is innocent once it is answered, or the link has outlived it for a while.
 */
export class Caution {
  readonly #suspects = new Suspects<Message>(({ settled }) => !settled);
  readonly #clock: Clock;
  readonly #onOutlived: () => void;
  #isOn = false;
  #trial: { readonly message: Message; readonly timer: Timer } | undefined;

  /** @param onOutlived - Called when a trial ends without an answer. */
  constructor(clock: Clock, onOutlived: () => void) {
    this.#clock = clock;
    this.#onOutlived = onOutlived;
  }

  /** Whether one message at a time may be on the wire, and nothing else. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Whether that one is there now. */
  get isTrying(): boolean {
    return this.#isOn && this.#trial !== undefined;
  }

  linkUp(): void {
    this.#isOn = this.#suspects.any;
  }

  /** Ends when nobody is suspected any more; returns whether it did so now. */
  relax(): boolean {
    if (!this.#isOn || this.#suspects.any) return false;
    this.#isOn = false;
    return true;
  }

  /** `message` is being written to the link. */
  sending(message: Message): void {
    if (!this.#isOn) return;
    const outlived = () => {
      this.answered(message);
      this.#onOutlived();
    };
    this.#trial = { message, timer: this.#clock.setTimeout(outlived, CAUSE_WINDOW_MS) };
  }

  /** `message` is not on the wire any more. */
  answered(message: Message): void {
    if (this.#trial?.message !== message) return;
    this.#endTrial();
    this.#suspects.withstood(message);
  }

  /**
   * @param end - How the link ended, unless we left it.
   * @param onTheWire - What was sent on it, or before, and has no final answer, in the order of sending.
   */
  linkDown(end: FailoverError | undefined, onTheWire: readonly InFlightEntry[]): Judgement<InFlightEntry> {
    this.#endTrial();
    this.#isOn = false;
    if (!end || !mayBeOurDoing(end)) return NOTHING;
    const since = this.#clock.now() - CAUSE_WINDOW_MS;
    const recent = onTheWire.filter(({ message }) => message.sentAt > since);
    // What has PUBREC was taken, by a broker that went on.
    const likeliest = recent.find(({ packet }) => packet.cmd === 'publish')?.message;
    const messages = recent.map(({ message }) => message);
    const { suspected, culprit } = this.#suspects.linkEnded(messages, likeliest);
    return { suspected, culprit: recent.find(({ message }) => message === culprit) };
  }

  #endTrial(): void {
    if (this.#trial) this.#clock.clearTimeout(this.#trial.timer);
    this.#trial = undefined;
  }
}
