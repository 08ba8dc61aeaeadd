/** Who hears of links: those who use them, and those who only watch. */

import type { FailoverError } from '../errors.js';
import type { Link } from '../session/link.js';

/** What the supervisor tells those who use links. */
export interface LinkObserver {
  linkUp(link: Link): void;
  /**
   * @param end - How the link ended, unless we left it ourselves.
   * @returns whether something that we sent is suspected to have ended it: then the endpoint is not to blame (R92).
   */
  linkDown(end?: FailoverError): boolean;
  /** Holds publishes back; resolves with whether everything sent was acknowledged in time. */
  quiesce(): Promise<boolean>;
  /** Ends {@link quiesce} when the link stays. */
  resume(): void;
}

/** What the supervisor tells those who only watch links. */
export interface LinkWatcher {
  linkUp(link: Link): void;
  /** @param end - How the link ended, unless we left it ourselves. */
  linkDown(end?: FailoverError): void;
}

/** Tells one user of links and any number of watchers: of a new link the user first, of its end the watchers. */
export class LinkAudience {
  readonly #user: LinkObserver;
  readonly #watchers: LinkWatcher[] = [];
  #link: Link | undefined;

  constructor(user: LinkObserver) {
    this.#user = user;
  }

  /** Tells `watcher` from now on. */
  add(watcher: LinkWatcher): void {
    this.#watchers.push(watcher);
  }

  /** A link is there. */
  linkUp(link: Link): void {
    this.#link = link;
    this.#user.linkUp(link);
    // A listener of the application may have ended the client in between.
    for (const watcher of this.#watchers) if (this.#link === link) watcher.linkUp(link);
  }

  /** See {@link LinkObserver.linkDown}. */
  linkDown(end?: FailoverError): boolean {
    this.#link = undefined;
    for (const watcher of this.#watchers) watcher.linkDown(end);
    return this.#user.linkDown(end);
  }
}
