/** Tier spill: how many clients leave a tier that is partly gone, which ones, and for where (S3). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Endpoint } from '../../../src/endpoint.js';
import { rank } from '../../../src/selection/rank.js';
import { spill } from '../../../src/selection/spill.js';
import { endpoint } from '../fakes/fake-network.js';

const IDS = Array.from({ length: 10_000 }, (_, i) => `client-${i}`);
const tier = (priority: number, ...ids: string[]) => ids.map((id) => endpoint(id, { priority }));
const except =
  (...gone: string[]) =>
  ({ id }: Endpoint) =>
    !gone.includes(id);
const text = (ranked: readonly Endpoint[]) => ranked.map(({ id }) => id).join('');

/** Share of the clients whose first choice is of each tier. */
function shares(endpoints: readonly Endpoint[], isAvailable: (endpoint: Endpoint) => boolean): number[] {
  const counts: number[] = [];
  for (const id of IDS) {
    const { priority } = spill(id, rank(id, endpoints), isAvailable)[0]!;
    counts[priority] = (counts[priority] ?? 0) + 1;
  }
  return Array.from(counts, (count) => (count ?? 0) / IDS.length);
}

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) - expected) < 0.015, `${actual}, not ${expected}`);

describe('the share of clients that stays in a tier', () => {
  const two = [...tier(0, 'a', 'b', 'c', 'd', 'e'), ...tier(1, 'x', 'y')];
  for (const [gone, stays] of [
    [[], 1],
    [['a'], 1],
    [['a', 'b'], 0.84],
    [['a', 'b', 'c'], 0.56],
    [['a', 'b', 'c', 'd'], 0.28],
    [['a', 'b', 'c', 'd', 'e'], 0],
  ] as const) {
    test(`is ${stays} with ${gone.length} of 5 gone`, () => {
      const [first = 0, second] = shares(two, except(...gone));
      near(first, stays);
      near(second, 1 - stays);
    });
  }

  test('counts weight, not heads', () => {
    const mixed = [endpoint('big', { weight: 9 }), endpoint('small'), ...tier(1, 'x')];
    assert.deepEqual(shares(mixed, except('small')), [1]);
    near(shares(mixed, except('big'))[0], 0.14);
  });

  test('counts last resorts when nothing else of the tier is left', () => {
    const mixed = [endpoint('a'), endpoint('spare', { weight: 0 }), ...tier(1, 'x')];
    assert.deepEqual(shares(mixed, except('spare')), [1]);
    assert.deepEqual(shares(mixed, except('a')), [1]);
    assert.equal(shares(mixed, except('a', 'spare'))[0], 0);
  });

  test('is drawn anew at each boundary', () => {
    const three = [...tier(0, 'a', 'b'), ...tier(1, 'x', 'y'), ...tier(2, 'z')];
    const [first, second, third] = shares(three, except('a', 'x'));
    near(first, 0.7);
    near(second, 0.3 * 0.7);
    near(third, 0.3 * 0.3);
  });
});

describe('a client', () => {
  const two = [...tier(0, 'a', 'b'), ...tier(1, 'x', 'y'), ...tier(2, 'z')];

  test('that spills tries the tier of its choice first, then the survivors, then the rest', () => {
    const spilled = IDS.find((id) => text(spill(id, two, except('a'))) !== 'abxyz')!;
    assert.equal(text(spill(spilled, two, except('a'))), 'xyabz');
  });

  test('never spills where the next tier has nothing', () => {
    for (const id of IDS) assert.equal(text(spill(id, two, except('a', 'x', 'y', 'z'))), 'abxyz');
  });

  test('goes to the best tier that has anything when none has room for it', () => {
    const few = [...tier(0, 'a', 'b', 'c', 'd'), ...tier(1, 'w', 'x', 'y', 'z')];
    const isAvailable = except('b', 'c', 'd', 'x', 'y', 'z');
    assert.ok(
      IDS.some(
        (id) => spill(id, few, isAvailable) === few || text(spill(id, few, isAvailable)) === text(few),
      ),
    );
    for (const id of IDS) assert.match(text(spill(id, few, isAvailable)), /^(abcdwxyz|wxyzabcd)$/);
  });

  test('that spilled stays away as the tier gets worse, and is back when it is whole', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 9 }), (id, gone) => {
        const ids = [...'abcdefghij'];
        const ranked = [...tier(0, ...ids), ...tier(1, 'x')];
        const leaves = (n: number) => spill(id, ranked, except(...ids.slice(0, n)))[0]!.id === 'x';
        return !leaves(0) && (!leaves(gone) || leaves(gone + 1));
      }),
    );
  });

  test('keeps every endpoint, once, whatever is available', () => {
    const endpoints = [...tier(0, 'a', 'b'), ...tier(3, 'c'), ...tier(7, 'd', 'e')];
    fc.assert(
      fc.property(fc.string(), fc.subarray([...'abcde']), (id, gone) => {
        const ranked = rank(id, endpoints);
        assert.equal([...text(spill(id, ranked, except(...gone)))].sort().join(''), 'abcde');
      }),
    );
  });

  test('of a list with one tier is left in peace', () => {
    const one = tier(0, 'a', 'b', 'c');
    for (const id of IDS.slice(0, 100)) assert.equal(spill(id, one, except('a', 'b')), one);
  });

  test('hears why', () => {
    const remarks: string[] = [];
    const spilled = IDS.find((id) => spill(id, two, except('a'))[0]!.id === 'x')!;
    spill(spilled, two, except('a'), (id, why) => remarks.push(`${id}: ${why}`));
    assert.deepEqual(remarks, [
      'a: 50 % of tier 0 is available, and this client goes to tier 1',
      'b: 50 % of tier 0 is available, and this client goes to tier 1',
    ]);
  });

  test('spills by a draw that has nothing to do with its place in the tier', () => {
    const places = { a: 0, b: 0 };
    for (const id of IDS) {
      const ranked = rank(id, two);
      if (spill(id, ranked, except('a'))[0]!.priority === 1) places[ranked[0]!.id as 'a' | 'b'] += 1;
    }
    near(places.a / (places.a + places.b), 0.5);
  });
});
