/** One leader among the tabs: whoever holds the lock. A leader that is silent is robbed of it (R183). */
import type { HeldLock, Locks } from '../platform/page.js';
import type { Clock, Random, Timer } from '../platform/ports.js';

export interface ElectionDeps {
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  /** Name of the lock. */
  readonly name: string;
  /** This tab leads from now on, until it hears that the lock is lost. */
  readonly elected: (lock: HeldLock) => void;
  /** Asks the leader for a sign of life. */
  readonly ask: () => void;
}

/** Milliseconds of silence after which the leader is asked, and after which it is robbed, plus a draw of the last. */
const ASK_AFTER_MS = 8_000;
const STEAL_AFTER_MS = 10_000;
const STEAL_SPREAD_MS = 2_000;
/** Milliseconds between looks, and for the answer of a leader whose timers are slowed down. */
const LOOK_MS = 2_000;

/**
 * Stands for leader, for ever.
 *
 * The browser gives the lock of a tab that is closed or has crashed to the next in line. One that is frozen keeps it, so
 * silence is the sign. Timers here and there may be a minute late, so silence alone proves nothing: the leader is asked
 * first, and messages are never slowed down.
 */
export class Election {
  readonly #deps: ElectionDeps;
  #candidacy: AbortController | undefined;
  #heardAt = 0;
  #askedAt: number | undefined;
  #stealAfterMs = STEAL_AFTER_MS;
  #timer: Timer | undefined;

  constructor(deps: ElectionDeps) {
    this.#deps = deps;
  }

  /** Stands, from the start or again after the lock was lost. */
  stand(): void {
    const { locks, name, clock, random } = this.#deps;
    this.stop();
    this.#heardAt = clock.now();
    // Tabs that steal at once would rob each other.
    this.#stealAfterMs = STEAL_AFTER_MS + random.next() * STEAL_SPREAD_MS;
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    this.#won(candidacy, locks.acquire(name, candidacy.signal, 'wait'));
    this.#look();
  }

  /** Stands no more. */
  stop(): void {
    this.#candidacy?.abort();
    this.#candidacy = undefined;
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#askedAt = undefined;
  }

  /** The leader gave a sign of life. */
  heard(): void {
    this.#heardAt = this.#deps.clock.now();
    this.#askedAt = undefined;
  }

  #look(): void {
    this.#timer = this.#deps.clock.setTimeout(() => {
      const { clock, ask } = this.#deps;
      const now = clock.now();
      const silentMs = now - this.#heardAt;
      if (this.#askedAt === undefined) {
        if (silentMs >= ASK_AFTER_MS) {
          this.#askedAt = now;
          ask();
        }
      } else if (silentMs >= this.#stealAfterMs && now - this.#askedAt >= LOOK_MS) {
        this.#steal();
        return;
      }
      this.#look();
    }, LOOK_MS);
  }

  #steal(): void {
    const { locks, name } = this.#deps;
    this.stop();
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    this.#won(candidacy, locks.acquire(name, candidacy.signal, 'steal'));
  }

  #won(candidacy: AbortController, lock: Promise<HeldLock>): void {
    lock.then(
      async (held) => {
        // A page that was frozen when its turn came may have been robbed before it could know.
        const isOurs = await held.isHeld();
        if (this.#candidacy !== candidacy) held.release();
        else if (!isOurs) this.stand();
        else {
          this.stop();
          this.#deps.elected(held);
        }
      },
      () => {
        // Stopped; or robbed while it was being granted, and then whoever has the lock is heard or robbed in turn.
        if (this.#candidacy === candidacy) this.stand();
      },
    );
  }
}
