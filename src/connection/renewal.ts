/** Connects anew before credentials expire on a live link, so that no broker has to cut it (R124). */
import { LONGEST_TIMER_MS } from '../platform/longest-timer.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { Link } from '../session/link.js';

/** What renewal needs of the rest. */
export interface RenewalDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Moves the link to a new connection to the same endpoint; rejects if that did not come about. */
  readonly renew: (reason: string) => Promise<void>;
}

/** Part of the remaining life after which a link is renewed: somewhere between the two, as tokens of a fleet expire together. */
const EARLIEST = 0.8;
const LATEST = 0.95;
/** Milliseconds of life that are too few to bother: the broker's cut and its reconnection are as quick. */
const LEAST_LIFE_MS = 2_000;

/** Watches the `expiresAt` of the credentials that a link was made with. */
export class Renewal {
  readonly #deps: RenewalDeps;
  #timer: Timer | undefined;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
  }

  /** A link is there. */
  linkUp({ expiresAt }: Pick<Link, 'expiresAt'>): void {
    this.linkDown();
    if (expiresAt !== undefined) this.#schedule(expiresAt);
  }

  /** The link is gone, and with it what there was to renew. */
  linkDown(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(expiresAt: number): void {
    const { clock, random } = this.#deps;
    const life = expiresAt - clock.wallNow();
    if (life < LEAST_LIFE_MS) return;
    const share = EARLIEST + (LATEST - EARLIEST) * random.next();
    const timer = clock.setTimeout(
      () => {
        // Not there yet, only at the end of the longest timer.
        if (life * share > LONGEST_TIMER_MS) this.#schedule(expiresAt);
        else this.#renew(timer, expiresAt);
      },
      Math.min(life * share, LONGEST_TIMER_MS),
    );
    this.#timer = timer;
  }

  #renew(timer: Timer, expiresAt: number): void {
    this.#deps.renew('its credentials are about to expire').catch(() => {
      // The link still stands with what is left of its life; a new link has its own.
      if (this.#timer === timer) this.#schedule(expiresAt);
    });
  }
}
