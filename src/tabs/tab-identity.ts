/** One client id for each tab: two tabs with one id would take the session from each other for ever (R183). */
import type { HeldLock, Locks, Page } from '../platform/page.js';
import type { Random } from '../platform/ports.js';
import type { Warning } from '../warnings.js';
import { ephemeralWarnings, randomText, type StoredId, storedId } from './stored-id.js';

/** Ids that one browser uses at most before it draws one; each is a session at the brokers. */
const MAX_SLOTS = 64;

/** The id of one client in one tab. */
export interface TabIdentity {
  /** The id to begin with; another tab may have it. */
  readonly presumed: string;
  /** Makes an id ours alone, until {@link release}; `undefined` when it was released meanwhile. */
  claim(): Promise<string | undefined>;
  /** Gives the id back. A later claim begins anew. */
  release(): void;
  /** What the application should know of its id, once claimed. */
  readonly warnings: readonly Warning[];
}

/** Makes the identities of the clients of one page. */
export class TabIdentities {
  readonly #page: Page;
  readonly #random: Random;
  #made = 0;

  constructor(page: Page, random: Random) {
    this.#page = page;
    this.#random = random;
  }

  /**
   * The identity of the next client.
   *
   * The first tab has the browser's id itself, the second the same with `-2`, and so on: the lowest that is free, and
   * after a reload the one it had. So a browser has few ids, however often it is used.
   *
   * @param clientId - The application's own, to be told apart by tab; left out, the one that the browser keeps.
   */
  next(clientId?: string): TabIdentity {
    this.#made += 1;
    const base = clientId === undefined ? storedId(this.#page.lasting, this.#random) : { id: clientId };
    return new SlotIdentity(base, `mqtt-failover:tab:${this.#made}`, this.#page, this.#random);
  }
}

class SlotIdentity implements TabIdentity {
  readonly #base: StoredId;
  readonly #key: string;
  readonly #page: Page;
  readonly #random: Random;
  #lock: HeldLock | undefined;
  #claim: Promise<string | undefined> | undefined;
  /** Which claim is the last. */
  #current: symbol | undefined;
  #ephemeral: string | undefined;

  constructor(base: StoredId, key: string, page: Page, random: Random) {
    this.#base = base;
    this.#key = key;
    this.#page = page;
    this.#random = random;
    this.#ephemeral = base.ephemeral;
  }

  get presumed(): string {
    return this.#idOf(this.#remembered() ?? 1);
  }

  get warnings(): readonly Warning[] {
    return ephemeralWarnings(this.#ephemeral);
  }

  claim(): Promise<string | undefined> {
    this.#claim ??= this.#take();
    return this.#claim;
  }

  release(): void {
    this.#claim = undefined;
    this.#current = undefined;
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #take(): Promise<string | undefined> {
    const { locks } = this.#page;
    const claim = Symbol();
    this.#current = claim;
    const found = locks
      ? await this.#takeSlot(locks)
      : 'there are no Web Locks here (is the page served by https?)';
    if (this.#current !== claim) {
      if (typeof found === 'object') found.lock.release();
      return undefined;
    }
    if (typeof found === 'string') {
      // What sessionStorage has may be the copy of another tab: only a fresh draw is ours alone.
      this.#ephemeral ??= found;
      return `${this.#base.id}-${randomText(this.#random, 4)}`;
    }
    this.#lock = found.lock;
    this.#remember(found.slot);
    return this.#idOf(found.slot);
  }

  async #takeSlot(locks: Locks): Promise<{ lock: HeldLock; slot: number } | string> {
    const remembered = this.#remembered();
    const slots = Array.from({ length: MAX_SLOTS }, (_, i) => i + 1);
    try {
      for (const slot of remembered === undefined ? slots : [remembered, ...slots]) {
        const lock = await locks.take(`mqtt-failover:id:${this.#idOf(slot)}`);
        if (lock) return { lock, slot };
      }
      return `${MAX_SLOTS} tabs of this browser have one already`;
    } catch (error) {
      return `Web Locks cannot be used (${(error as Error).name})`;
    }
  }

  #idOf(slot: number): string {
    return slot === 1 ? this.#base.id : `${this.#base.id}-${slot}`;
  }

  #remembered(): number | undefined {
    try {
      const slot = Number(this.#page.perTab.get(this.#key));
      return Number.isInteger(slot) && slot >= 1 && slot <= MAX_SLOTS ? slot : undefined;
    } catch {
      // The lock alone decides; this is only which one to try first.
      return undefined;
    }
  }

  #remember(slot: number): void {
    try {
      this.#page.perTab.set(this.#key, String(slot));
    } catch {
      // As above.
    }
  }
}
