/** Slow start: which share of its clients a node takes that has just come back, and which ones (R136). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Endpoint } from '../../../src/endpoint.js';
import { rank } from '../../../src/selection/rank.js';
import { sameLocality } from '../../../src/selection/runs.js';
import { Recoveries, spareYoung, warmShare } from '../../../src/selection/slow-start.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

const IDS = Array.from({ length: 10_000 }, (_, i) => `client-${i}`);
const same = sameLocality(undefined);
const five = [...'abcde'].map((id) => endpoint(id));
const young =
  (ids: string, ageMs: number) =>
  ({ id }: Endpoint) =>
    ids.includes(id) ? warmShare(ageMs) : 1;
const text = (ranked: readonly Endpoint[]) => ranked.map(({ id }) => id).join('');

describe('a node that has just come back', () => {
  test('takes a tenth of its clients at first, and all of them after a minute, never one less', () => {
    const own = IDS.filter((id) => rank(id, five)[0]!.id === 'a');
    let before = new Set<string>();
    for (const [seconds, share] of [
      [0, 0.1],
      [6, 0.1],
      [15, 0.25],
      [30, 0.5],
      [45, 0.75],
      [59, 0.983],
      [60, 1],
      [600, 1],
    ] as const) {
      const taken = new Set(
        own.filter((id) => spareYoung(id, rank(id, five), same, young('a', seconds * 1_000))[0]!.id === 'a'),
      );
      const got = taken.size / own.length;
      assert.ok(Math.abs(got - share) < 0.03, `${got} after ${seconds} s, not ${share}`);
      for (const id of before) assert.ok(taken.has(id), `${id} left after ${seconds} s`);
      before = taken;
    }
  });

  test('is never left as time goes by, whoever else is young', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.nat(120_000),
        fc.nat(120_000),
        fc.nat(60_000),
        (id, ageOfA, ageOfB, later) => {
          const ranked = [...five].slice(0, 2);
          const firstAt = (after: number) =>
            spareYoung(id, ranked, same, (each) => warmShare((each.id === 'a' ? ageOfA : ageOfB) + after))[0]!
              .id;
          // `a` is the first choice: once it is taken while it is the younger one, it stays taken.
          return ageOfA > ageOfB || firstAt(0) !== 'a' || firstAt(later) === 'a';
        },
      ),
      // Both within their first seconds, which chance rarely finds.
      { examples: [['q', 0, 114, 6_000]] },
    );
  });

  test('passes its clients on to their own next choices', () => {
    for (const id of IDS.slice(0, 500)) {
      const ranked = rank(id, five);
      const chosen = text(spareYoung(id, ranked, same, young('a', 0)));
      assert.ok([text(ranked), `${text(ranked).replace('a', '')}a`].includes(chosen), chosen);
    }
  });

  test('is not spared where it is alone, or all came back together', () => {
    for (const id of IDS.slice(0, 500)) {
      const ranked = rank(id, five);
      assert.equal(text(spareYoung(id, ranked, same, young('abcde', 3_000))), text(ranked));
      assert.equal(text(spareYoung(id, [five[0]!], same, young('a', 0))), 'a');
    }
  });

  test('stays before another zone, and before the next tier', () => {
    const endpoints = [
      endpoint('a', { zone: 'here' }),
      endpoint('b', { zone: 'here' }),
      endpoint('c', { zone: 'there' }),
      endpoint('d', { zone: 'here', priority: 1 }),
    ];
    for (const id of IDS.slice(0, 500)) {
      const ranked = rank(id, endpoints, { zone: 'here' });
      assert.match(text(spareYoung(id, ranked, sameLocality('here'), young('ab', 0))), /^[ab]{2}cd$/);
    }
  });
});

describe('recoveries', () => {
  test('are seen when an endpoint answers that was away, and age', async () => {
    const clock = new VirtualClock();
    const recoveries = new Recoveries(clock);
    const [a, b] = five as [Endpoint, Endpoint];
    recoveries.away('a');
    assert.equal(recoveries.share(a), 1);
    recoveries.back('a');
    recoveries.back('b');
    assert.deepEqual([recoveries.share(a), recoveries.share(b)], [0, 1]);
    await clock.advance(30_000);
    assert.equal(recoveries.share(a), 0.5);
    recoveries.back('a');
    assert.equal(recoveries.share(a), 0.5);
    await clock.advance(30_000);
    assert.equal(recoveries.share(a), 1);
  });

  test('are told by the list, too; the younger age counts, and a clock that is wrong by far tells nothing', async () => {
    const clock = new VirtualClock();
    const recoveries = new Recoveries(clock);
    const told = (ageMs: number) => endpoint('a', { since: clock.wallNow() - ageMs });
    assert.deepEqual(
      [60_000, 30_000, 0, -5_000, -60_001].map((ageMs) => recoveries.share(told(ageMs))),
      [1, 0.5, 0, 0, 1],
    );
    recoveries.away('a');
    recoveries.back('a');
    await clock.advance(15_000);
    assert.equal(recoveries.share(told(60_000)), 0.25);
  });

  test('are forgotten with their endpoint', () => {
    const recoveries = new Recoveries(new VirtualClock());
    for (const id of 'ab') {
      recoveries.away(id);
      recoveries.back(id);
    }
    recoveries.away('c');
    recoveries.retain(new Set(['b']));
    recoveries.back('c');
    assert.deepEqual(
      [...'abc'].map((id) => recoveries.share(endpoint(id))),
      [1, 0, 1],
    );
  });
});
