/**
 * Randomness that repeats.
 *
 * Jitter and weighted choice are tested with the same numbers on every run; a failing seed is a test case.
 */
import type { Random } from '../../src/platform/ports.js';

export { SeededRandom } from '../../src/simulator/seeded-random.js';

/** A source that always says `value`: 0 and 0.999… are the two ends of every jitter. */
export function fixedRandom(value: number): Random {
  return { next: () => value };
}
