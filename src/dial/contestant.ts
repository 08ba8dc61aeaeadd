/** What takes part in a race, and how it learns that it has lost. */

/** One that takes part; the first in the list is preferred. */
export interface Contestant<Way, Prize> {
  /** Called once, when its turn has come; its deadline does not run yet. A rejection is its end. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Its ways, best first. A rejection is its end. */
  ways(signal: AbortSignal): Promise<readonly [Way, ...Way[]]>;
  /** Goes one way. Aborting `signal` gives back whatever it holds. */
  go(way: Way, signal: AbortSignal): Promise<Prize>;
  /** Every way has failed, or its time is over. Called at most once, and never after the race. */
  lost(defeat: Defeat<Way>): void;
  /** Nothing of it is under way any more: it has lost, or the race is over. Called once if `prepare` was. */
  leave(): void;
  /** Takes a prize that came too late. */
  discard(prize: Prize): void;
}

/** Why a contestant has lost. */
export interface Defeat<Way> {
  /** Whether its deadline passed. */
  readonly timedOut: boolean;
  readonly failures: readonly WayFailure<Way>[];
}

/** What became of one way. */
export interface WayFailure<Way> {
  /** `undefined` when it failed before any way was known. */
  readonly way: Way | undefined;
  /** `undefined` when there was no answer while it was waited for. */
  readonly error: unknown;
}
