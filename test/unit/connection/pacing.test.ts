/**
 * No storm, whatever brokers do: every wait of a client comes from here.
 *
 * World: `Pacing` under the virtual clock, with chance at its ends or from a seed.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pacing, type PacingBounds } from '../../../src/connection/pacing.js';
import type { Random } from '../../../src/platform/ports.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const BOUNDS: PacingBounds = {
  minMs: 1_000,
  baseMs: 2_000,
  maxMs: 30_000,
  resetAfterMs: 30_000,
  spreadMs: 100,
};

const SHORTEST = fixedRandom(0);
const LONGEST = fixedRandom(1);

function world(random: Random = LONGEST): { clock: VirtualClock; pacing: Pacing } {
  const clock = new VirtualClock();
  return { clock, pacing: new Pacing(BOUNDS, clock, random) };
}

/** Draws lie in [least, most) and fill it evenly: every tenth of it has about a tenth of them. */
function assertUniform(draw: () => number, least: number, most: number): void {
  const tenths = new Array<number>(10).fill(0);
  for (let n = 0; n < 10_000; n += 1) {
    const value = draw();
    assert.ok(value >= least && value < most, `${value} is not in [${least}, ${most})`);
    tenths[Math.floor((10 * (value - least)) / (most - least))]! += 1;
  }
  for (const count of tenths) assert.ok(count > 850 && count < 1_150, `${tenths}`);
}

describe('one endpoint', () => {
  it('may be tried at once when it never was', () => {
    assert.equal(world().pacing.restLeft('a'), 0);
  });

  it('rests for a second after an attempt, others do not', async () => {
    const { clock, pacing } = world();
    pacing.attempted('a');
    assert.deepEqual([pacing.restLeft('a'), pacing.restLeft('b')], [1_000, 0]);
    await clock.advance(900);
    assert.equal(pacing.restLeft('a'), 100);
    await clock.advance(100);
    assert.equal(pacing.restLeft('a'), 0);
  });

  it('rests from the last attempt on', async () => {
    const { clock, pacing } = world();
    pacing.attempted('a');
    await clock.advance(800);
    pacing.attempted('a');
    assert.equal(pacing.restLeft('a'), 1_000);
  });

  it('need not rest when it was left on purpose', () => {
    const { pacing } = world();
    pacing.attempted('a');
    pacing.left('a');
    assert.equal(pacing.restLeft('a'), 0);
  });

  it('rests even when the user asks for a fresh start: a loop of reconnect() is no storm', () => {
    const { pacing } = world();
    pacing.attempted('a');
    pacing.reset();
    assert.equal(pacing.restLeft('a'), 1_000);
  });
});

describe('endpoints that all rest', () => {
  it('are waited for until the first of them has rested, and a moment of chance more', async () => {
    const { clock, pacing } = world(SHORTEST);
    pacing.attempted('a');
    await clock.advance(300);
    pacing.attempted('b');
    assert.equal(pacing.untilRested(['a', 'b']), 700);
    assert.equal(world(LONGEST).pacing.untilRested(['a']), 100);
  });

  it('cost a millisecond at least, so that nothing spins', () => {
    assert.equal(world(SHORTEST).pacing.untilRested(['a']), 1);
  });
});

describe('after a loss', () => {
  it('the wait is U(0, spreadMs), whatever the link had been', () => {
    const random = new SeededRandom(2);
    assertUniform(() => world(random).pacing.afterLoss(MINUTE), 0, 100);
    assertUniform(() => world(random).pacing.afterLoss(0), 0, 100);
  });

  it('of the third link in a minute that died within five seconds the wait is that of a failed pass', () => {
    const { pacing } = world();
    assert.deepEqual(
      [pacing.afterLoss(100), pacing.afterLoss(4_999), pacing.afterLoss(100)],
      [100, 100, 3_000],
    );
  });

  it('it goes on growing with every further young death', () => {
    const { clock, pacing } = world();
    const waits = Array.from({ length: 8 }, () => {
      const wait = pacing.afterLoss(100);
      clock.sleep(wait);
      return wait;
    });
    assert.deepEqual(waits.slice(2, 6), [3_000, 5_000, 9_000, 17_000]);
    assert.ok(waits.every((wait) => wait <= 30_000));
  });

  it('of a link that held for five seconds the young deaths before count on, and it is none', () => {
    const { pacing } = world();
    pacing.afterLoss(100);
    pacing.afterLoss(100);
    assert.deepEqual([pacing.afterLoss(5_000), pacing.afterLoss(100)], [100, 3_000]);
  });

  it('a young death is forgotten after a minute', () => {
    const { clock, pacing } = world();
    pacing.afterLoss(100);
    pacing.afterLoss(100);
    clock.sleep(MINUTE);
    assert.equal(pacing.afterLoss(100), 100);
  });
});

describe('after a failed pass', () => {
  it('the wait is minMs + U(0, baseMs), and its range doubles up to maxMs', () => {
    const random = new SeededRandom(4);
    assertUniform(() => world(random).pacing.afterFailedPass(), 1_000, 3_000);
    const { pacing } = world(LONGEST);
    assert.deepEqual(
      Array.from({ length: 7 }, () => pacing.afterFailedPass()),
      [3_000, 5_000, 9_000, 17_000, 30_000, 30_000, 30_000],
    );
  });

  it('the range starts over after a link that held for resetAfterMs, and not before', () => {
    for (const [heldMs, next] of [
      [29_999, 9_000],
      [30_000, 3_000],
    ] as const) {
      const { pacing } = world();
      pacing.afterFailedPass();
      pacing.afterFailedPass();
      pacing.afterLoss(heldMs);
      assert.equal(pacing.afterFailedPass(), next);
    }
  });

  it('the range starts over when the user asks for a fresh start', () => {
    const { pacing } = world();
    pacing.afterFailedPass();
    pacing.afterFailedPass();
    pacing.reset();
    assert.equal(pacing.afterFailedPass(), 3_000);
  });

  it('the range does not start over because CONNECT was accepted', () => {
    const { pacing } = world();
    pacing.afterFailedPass();
    pacing.accepted();
    assert.equal(pacing.afterFailedPass(), 5_000);
  });
});

describe('after a DISCONNECT', () => {
  for (const { code, name, least, most } of [
    { code: 0x96, name: 'message rate too high', least: 5 * SECOND, most: 10 * SECOND },
    { code: 0x97, name: 'quota exceeded', least: 5 * SECOND, most: 10 * SECOND },
    { code: 0x98, name: 'administrative action', least: 5 * SECOND, most: 30 * SECOND },
  ]) {
    it(`"${name}" the client stays away for ${least / SECOND} to ${most / SECOND} s, evenly drawn`, () => {
      const { pacing } = world(new SeededRandom(code));
      assertUniform(() => pacing.afterDisconnect(code), least, most);
    });
  }

  it('of any other kind it asks for no wait of its own', () => {
    const { pacing } = world();
    assert.deepEqual(
      [0x00, 0x80, 0x8d, 0xa0, 'x'].map((code) => pacing.afterDisconnect(code)),
      [0, 0, 0, 0, 0],
    );
  });
});

describe('after refused credentials', () => {
  it('the wait is half a minute to a minute, evenly drawn', () => {
    const random = new SeededRandom(9);
    assertUniform(() => world(random).pacing.afterRefusal(), 30 * SECOND, MINUTE);
  });

  it('it doubles with every refusal up to a quarter of an hour', () => {
    const { pacing } = world();
    assert.deepEqual(
      Array.from({ length: 7 }, () => pacing.afterRefusal() / MINUTE),
      [1, 2, 4, 8, 15, 15, 15],
    );
  });

  it('is at least half of its range each time', () => {
    const { pacing } = world(SHORTEST);
    assert.deepEqual(
      Array.from({ length: 5 }, () => pacing.afterRefusal() / MINUTE),
      [0.5, 1, 2, 4, 7.5],
    );
  });

  it('starts over once CONNECT was accepted, or the user asks for a fresh start', () => {
    for (const restart of ['accepted', 'reset'] as const) {
      const { pacing } = world();
      pacing.afterRefusal();
      pacing.afterRefusal();
      pacing[restart]();
      assert.equal(pacing.afterRefusal(), MINUTE);
    }
  });
});
