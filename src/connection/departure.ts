/**
 * Leaves an endpoint that the operator takes away: one that is draining, down, or no longer listed (R23, R45, R142).
 *
 * Never a cut: the move opens its new transport before it leaves the old link. Each client goes at its own slot, a
 * hash of its id, so that a fleet leaves evenly; where nothing else can be reached it stays, and tries again.
 */
import type { Endpoint } from '../endpoint.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { LeaveWord } from '../selection/candidates.js';
import { hashShare } from '../selection/murmur3.js';
import type { MoveOptions } from './move.js';

/** What a departure needs of the rest. */
export interface DepartureDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly clientId: () => string;
  /** The endpoint in use. */
  readonly current: () => Endpoint | undefined;
  /** Why an endpoint is to be left, if it is. */
  readonly leaveWord: (endpoint: Endpoint) => LeaveWord | undefined;
  /** An endpoint as the list has it now. */
  readonly listed: (endpoint: Endpoint) => Endpoint | undefined;
  /** Where to go, best first. */
  readonly eligible: () => readonly Endpoint[];
  /** Milliseconds over which the operator wants a fleet to spread, where the source of the list says so (R148). */
  readonly hintMs: () => number | undefined;
  /** Milliseconds over which clients spread that must go at once: `backoff.spreadMs`. */
  readonly spreadMs: number;
  readonly move: (to: string, reason: string, options: MoveOptions) => Promise<void>;
  /** A departure came about. */
  readonly moved: () => void;
}

/** Milliseconds over which the clients of an endpoint leave it, where nobody says otherwise. */
const WINDOW_MS = 60_000;
/** The longest window that a list can ask for (R148): it comes from outside. */
const MAX_HINT_MS = 600_000;
/** Milliseconds until the next attempt after one that failed; doubles up to the maximum. */
const RETRY_MS = 5_000;
const MAX_RETRY_MS = 60_000;
/** Share by which that wait is varied. */
const RETRY_JITTER = 0.2;

const REASONS: Readonly<Record<LeaveWord, string>> = {
  draining: 'the endpoint is draining',
  down: 'the list says that the endpoint is down',
  unlisted: 'the endpoint left the list',
};

/** Watches the operator's word on the endpoint in use. */
export class Departure {
  readonly #deps: DepartureDeps;
  /** Set while a link is up. */
  #abort: AbortController | undefined;
  #timer: Timer | undefined;
  /** What we are about to obey, and since when on the monotonic clock. */
  #order: { readonly id: string; readonly word: LeaveWord; readonly since: number } | undefined;
  #isTrying = false;
  /** Attempts in a row that came to nothing. */
  #failures = 0;

  constructor(deps: DepartureDeps) {
    this.#deps = deps;
  }

  /** A link is there. */
  linkUp(): void {
    this.linkDown();
    this.#abort = new AbortController();
    this.listChanged();
  }

  /** The link is gone: there is nothing to leave. */
  linkDown(): void {
    this.#disarm();
    this.#abort?.abort();
    this.#abort = undefined;
    this.#order = undefined;
  }

  /** The list changed, and with it perhaps the word on our endpoint. */
  listChanged(): void {
    const current = this.#deps.current();
    if (!this.#abort || this.#isTrying || !current) return;
    const word = this.#deps.leaveWord(current);
    this.#disarm();
    if (!word) {
      this.#order = undefined;
      this.#failures = 0;
      return;
    }
    const now = this.#deps.clock.now();
    const { id } = current;
    if (this.#order?.id !== id || this.#order.word !== word) this.#order = { id, word, since: now };
    const due = this.#order.since + this.#slotMs(current, word);
    this.#arm(Math.max(due - now, this.#failures > 0 ? this.#retryMs() : 0));
  }

  #arm(delayMs: number): void {
    const { signal } = this.#abort as AbortController;
    this.#timer = this.#deps.clock.setTimeout(() => {
      this.#timer = undefined;
      void this.#leave(signal);
    }, delayMs);
  }

  #disarm(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Milliseconds from the order to this client's slot: the same share of every window for the same client (R6). */
  #slotMs(current: Endpoint, word: LeaveWord): number {
    const { clock, clientId, hintMs, listed, spreadMs } = this.#deps;
    const hint = Math.min(hintMs() ?? WINDOW_MS, MAX_HINT_MS);
    const drainBy = listed(current)?.drainBy;
    // From the order on, as the slot is: time that has passed since shortens both.
    const waited = clock.now() - (this.#order?.since ?? clock.now());
    const leftMs = drainBy === undefined ? Number.POSITIVE_INFINITY : drainBy - clock.wallNow() + waited;
    const isLate = word === 'down' || leftMs <= 0;
    // A hint widens the spread of those who must go now, and never narrows it.
    const atOnce = hintMs() === undefined ? spreadMs : Math.max(spreadMs, hint);
    return hashShare(clientId()) * (isLate ? atOnce : Math.min(leftMs, hint));
  }

  #retryMs(): number {
    const base = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(this.#failures - 1, 16));
    return base * (1 + RETRY_JITTER * (2 * this.#deps.random.next() - 1));
  }

  /** Tries one endpoint after another until a move comes about, or the link is another one. */
  async #leave(signal: AbortSignal): Promise<void> {
    const { current, eligible, leaveWord, move, moved } = this.#deps;
    const from = current();
    const word = from && leaveWord(from);
    if (!word) return;
    let hasLeft = false;
    this.#isTrying = true;
    try {
      for (const { id } of eligible()) {
        if (signal.aborted) break;
        if (id === from.id) continue;
        hasLeft = await move(id, REASONS[word], { event: 'move', patient: false }).then(
          () => true,
          () => false,
        );
        if (!hasLeft) continue;
        moved();
        break;
      }
    } finally {
      this.#isTrying = false;
    }
    this.#failures = hasLeft ? 0 : this.#failures + 1;
    // Link and list may have changed meanwhile: what is up now may be another endpoint to leave, or the same again.
    this.listChanged();
  }
}
