/** Who gets the next place in the broker's window: live publishes and the backlog take turns while both wait (R178). */
import type { Message } from './message.js';
import type { Outbox } from './outbox.js';

export interface TurnsDeps {
  readonly outbox: Outbox;
  /** Whether anything of this size and QoS may be sent now. */
  readonly hasPlace: (message: Message) => boolean;
  /** Whether the backlog waits for a place, and for nothing else: a pace that it keeps to is no claim. */
  readonly isBacklogShort: () => boolean;
  /** Sends a message that was taken from the outbox. */
  readonly send: (message: Message) => void;
}

/** Sends what is in the live lane, as far as it does not take the place of the backlog. */
export class Turns {
  readonly #deps: TurnsDeps;
  #isLiveNext = true;

  constructor(deps: TurnsDeps) {
    this.#deps = deps;
  }

  /** Whether a live publish need not wait at all; if so, it has had its turn. */
  mayPass(message: Message): boolean {
    const { outbox, hasPlace } = this.#deps;
    // QoS 0 takes no place.
    if (message.qos === 0) return hasPlace(message);
    if (outbox.firstLive || !this.#mayGo(message)) return false;
    this.#isLiveNext = false;
    return true;
  }

  /** A message of the backlog was sent. */
  replayed(): void {
    this.#isLiveNext = true;
    this.sendLive();
  }

  /** Sends live messages while it is their turn. */
  sendLive(): void {
    const { outbox, send } = this.#deps;
    for (let live = outbox.firstLive; live && this.#mayGo(live); live = outbox.firstLive) {
      this.#isLiveNext = false;
      outbox.take(live);
      send(live);
    }
  }

  #mayGo(message: Message): boolean {
    const { hasPlace, isBacklogShort } = this.#deps;
    return (this.#isLiveNext || !isBacklogShort()) && hasPlace(message);
  }
}
