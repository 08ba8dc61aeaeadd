/** Links are renewed before their credentials expire, each of a fleet at a time of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Renewal } from '../../../src/connection/renewal.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';

function world(random = fixedRandom(0.5)) {
  const clock = new VirtualClock();
  const startedAt = clock.now();
  const renewedAt: number[] = [];
  let fails = false;
  const renewal = new Renewal({
    clock,
    random,
    renew: async () => {
      renewedAt.push(clock.now() - startedAt);
      if (fails) throw new Error('the provider is down');
    },
  });
  return {
    clock,
    renewal,
    renewedAt,
    fail: () => {
      fails = true;
    },
    in: (ms: number) => ({ expiresAt: clock.wallNow() + ms }),
  };
}

describe('renewal', () => {
  test('renews once, between 80 and 95 % of the life that is left', async () => {
    for (const [draw, at] of [
      [0, 48_000],
      [0.5, 52_500],
      [0.999_999, 57_000],
    ] as const) {
      const { clock, renewal, renewedAt, in: expiresIn } = world(fixedRandom(draw));
      renewal.linkUp(expiresIn(60_000));
      await clock.advance(120_000);
      assert.deepEqual(renewedAt.map(Math.round), [at]);
      assert.equal(clock.pending, 0);
    }
  });

  test('leaves links alone whose credentials do not expire, and those that are about to be cut anyway', async () => {
    const { clock, renewal, renewedAt, in: expiresIn } = world();
    for (const link of [{ expiresAt: undefined }, expiresIn(1_999), expiresIn(-5)]) {
      renewal.linkUp(link);
      assert.equal(clock.pending, 0);
    }
    assert.deepEqual(renewedAt, []);
  });

  test('has nothing to do once the link is gone, and starts anew with the next one', async () => {
    const { clock, renewal, renewedAt, in: expiresIn } = world();
    renewal.linkUp(expiresIn(60_000));
    renewal.linkDown();
    assert.equal(clock.pending, 0);
    renewal.linkUp(expiresIn(60_000));
    renewal.linkUp(expiresIn(100_000));
    await clock.advance(200_000);
    assert.deepEqual(renewedAt, [87_500]);
  });

  test('tries again with what is left when it fails, and not for ever', async () => {
    const { clock, fail, renewal, renewedAt, in: expiresIn } = world();
    fail();
    renewal.linkUp(expiresIn(100_000));
    await clock.advance(200_000);
    assert.deepEqual(renewedAt.map(Math.round), [87_500, 98_438]);
    assert.equal(clock.pending, 0);
  });

  test('waits for months', async () => {
    const { clock, renewal, renewedAt, in: expiresIn } = world();
    const days = 86_400_000;
    renewal.linkUp(expiresIn(100 * days));
    await clock.advance(99 * days);
    assert.equal(renewedAt.length, 1);
    assert.ok((renewedAt[0] as number) > 80 * days);
  });

  test('spreads a thousand clients whose tokens expire together', async () => {
    const clock = new VirtualClock();
    const random = new SeededRandom(1);
    const bySecond = new Map<number, number>();
    const startedAt = clock.now();
    for (let n = 0; n < 1_000; n += 1) {
      const renew = async () => {
        const second = Math.floor((clock.now() - startedAt) / 1_000);
        bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
      };
      new Renewal({ clock, random, renew }).linkUp({ expiresAt: clock.wallNow() + 60_000 });
    }
    await clock.advance(60_000);
    await settle();
    const counts = [...bySecond.values()];
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      1_000,
    );
    assert.ok(Math.max(...counts) < (2 * 1_000) / 9, `no second holds twice the mean: ${counts}`);
  });
});
