/** Two clients with one id take the session from each other for ever, unless one of them steps back (R88–R91). */
import type { Clock, Random } from '../platform/ports.js';

/** A take-over that follows another within this many milliseconds is a duel; one alone is a hand-over race. */
const DUEL_WINDOW_MS = 60_000;
/** Milliseconds of the first hold-off, and of the longest. */
const HOLD_MS = 60_000;
const MAX_HOLD_MS = 900_000;
/** A link that held this many milliseconds ends a duel; a shorter success proves nothing (R89). */
export const PEACE_MS = 300_000;
/** MQTT 3.1.1 has no "taken over": this many young links in the window, closed without a word, look the same. */
const SILENT_CLOSES = 3;

/** Tells a duel from a hand-over, and says how long to step back. */
export class Conflict {
  readonly #clock: Clock;
  readonly #random: Random;
  #takenOverAt: number | undefined;
  #ghostUntil = Number.NEGATIVE_INFINITY;
  #holds = 0;
  /** Endpoints that closed a young link without a word, and have not shown since whether they live. */
  #unexplained: Map<string, number> | undefined;
  /** When those were that live. */
  #silentCloses: number[] = [];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** An endpoint did not answer CONNECT in time: if it does so later, the take-over is by our own ghost. */
  connackMissed(): void {
    this.#ghostUntil = this.#clock.now() + DUEL_WINDOW_MS;
  }

  /** An endpoint could not be reached: its silent close was its death, and no twin's doing. */
  endpointDied(id: string): void {
    this.#unexplained?.delete(id);
  }

  /** An endpoint accepted us: it lives, so its silent close was meant for us. */
  accepted(id: string): void {
    const closedAt = this.#unexplained?.get(id);
    this.#unexplained?.delete(id);
    if (closedAt !== undefined) this.#silentCloses.push(closedAt);
  }

  /**
   * The session was taken over.
   *
   * @returns the milliseconds to hold off, or `undefined` to connect again as after any loss.
   */
  takenOver(heldMs: number): number | undefined {
    const now = this.#clock.now();
    if (heldMs >= PEACE_MS) this.#holds = 0;
    if (now < this.#ghostUntil) {
      this.#ghostUntil = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    const last = this.#takenOverAt;
    this.#takenOverAt = now;
    // After a hold-off the next take-over is the same duel, however long the hold was.
    const duel = this.#holds > 0 || (last !== undefined && now - last < DUEL_WINDOW_MS);
    return duel ? this.#hold() : undefined;
  }

  /**
   * As {@link takenOver}, for a young MQTT 3.1.1 link that `id` closed without a word. Such a close counts once the
   * endpoint has accepted us again; until then it may just have died.
   */
  closedSilently(id: string): number | undefined {
    const now = this.#clock.now();
    this.#unexplained ??= new Map();
    this.#unexplained.set(id, now);
    this.#silentCloses = this.#silentCloses.filter((at) => now - at < DUEL_WINDOW_MS);
    return this.#silentCloses.length + 1 < SILENT_CLOSES ? undefined : this.#hold();
  }

  /** The user insists, or a link held long enough: start from the beginning. */
  reset(): void {
    this.#takenOverAt = undefined;
    this.#holds = 0;
    this.#silentCloses = [];
    this.#unexplained = undefined;
  }

  #hold(): number {
    const range = Math.min(MAX_HOLD_MS, HOLD_MS * 2 ** this.#holds);
    this.#holds += 1;
    // Half of it at least: two twins that drew the same would meet again.
    return range * (0.5 + 0.5 * this.#random.next());
  }
}
