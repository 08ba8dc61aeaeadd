/**
 * The estimate behind every liveness deadline: RFC 6298 in a dozen lines, checked against its own formulas.
 *
 * World: numbers only.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoundTrip } from '../../../src/session/round-trip.js';
import { SeededRandom } from '../../support/seeded-random.js';

const FLOOR = 1_000;
const CEILING = 10_000;

function after(samples: readonly number[]): RoundTrip {
  const roundTrip = new RoundTrip();
  for (const sample of samples) roundTrip.sample(sample);
  return roundTrip;
}

function near(actual: number | undefined, expected: number, by = 1e-6): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) <= by, `${actual} is not near ${expected}`);
}

describe('RoundTrip', () => {
  it('knows nothing before the first sample, and says the floor', () => {
    const roundTrip = new RoundTrip();
    assert.equal(roundTrip.smoothedMs, undefined);
    assert.equal(roundTrip.timeoutMs(FLOOR, CEILING), FLOOR);
  });

  it('takes the first sample as it is, with half of it as variation (RFC 6298, 2.2)', () => {
    const roundTrip = after([500]);
    assert.equal(roundTrip.smoothedMs, 500);
    assert.equal(roundTrip.timeoutMs(0, CEILING), 500 + 4 * 250);
  });

  it('moves by an eighth and a quarter, the variation first (RFC 6298, 2.3)', () => {
    const roundTrip = after([500, 900]);
    near(roundTrip.smoothedMs, (7 / 8) * 500 + (1 / 8) * 900);
    near(roundTrip.timeoutMs(0, CEILING), 550 + 4 * ((3 / 4) * 250 + (1 / 4) * 400));
  });

  it('comes down to the round trip itself on a steady link', () => {
    const roundTrip = after([800, ...Array.from({ length: 100 }, () => 40)]);
    near(roundTrip.smoothedMs, 40, 1);
    near(roundTrip.timeoutMs(0, CEILING), 40, 1);
  });

  it('says neither less than the floor nor more than the ceiling', () => {
    assert.equal(after([3]).timeoutMs(FLOOR, CEILING), FLOOR);
    assert.equal(after([60_000]).timeoutMs(FLOOR, CEILING), CEILING);
  });

  it('lets a ceiling below the floor win: deadlines never grow beyond it', () => {
    assert.equal(after([3]).timeoutMs(5_000, 2_000), 2_000);
  });

  it('covers the jitter of a mobile link: of 10 000 samples of 600 ± 500 ms fewer than 1 % come later', () => {
    const random = new SeededRandom(3);
    const roundTrip = new RoundTrip();
    let late = 0;
    for (let n = 0; n < 10_000; n += 1) {
      const sample = 100 + 1_000 * random.next();
      if (n > 20 && sample > roundTrip.timeoutMs(0, CEILING)) late += 1;
      roundTrip.sample(sample);
    }
    assert.ok(late < 100, `${late}`);
    near(roundTrip.smoothedMs, 600, 350);
  });
});
