/** How long to wait between passes over the endpoints. */
import type { Random } from '../platform/ports.js';

/** Bounds of the wait, all in milliseconds. */
export interface BackoffBounds {
  readonly minMs: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait after `failedPasses` fruitless passes: `minMs` + U(0, min(`maxMs`, `baseMs`·2ⁿ)), `maxMs` at most.
 *
 * A floor plus full jitter: the floor bounds the rate of one client, the jitter spreads a fleet (R144, anchors §2).
 *
 * @param failedPasses - Passes that failed since the last stable connection, the one just ended included; from 1 on.
 */
export function backoffDelay(bounds: BackoffBounds, failedPasses: number, random: Random): number {
  const range = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(failedPasses - 1, 30));
  return Math.min(bounds.maxMs, bounds.minMs + random.next() * range);
}
