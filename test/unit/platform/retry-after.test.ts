/** Retry-After is outside data: read in both forms of RFC 9110 §10.2.3, bounded, and never believed beyond reason. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRetryAfter } from '../../../src/platform/retry-after.js';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);

describe('Retry-After', () => {
  for (const [header, ms] of [
    ['120', 120_000],
    [' 7 ', 7_000],
    ['0', 1_000],
    ['1000000000', 3_600_000],
    ['9'.repeat(64), 3_600_000],
    ['Sat, 21 Nov 2026 12:02:00 GMT', 120_000],
    ['Saturday, 21-Nov-26 12:02:00 GMT', 120_000],
    ['Sat, 21 Nov 2020 12:02:00 GMT', 1_000],
    ['Sat, 21 Nov 2099 12:02:00 GMT', 3_600_000],
    ['9'.repeat(65), undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['tomorrow', undefined],
    ['2026-11-21', undefined],
    ['', undefined],
    [undefined, undefined],
    [['5'], undefined],
  ] as const) {
    it(`${JSON.stringify(header)?.slice(0, 40)} is ${ms === undefined ? 'no answer' : `${ms} ms`}`, () => {
      assert.equal(parseRetryAfter(header, undefined, NOW), ms);
    });
  }

  it('is counted from the Date of the same answer, so that a clock of 1970 does no harm', () => {
    const until = 'Sat, 21 Nov 2026 12:02:00 GMT';
    for (const wallNow of [0, NOW, NOW + 10 ** 12])
      assert.equal(parseRetryAfter(until, 'Sat, 21 Nov 2026 12:01:30 GMT', wallNow), 30_000);
    assert.equal(parseRetryAfter(until, 'yesterday', NOW), 120_000);
    assert.equal(parseRetryAfter('7', 'Sat, 21 Nov 2026 12:01:30 GMT', 0), 7_000);
  });
});
