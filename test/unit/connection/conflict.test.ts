/**
 * Two programs with one client id throw each other out as fast as they can reconnect, unless one of them steps back.
 *
 * World: `Conflict` under the virtual clock; take-overs are reported as the supervisor reports them. In the duel at the
 * end two of them share one session, as two installations with a copied configuration do.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Conflict } from '../../../src/connection/conflict.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The longest hold every time. */
const LONGEST = fixedRandom(1);
const SHORTEST = fixedRandom(0);

function world(random = LONGEST): { clock: VirtualClock; conflict: Conflict } {
  const clock = new VirtualClock();
  return { clock, conflict: new Conflict(clock, random) };
}

describe('a take-over', () => {
  it('that comes alone is a hand-over race: connect again at once', () => {
    assert.equal(world().conflict.takenOver(10 * SECOND), undefined);
  });

  it('that follows another within 60 s is a duel: step back for up to a minute', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    clock.sleep(MINUTE - 1);
    assert.equal(conflict.takenOver(0), MINUTE);
  });

  it('that follows another after 60 s comes alone again', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    clock.sleep(MINUTE);
    assert.equal(conflict.takenOver(0), undefined);
  });

  it('after a hold-off is the same duel, however long the hold was: the next hold is twice as long', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    const holds: unknown[] = [];
    for (let n = 0; n < 7; n += 1) {
      const hold = conflict.takenOver(4 * MINUTE);
      holds.push(hold);
      clock.sleep((hold ?? 0) + 4 * MINUTE);
    }
    assert.deepEqual(
      holds,
      [1, 2, 4, 8, 15, 15, 15].map((n) => n * MINUTE),
    );
  });

  it('is not forgiven for a success shorter than five minutes (R89)', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    conflict.takenOver(0);
    clock.sleep(20 * MINUTE);
    assert.equal(conflict.takenOver(5 * MINUTE - 1), 2 * MINUTE);
  });

  it('is the first again after a link that held for five minutes', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    conflict.takenOver(0);
    clock.sleep(20 * MINUTE);
    assert.equal(conflict.takenOver(5 * MINUTE), undefined);
    assert.equal(conflict.takenOver(0), MINUTE);
  });

  it('is the first again when the user insists', () => {
    const { conflict } = world();
    conflict.takenOver(0);
    conflict.takenOver(0);
    conflict.reset();
    assert.deepEqual([conflict.takenOver(0), conflict.takenOver(0)], [undefined, MINUTE]);
  });

  it('by our own ghost, within 60 s of a CONNACK that did not come, is no conflict', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    conflict.connackMissed();
    clock.sleep(MINUTE - 1);
    assert.equal(conflict.takenOver(0), undefined);
  });

  it('is by the ghost only once, and does not count against us', () => {
    const { conflict } = world();
    conflict.connackMissed();
    assert.deepEqual(
      [conflict.takenOver(0), conflict.takenOver(0), conflict.takenOver(0)],
      [undefined, undefined, MINUTE],
    );
  });

  it('a minute after a CONNACK that did not come is by somebody else', () => {
    const { clock, conflict } = world();
    conflict.takenOver(0);
    conflict.connackMissed();
    clock.sleep(MINUTE);
    conflict.takenOver(0);
    assert.equal(conflict.takenOver(0), MINUTE);
  });
});

describe('the hold-off', () => {
  it('lasts at least half of its range, and less than all of it', () => {
    for (const [random, least, most] of [
      [SHORTEST, 30 * SECOND, 30 * SECOND],
      [LONGEST, MINUTE, MINUTE],
    ] as const) {
      const { conflict } = world(random);
      conflict.takenOver(0);
      const hold = conflict.takenOver(0) ?? Number.NaN;
      assert.ok(hold >= least && hold <= most, `${hold}`);
    }
  });

  it('is uniform over that half (10 000 draws)', () => {
    const random = new SeededRandom(5);
    const tenths = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n += 1) {
      const { conflict } = world(random);
      conflict.takenOver(0);
      const hold = conflict.takenOver(0) ?? Number.NaN;
      assert.ok(hold >= 30 * SECOND && hold < MINUTE, `${hold}`);
      tenths[Math.floor((hold - 30 * SECOND) / (3 * SECOND))]! += 1;
    }
    for (const count of tenths) assert.ok(count > 850 && count < 1_150, `${tenths}`);
  });
});

describe('a young MQTT 3.1.1 link that is closed without a word', () => {
  /** The endpoint closes a young link, and accepts us again. */
  function closesAndAccepts(conflict: Conflict, id = 'a'): number | undefined {
    const hold = conflict.closedSilently(id);
    conflict.accepted(id);
    return hold;
  }

  it('is taken for a duel when it is the third within 60 s', () => {
    const { clock, conflict } = world();
    assert.equal(closesAndAccepts(conflict), undefined);
    clock.sleep(29 * SECOND);
    assert.equal(closesAndAccepts(conflict), undefined);
    clock.sleep(30 * SECOND);
    assert.equal(closesAndAccepts(conflict), MINUTE);
  });

  it('is not when the first of the three is a minute old', () => {
    const { clock, conflict } = world();
    closesAndAccepts(conflict);
    closesAndAccepts(conflict);
    clock.sleep(MINUTE);
    assert.equal(closesAndAccepts(conflict), undefined);
  });

  it('is not when three endpoints closed and none has accepted us since: they may have died', () => {
    const { conflict } = world();
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((id) => conflict.closedSilently(id)),
      [undefined, undefined, undefined, undefined],
    );
  });

  it('is not when the endpoint could not be reached in between: the close was its death', () => {
    const { conflict } = world();
    for (let n = 0; n < 5; n += 1) {
      assert.equal(conflict.closedSilently('a'), undefined);
      conflict.endpointDied('a');
      conflict.accepted('a');
    }
  });

  it('is forgotten when the user insists', () => {
    const { conflict } = world();
    closesAndAccepts(conflict);
    closesAndAccepts(conflict);
    conflict.reset();
    assert.equal(closesAndAccepts(conflict), undefined);
  });

  it('makes the holds of a duel that goes on longer, as a named take-over does', () => {
    const { clock, conflict } = world();
    const holds: number[] = [];
    for (let n = 0; n < 12; n += 1) {
      const hold = closesAndAccepts(conflict);
      if (hold !== undefined) holds.push(hold);
      clock.sleep(hold ?? SECOND);
    }
    assert.deepEqual(
      holds.slice(0, 3),
      [1, 2, 4].map((n) => n * MINUTE),
    );
  });
});

describe('two clients with one id', () => {
  /** One session, whoever connected last; returns the CONNECTs of both within `forMs`. */
  async function duel(seed: number, forMs: number): Promise<number> {
    const clock = new VirtualClock();
    let connects = 0;
    let holder: { kick(): void } | undefined;
    const twin = (random: SeededRandom) => {
      const conflict = new Conflict(clock, random);
      let since = 0;
      const self = {
        connect() {
          connects += 1;
          since = clock.now();
          const before = holder;
          holder = self;
          before?.kick();
        },
        // As the supervisor does: a rest of a second at least.
        kick: () =>
          void clock.setTimeout(
            self.connect,
            conflict.takenOver(clock.now() - since) ?? SECOND + 100 * random.next(),
          ),
      };
      return self;
    };
    twin(new SeededRandom(seed)).connect();
    twin(new SeededRandom(seed + 1_000)).connect();
    await clock.advance(forMs);
    return connects;
  }

  it('send at most 12 CONNECTs together in ten minutes, and 15 an hour in the long run, whatever they draw (R88)', async () => {
    const counts: { short: number; long: number }[] = [];
    for (let seed = 1; seed <= 200; seed += 1)
      counts.push({ short: await duel(seed, 10 * MINUTE), long: await duel(seed, 480 * MINUTE) });
    const short = Math.max(...counts.map((count) => count.short));
    const long = Math.max(...counts.map((count) => count.long));
    assert.ok(short <= 12, `${short} CONNECTs in ten minutes`);
    assert.ok(long <= 120, `${long} CONNECTs in eight hours`);
  });
});
