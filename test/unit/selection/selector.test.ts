/** The strategies that `selection` names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rank } from '../../../src/selection/rank.js';
import { clientIdSelector, orderedSelector, randomSelector } from '../../../src/selection/selector.js';
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
