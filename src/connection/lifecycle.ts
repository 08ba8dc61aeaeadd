/** What a page's life means for its connection: ask, and never tear down blindly (R158–R160). */

import type { PageSignal, Signals } from '../platform/page.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { Session } from '../session/session.js';
import type { Supervisor } from './supervisor.js';

export interface LifecycleDeps {
  readonly signals: Signals;
  readonly session: Pick<Session, 'isOpen' | 'probe'>;
  readonly supervisor: Pick<Supervisor, 'state' | 'pause' | 'retryNow'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Milliseconds for the answer of a link that may have died while nobody looked. */
const PROBE_MS = 5_000;
/** Milliseconds over which the attempts of all who got the network back together are spread. */
const SPREAD_MS = 1_000;

const REASONS: Readonly<Record<Exclude<PageSignal, 'offline'>, string>> = {
  online: 'the network is back',
  visible: 'the page is visible again',
  resumed: 'the page has been resumed',
};

/** Listens to a page while its client runs. */
export class Lifecycle {
  readonly #deps: LifecycleDeps;
  #unlisten: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#unlisten ??= this.#deps.signals.listen((signal) => this.#heard(signal));
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#disarm();
  }

  #heard(signal: PageSignal): void {
    const { session, supervisor } = this.#deps;
    if (signal === 'offline') {
      this.#disarm();
      supervisor.pause('the runtime says that there is no network');
    } else if (session.isOpen) session.probe(PROBE_MS);
    else if (this.#deps.signals.isOnline) this.#retrySoon(REASONS[signal]);
  }

  /** A wait for a network that was not there is over; one that a broker asked for, or a twin, is not. */
  #retrySoon(reason: string): void {
    const { clock, random, supervisor } = this.#deps;
    this.#timer ??= clock.setTimeout(() => {
      this.#timer = undefined;
      if (supervisor.state === 'backoff' || supervisor.state === 'paused') supervisor.retryNow(reason);
    }, random.next() * SPREAD_MS);
  }

  #disarm(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
