/** Load hints: when the second choice is taken instead of the first (R135). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoint } from '../../../src/endpoint.js';
import { freshLoads, shunLoaded } from '../../../src/selection/load.js';
import { sameLocality } from '../../../src/selection/runs.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

const abc = [...'abc'].map((id) => endpoint(id));
const text = (ranked: readonly Endpoint[]) => ranked.map(({ id }) => id).join('');

describe('the second choice', () => {
  for (const [a, b, order] of [
    [0.9, 0.5, 'bac'],
    [0.71, 0.5, 'bac'],
    [0.7, 0, 'abc'],
    [0.9, 0.75, 'abc'],
    [0.5, 0, 'abc'],
    [0.2, 0.9, 'abc'],
    [undefined, 0, 'abc'],
    [1, undefined, 'abc'],
    [Number.NaN, 0, 'abc'],
  ] as const) {
    test(`is ${order === 'abc' ? 'not ' : ''}taken at a load of ${a} against ${b}`, () => {
      const loads = new Map(
        Object.entries({ a, b }).filter((entry): entry is [string, number] => entry[1] !== undefined),
      );
      loads.set('c', 0);
      assert.equal(text(shunLoaded(abc, sameLocality(undefined), () => true, loads)), order);
    });
  }

  test('is the second that is available', () => {
    const loads = new Map(Object.entries({ a: 0.1, b: 0.9, c: 0.2 }));
    assert.equal(text(shunLoaded(abc, sameLocality(undefined), ({ id }) => id !== 'a', loads)), 'acb');
  });

  test('is never of another tier or zone', () => {
    const loads = new Map(Object.entries({ a: 1, b: 0 }));
    for (const init of [{ priority: 1 }, { zone: 'there' }, { weight: 0, zone: 'here' }]) {
      const ranked = [endpoint('a', { zone: 'here' }), endpoint('b', { zone: 'here', ...init })];
      assert.equal(text(shunLoaded(ranked, sameLocality('here'), () => true, loads)), 'ab');
    }
  });
});

describe('loads', () => {
  const loads = new Map([['a', 0.5]]);
  const set = (extra: object) => ({ endpoints: abc, source: 'test', loads, ttlMs: 10_000, ...extra });

  test('are fresh for twice the time to live', async () => {
    const clock = new VirtualClock();
    const receivedAt = clock.now();
    await clock.advance(19_999);
    assert.equal(freshLoads(set({}), receivedAt, clock), loads);
    await clock.advance(1);
    assert.equal(freshLoads(set({}), receivedAt, clock), undefined);
  });

  test('are as old as their document says, if that is older', () => {
    const clock = new VirtualClock();
    const made = (agoMs: number) =>
      freshLoads(set({ generatedAt: clock.wallNow() - agoMs }), clock.now(), clock);
    assert.deepEqual([made(19_999), made(20_000), made(-HOUR)], [loads, undefined, loads]);
  });

  test('of a list without a time to live are not used', () => {
    const clock = new VirtualClock();
    assert.equal(freshLoads({ endpoints: abc, source: 'test', loads }, clock.now(), clock), undefined);
    assert.equal(freshLoads({ endpoints: abc, source: 'test', ttlMs: 1_000 }, clock.now(), clock), undefined);
  });
});

const HOUR = 3_600_000;
