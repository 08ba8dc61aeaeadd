// The clock of simulations keeps the order of time, also far beyond one turn of its wheel.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { runTurns } from '../../../src/platform/node-turns.js';
import type { Timer } from '../../../src/platform/ports.js';
import { VirtualTime } from '../../../src/simulator/virtual-time.js';

const runTo = (time: VirtualTime, end: number) => {
  while (time.step(end));
};

describe('VirtualTime', () => {
  it('fires by due time, those due together in the order they were armed, and none that is disarmed', () => {
    const wait = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 60_000 }));
    fc.assert(
      fc.property(fc.array(fc.record({ wait, isKept: fc.boolean() }), { maxLength: 60 }), (timers) => {
        const time = new VirtualTime();
        const fired: { n: number; at: number }[] = [];
        const handles = timers.map(({ wait: ms }, n) =>
          time.setTimeout(() => fired.push({ n, at: time.now() }), ms),
        );
        for (const [n, { isKept }] of timers.entries()) if (!isKept) time.clearTimeout(handles[n] as Timer);
        runTo(time, 100_000);
        const expected = timers
          .map(({ wait: ms, isKept }, n) => ({ n, at: Math.max(1, ms), isKept }))
          .filter(({ isKept }) => isKept)
          .sort((a, b) => a.at - b.at || a.n - b.n)
          .map(({ n, at }) => ({ n, at }));
        assert.deepEqual(fired, expected);
        assert.deepEqual([time.now(), time.pending], [100_000, 0]);
      }),
      { numRuns: 200 },
    );
  });

  it('disarms nothing by the handle of a timer that has fired, though its place is used again', () => {
    const time = new VirtualTime();
    const fired: string[] = [];
    const first = time.setTimeout(() => fired.push('first'), 1);
    runTo(time, 1);
    time.setTimeout(() => fired.push('second'), 1);
    time.clearTimeout(first);
    runTo(time, 10);
    assert.deepEqual(fired, ['first', 'second']);
  });

  it('disarms one that is due at this very moment', () => {
    const time = new VirtualTime();
    const fired: string[] = [];
    time.setTimeout(() => {
      fired.push('first');
      time.clearTimeout(second);
    }, 5);
    const second = time.setTimeout(() => fired.push('second'), 5);
    runTo(time, 10);
    assert.deepEqual(fired, ['first']);
  });

  it('grows with the number of timers', () => {
    const time = new VirtualTime();
    let fired = 0;
    for (let n = 0; n < 5_000; n += 1) time.setTimeout(() => (fired += 1), n % 700);
    runTo(time, 1_000);
    assert.equal(fired, 5_000);
  });

  it('refuses waits without an end', () => {
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => new VirtualTime().setTimeout(() => {}, ms), RangeError);
  });

  it('says the same of wall time in every run', () => {
    const time = new VirtualTime();
    time.step(1_500);
    assert.equal(new Date(time.wallNow()).toISOString(), '2026-01-01T00:00:01.500Z');
  });
});

describe('runTurns', () => {
  it('lets every promise job run before the next step, however long the chain', async () => {
    const seen: string[] = [];
    let steps = 0;
    await runTurns(() => {
      steps += 1;
      const step = steps;
      seen.push(`step ${step}`);
      let chain = Promise.resolve();
      for (let n = 0; n < 100; n += 1) chain = chain.then(() => {});
      void chain.then(() => seen.push(`end of ${step}`));
      return step < 3;
    });
    assert.deepEqual(seen.slice(0, 5), ['step 1', 'end of 1', 'step 2', 'end of 2', 'step 3']);
  });

  it('rejects with what a step throws', async () => {
    const thrown = new Error('no');
    await assert.rejects(
      runTurns(() => {
        throw thrown;
      }),
      thrown,
    );
  });
});
