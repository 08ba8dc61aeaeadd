/**
 * No storm, whatever brokers do: every wait of a client comes from here.
 *
 * World: `Pacing` under the virtual clock, with chance at its ends or from a seed.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pacing, type PacingBounds } from '../../../src/connection/pacing.js';
import type { Random } from '../../../src/platform/ports.js';
import { murmur3 } from '../../../src/selection/murmur3.js';
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

/** The wait after a link that held for `heldMs`. */
function lossOf(pacing: Pacing, heldMs: number): number {
  pacing.linkEnded(heldMs);
  return pacing.afterLoss();
}

describe('after a loss', () => {
  it('the wait is U(0, spreadMs), whatever the link had been', () => {
    const random = new SeededRandom(2);
    assertUniform(() => lossOf(world(random).pacing, MINUTE), 0, 100);
    assertUniform(() => lossOf(world(random).pacing, 0), 0, 100);
  });

  it('of the third link in a row that did not hold for resetAfterMs the wait is that of a failed pass', () => {
    const { pacing } = world();
    assert.deepEqual(
      [100, 29_999, 100].map((heldMs) => lossOf(pacing, heldMs)),
      [100, 100, 3_000],
    );
  });

  it('it goes on growing while links drop every five seconds, however long the waits between (R147)', () => {
    const { clock, pacing } = world();
    const waits = Array.from({ length: 12 }, () => {
      clock.sleep(5_000);
      const wait = lossOf(pacing, 5_000);
      clock.sleep(wait);
      return wait;
    });
    assert.deepEqual(waits.slice(2), [3_000, 5_000, 9_000, 17_000, ...new Array(6).fill(30_000)]);
  });

  it('of a link that held, short ones before are forgotten', () => {
    const { pacing } = world();
    lossOf(pacing, 100);
    lossOf(pacing, 100);
    assert.deepEqual(
      [30_000, 100].map((heldMs) => lossOf(pacing, heldMs)),
      [100, 100],
    );
  });
});

describe('a hint how wide to spread after a loss', () => {
  const spread = (spreadMs: number, clientId: string, pacing = world(SHORTEST).pacing) =>
    pacing.afterLoss({ spreadMs, clientId });

  it('gives each client its own slot, the same each time and in every process (R148)', () => {
    assert.equal(spread(60_000, 'device-7'), spread(60_000, 'device-7', world(LONGEST).pacing));
    assert.equal(spread(60_000, 'device-7'), (murmur3('device-7') / 2 ** 32) * 60_000);
  });

  it('spreads a fleet evenly over the hint', () => {
    let n = 0;
    assertUniform(() => spread(5_000, `device-${n++}`), 0, 5_000);
  });

  it('widens the spread, and never narrows it', () => {
    assert.equal(spread(99, 'device-7', world(LONGEST).pacing), 100);
    assert.equal(spread(100, 'device-7', world(LONGEST).pacing), 100);
    assert.ok(spread(1_000, 'device-7') > 0);
  });

  it('is followed up to ten minutes', () => {
    assert.equal(spread(1e12, 'device-7'), spread(10 * MINUTE, 'device-7'));
  });

  it('does not make the wait of a flapping client shorter', () => {
    const { pacing } = world();
    for (let n = 0; n < 3; n += 1) pacing.linkEnded(100);
    assert.equal(spread(200, 'device-7', pacing), 3_000);
  });
});

describe('delays', () => {
  /** The largest distance between the draws' distribution and U(least, most), times √n (Kolmogorov, Smirnov). */
  function distance(draw: () => number, least: number, most: number, n = 10_000): number {
    const sorted = Array.from({ length: n }, draw).sort((a, b) => a - b);
    const gaps = sorted.map((value, i) => {
      const at = (value - least) / (most - least);
      return Math.max(Math.abs(at - i / n), Math.abs(at - (i + 1) / n));
    });
    return Math.max(...gaps) * Math.sqrt(n);
  }
  /** What one in a thousand honest samples exceeds; the seeds are fixed. */
  const CRITICAL = 1.95;

  it('are evenly distributed, after losses, failed passes and refusals alike (R144)', () => {
    const random = new SeededRandom(144);
    const fresh = () => world(random).pacing;
    const third = () => {
      const pacing = fresh();
      pacing.afterFailedPass();
      pacing.afterFailedPass();
      return pacing.afterFailedPass();
    };
    const distances = [
      distance(() => fresh().afterLoss(), 0, 100),
      distance(() => fresh().afterFailedPass(), 1_000, 3_000),
      distance(third, 1_000, 9_000),
      distance(() => fresh().slowLane(), 30 * SECOND, MINUTE),
    ];
    assert.ok(
      distances.every((each) => each < CRITICAL),
      `${distances}`,
    );
  });

  it('would be found out if they were not', () => {
    const random = new SeededRandom(144);
    assert.ok(distance(() => random.next() ** 1.1, 0, 1) > CRITICAL);
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
      pacing.linkEnded(heldMs);
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
    assertUniform(() => world(random).pacing.slowLane(), 30 * SECOND, MINUTE);
  });

  it('it doubles with every refusal up to a quarter of an hour', () => {
    const { pacing } = world();
    assert.deepEqual(
      Array.from({ length: 7 }, () => pacing.slowLane() / MINUTE),
      [1, 2, 4, 8, 15, 15, 15],
    );
  });

  it('is at least half of its range each time', () => {
    const { pacing } = world(SHORTEST);
    assert.deepEqual(
      Array.from({ length: 5 }, () => pacing.slowLane() / MINUTE),
      [0.5, 1, 2, 4, 7.5],
    );
  });

  it('starts over once a link has held, or the user asks for a fresh start, and not before', () => {
    for (const [restart, next] of [
      [(pacing: Pacing) => pacing.linkEnded(30_000), MINUTE],
      [(pacing: Pacing) => pacing.reset(), MINUTE],
      [(pacing: Pacing) => pacing.linkEnded(29_999), 4 * MINUTE],
    ] as const) {
      const { pacing } = world();
      pacing.slowLane();
      pacing.slowLane();
      restart(pacing);
      assert.equal(pacing.slowLane(), next);
    }
  });

  it('may be forgone for fresh credentials, once until a link has held', () => {
    const { pacing } = world();
    assert.deepEqual([pacing.mayRefresh(), pacing.mayRefresh()], [true, false]);
    pacing.linkEnded(29_999);
    assert.equal(pacing.mayRefresh(), false);
    pacing.linkEnded(30_000);
    assert.equal(pacing.mayRefresh(), true);
  });
});

describe('kicks', () => {
  it('are too many when there are three within ten minutes', () => {
    const { clock, pacing } = world();
    const kick = (afterMs: number) => {
      clock.sleep(afterMs);
      return pacing.kicked();
    };
    assert.deepEqual([0, 300_000, 299_999, 1, 600_000, 0, 0].map(kick), [
      false,
      false,
      true,
      true,
      false,
      false,
      true,
    ]);
  });
});
