/** A long list cut down for one client: its home is always in it, and what it has stays while it is listed (R15). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { capped } from '../../../src/discovery/capped.js';
import type { EndpointSet, Resolver } from '../../../src/discovery/resolver.js';
import { rank } from '../../../src/selection/rank.js';
import { endpoint } from '../fakes/fake-network.js';

const signal = new AbortController().signal;
const setOf = (names: readonly string[]): EndpointSet => ({
  endpoints: names.map((name) => endpoint(name)),
  source: 'test',
});
const ids = ({ endpoints }: EndpointSet) => endpoints.map(({ id }) => id);

describe('a list with a bound', () => {
  test('has at most so many endpoints, home among them, and keeps those it had', async () => {
    const names = fc.uniqueArray(
      fc.integer({ min: 0, max: 40 }).map((n) => `n${n}`),
      { minLength: 1 },
    );
    await fc.assert(
      fc.asyncProperty(names, names, fc.integer({ min: 1, max: 8 }), async (first, second, max) => {
        let listed = first;
        const resolver = capped({ resolve: async () => setOf(listed) }, max, () => 'device');
        const before = ids(await resolver.resolve(signal));
        listed = second;
        const after = ids(await resolver.resolve(signal));
        for (const [list, cut] of [
          [first, before],
          [second, after],
        ] as const) {
          const home = rank('device', setOf(list).endpoints)[0]?.id;
          assert.ok(cut.length === Math.min(max, list.length) && cut.includes(`${home}`));
        }
        // One place may go to a home that is new.
        const lost = before.filter((id) => second.includes(id) && !after.includes(id));
        assert.ok(lost.length <= 1, `${lost}`);
        assert.deepEqual(ids(await resolver.resolve(signal)), after);
      }),
    );
  });

  test('is the same for the same client after a restart', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `n${n}`);
    const cut = async () =>
      ids(await capped({ resolve: async () => setOf(names) }, 5, () => 'device').resolve(signal));
    assert.deepEqual(await cut(), await cut());
  });

  test('passes on what is pushed, cut down as well, and what the source says of itself', async () => {
    const pushed: number[] = [];
    let forgotten = 0;
    const source: Resolver = {
      refreshJitter: 0.2,
      resolve: async () => setOf(['a']),
      watch: (onChange) => onChange(setOf(['a', 'b', 'c'])),
      rebootstrap: () => {
        forgotten += 1;
      },
    };
    const resolver = capped(source, 2, () => 'device');
    resolver.watch?.(
      (set) => pushed.push(set.endpoints.length),
      () => {},
      signal,
    );
    resolver.rebootstrap?.();
    assert.deepEqual([pushed, forgotten, resolver.refreshJitter], [[2], 1, 0.2]);
    assert.equal(capped({ resolve: source.resolve }, 2, () => '').watch, undefined);
  });
});
