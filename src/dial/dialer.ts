/** Opening a transport to one of several endpoints. */
import type { DialTarget, Transport } from '../platform/ports.js';

/** The winner of a dial. */
export interface Dialed {
  /** Who won. */
  readonly target: DialTarget;
  /** Open, and nothing of MQTT was sent on it yet. */
  readonly transport: Transport;
  /** Milliseconds that it took to open, without the wait for its turn; left out by dialers that do not measure. */
  readonly tookMs?: number;
}

/** Reports that one candidate failed; the dial goes on with the others. */
export type DialFailure = (target: DialTarget, error: Error) => void;

/** Opens one transport out of a list of candidates. */
export interface Dialer {
  /**
   * Opens a transport to one of `targets`, with preference for the earlier ones, and closes every other one it opened.
   *
   * @param onFailure - Called for each candidate that failed, before the promise settles.
   * @returns the winner, or `undefined` when all candidates failed.
   * @throws the abort reason when `signal` is aborted; nothing is left open then.
   */
  dial(
    targets: readonly DialTarget[],
    signal: AbortSignal,
    onFailure: DialFailure,
  ): Promise<Dialed | undefined>;
}
