/** The wait between passes: a floor for one client, jitter for the fleet. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backoffDelay } from '../../../src/health/backoff.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';

fc.configureGlobal({ seed: 1 });

const bounds = { minMs: 1_000, baseMs: 2_000, maxMs: 30_000 };

describe('backoff', () => {
  test('doubles the range of the draw with every failed pass up to maxMs', () => {
    const middle = [1, 2, 3, 4, 5, 6, 50, 5_000].map((n) => backoffDelay(bounds, n, fixedRandom(0.5)));
    assert.deepEqual(middle, [2_000, 3_000, 5_000, 9_000, 16_000, 16_000, 16_000, 16_000]);
  });

  test('lies between minMs and maxMs whatever the bounds, the pass and the draw', () => {
    const ms = fc.integer({ min: 0, max: 600_000 });
    fc.assert(
      fc.property(
        ms,
        ms,
        ms,
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (a, baseMs, b, pass, draw) => {
          const [minMs, maxMs] = [Math.min(a, b), Math.max(a, b)];
          const delay = backoffDelay({ minMs, baseMs, maxMs }, pass, fixedRandom(draw));
          assert.ok(delay >= minMs && delay <= maxMs, `${delay}`);
        },
      ),
    );
  });

  test('is uniform over its range (Kolmogorov-Smirnov, 10 000 draws)', () => {
    const random = new SeededRandom(11);
    const n = 10_000;
    const draws = Array.from({ length: n }, () => backoffDelay(bounds, 3, random)).sort((a, b) => a - b);
    const distance = draws.reduce((worst, delay, i) => {
      const share = (delay - bounds.minMs) / 8_000;
      return Math.max(worst, Math.abs(share - i / n), Math.abs(share - (i + 1) / n));
    }, 0);
    assert.ok(distance < 1.63 / Math.sqrt(n), `${distance}`);
  });
});
