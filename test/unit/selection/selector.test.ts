/** The strategies that `selection` names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoint } from '../../../src/endpoint.js';
import { rank } from '../../../src/selection/rank.js';
import {
  checkedSelector,
  clientIdSelector,
  orderedSelector,
  randomSelector,
  type Selector,
} from '../../../src/selection/selector.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { endpoint } from '../fakes/fake-network.js';

const endpoints = Object.freeze([
  endpoint('b', { priority: 1 }),
  endpoint('c', { zone: 'z' }),
  endpoint('a', { priority: 1, zone: 'z' }),
  endpoint('d'),
]);
const ids = (ranked: readonly { id: string }[]) => ranked.map(({ id }) => id).join('');

describe('selectors', () => {
  test('order by client id as rank does, zone included', () => {
    for (const key of ['k1', 'k2', 'k3', 'k4']) {
      assert.equal(ids(clientIdSelector(undefined).rank(key, endpoints)), ids(rank(key, endpoints)));
      assert.equal(ids(clientIdSelector('z').rank(key, endpoints)), ids(rank(key, endpoints, { zone: 'z' })));
    }
  });

  test('ordered keeps the list within each tier, for every client', () => {
    assert.equal(ids(orderedSelector().rank('x', endpoints)), 'cdba');
    assert.equal(ids(orderedSelector().rank('y', endpoints)), 'cdba');
    assert.equal(ids(endpoints), 'bcad');
  });

  test('ordered puts the own zone first within each tier', () => {
    assert.equal(ids(orderedSelector('z').rank('x', endpoints)), 'cdab');
  });

  test('random draws once and keeps its order whatever the client id', () => {
    const random = new SeededRandom(7);
    const selector = randomSelector(random, undefined);
    const order = ids(selector.rank('x', endpoints));
    assert.deepEqual(
      Array.from({ length: 20 }, (_, i) => ids(selector.rank(`y${i}`, endpoints))),
      Array.from({ length: 20 }, () => order),
    );
  });

  test('random differs between clients and respects tiers', () => {
    const orders = Array.from({ length: 40 }, (_, i) =>
      ids(randomSelector(fixedRandom(i / 40), undefined).rank('same', endpoints)),
    );
    assert.ok(new Set(orders).size > 1);
    for (const order of orders) assert.match(order, /^[cd]{2}[ab]{2}$/);
  });
});

describe("a checked selector of the application's own", () => {
  const fallback = ids(rank('k', endpoints));
  function checked(answer: (endpoints: readonly Endpoint[]) => unknown) {
    const faults: string[] = [];
    const selector = checkedSelector(
      { rank: (_key, given) => answer(given) as Endpoint[] },
      undefined,
      (error) => faults.push(error.message),
    );
    return { selector, faults };
  }

  test('is obeyed while it returns each endpoint once', () => {
    const { selector, faults } = checked((given) => [...given].reverse());
    assert.deepEqual([ids(selector.rank('k', endpoints)), faults], ['dacb', []]);
  });

  const wrong: [string, (given: readonly Endpoint[]) => unknown, RegExp][] = [
    ['nothing', () => undefined, /got: no array/],
    ['a promise', () => Promise.reject(new Error('too late')), /got: a promise/],
    ['too few', (given) => given.slice(1), /got: 1 of 4 endpoints missing/],
    ['one twice', (given) => [...given, given[0]], /got: an endpoint twice, or one that is not in the list/],
    ['a stranger', (given) => [endpoint('b'), ...given.slice(1)], /not in the list/],
    ['ids', (given) => given.map(({ id }) => id), /not in the list/],
    ['no end', () => Array(1e6).fill(endpoints[0]), /an endpoint twice/],
    ['the list, sorted in place', (given) => (given as Endpoint[]).sort(() => -1), /read only/],
  ];
  for (const [what, answer, problem] of wrong) {
    test(`that returns ${what} is reported once, and the ranking by client id stands in`, () => {
      const { selector, faults } = checked(answer);
      for (let i = 0; i < 3; i += 1) assert.equal(ids(selector.rank('k', endpoints)), fallback);
      assert.equal(faults.length, 1);
      assert.match(faults[0]!, problem);
      assert.match(faults[0]!, /^Option `selection` must have a rank\(\) that returns each endpoint once/);
    });
  }

  test('is obeyed again once it is right, and reported again when it is wrong after that', () => {
    const answers: boolean[] = [false, true, false, false];
    const { selector, faults } = checked((given) => (answers.shift() ? [...given].reverse() : []));
    const orders = Array.from({ length: 4 }, () => ids(selector.rank('k', endpoints)));
    assert.deepEqual([orders, faults.length], [[fallback, 'dacb', fallback, fallback], 2]);
  });

  test('keeps no hold of what it returned', () => {
    let kept: Endpoint[] = [];
    const { selector } = checked((given) => {
      kept = [...given];
      return kept;
    });
    const ranked = selector.rank('k', endpoints);
    kept.length = 0;
    assert.equal(ids(ranked), 'bcad');
  });

  test('says itself whether its order is by tier and zone', () => {
    const tiered = (selector: Selector) => checkedSelector(selector, undefined, () => {}).tiered;
    assert.deepEqual(
      [tiered(clientIdSelector(undefined)), tiered({ rank: (_key, given) => given })],
      [true, false],
    );
  });
});
