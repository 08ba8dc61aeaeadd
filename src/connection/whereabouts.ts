/** Where the client came from: what the next pass is to know of the last link, and what a `failover` tells. */
import type { FailoverEvents } from '../events.js';
import type { Link } from '../session/link.js';
import type { PassBias } from './pass.js';

/** A link that ended without our doing. */
export interface LostLink {
  readonly id: string;
  /** On the monotonic clock. */
  readonly at: number;
  readonly reason: string;
  /** Whether its endpoint is to be tried last. */
  readonly shun: boolean;
  /** Milliseconds that its CONNACK took. */
  readonly connackMs?: number | undefined;
}

/** Remembers the last endpoint until a link is there again. */
export class Whereabouts {
  #lost: LostLink | undefined;
  #departed: string | undefined;
  #isAsked = false;

  /** A link ended. */
  lost(link: LostLink): void {
    this.#lost = link;
    this.#isAsked = false;
  }

  /** A planned move left an endpoint, which works. */
  departed(id: string): void {
    this.#departed = id;
  }

  /** We ended the link ourselves, and go nowhere in particular. */
  forget(): void {
    this.#lost = undefined;
    this.#departed = undefined;
  }

  /** The exceptions from the ranking that follow for the next pass; for those after it others may follow. */
  nextBias(): PassBias {
    if (this.#departed) return { first: this.#departed };
    if (!this.#lost) return {};
    const { id, shun, connackMs } = this.#lost;
    if (shun) return { last: id };
    const isFirst = !this.#isAsked;
    this.#isAsked = true;
    return isFirst && connackMs !== undefined ? { again: { id, connackMs } } : {};
  }

  /**
   * A link is there at the time `now`.
   *
   * @returns what to tell when it is a fail-over: the last link was lost, and to another endpoint.
   */
  arrived({ endpoint: { id }, resumed }: Link, now: number): FailoverEvents['failover'] | undefined {
    const lost = this.#lost;
    this.forget();
    if (!lost || lost.id === id) return undefined;
    return { from: lost.id, to: id, reason: lost.reason, offlineMs: now - lost.at, resumed };
  }
}
