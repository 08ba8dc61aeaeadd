/** Ages across lives, whatever the wall clock does (R180). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lives } from '../../../../src/delivery/store/lives.js';
import type { Clock } from '../../../../src/platform/ports.js';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 21);

function machine(wall: number, now = 0) {
  const time = { wall, now };
  const clock = { now: () => time.now, wallNow: () => time.wall } as Clock;
  const pass = (ms: number) => {
    time.now += ms;
    time.wall += ms;
  };
  return { clock, time, pass };
}

/** The age, in the next life, of a message that was published at the beginning of this one. */
function ageNextLife(
  before: ReturnType<typeof machine>,
  lived: () => void,
  after: ReturnType<typeof machine>,
) {
  const first = new Lives(before.clock, 1);
  const stamp = first.stamp(before.time.now);
  first.toStore();
  lived();
  const offsets = JSON.parse(JSON.stringify(first.toStore()));
  const next = new Lives(after.clock, 2);
  next.recall(offsets);
  return after.time.now - next.publishedAt(stamp);
}

describe('the age of a message of an earlier life', () => {
  test('is what has passed on the wall clock', () => {
    const before = machine(NOW);
    assert.equal(
      ageNextLife(before, () => before.pass(10_000), machine(NOW + 2 * DAY, 5)),
      2 * DAY,
    );
  });

  test('is counted from when the clock was set, if the machine booted in 1970', () => {
    const before = machine(0);
    const lived = () => {
      before.pass(60_000);
      before.time.wall = NOW;
    };
    assert.equal(ageNextLife(before, lived, machine(NOW + 1_000, 7)), 61_000);
  });

  test('begins now if its clock was never right, or now is not', () => {
    assert.equal(
      ageNextLife(machine(0), () => {}, machine(NOW, 50)),
      0,
    );
    assert.equal(
      ageNextLife(machine(NOW), () => {}, machine(1_000, 50)),
      0,
    );
  });

  test('is never negative', () => {
    assert.equal(
      ageNextLife(machine(NOW + DAY), () => {}, machine(NOW, 50)),
      0,
    );
  });

  test('takes no word of a store that is damaged', () => {
    for (const offsets of [null, 'x', [1], [['a', 'b']], [[1, null]], { a: 1 }]) {
      const lives = new Lives(machine(NOW, 9).clock, 2);
      lives.recall(offsets);
      assert.equal(lives.publishedAt({ life: 1, at: 0, wallAt: NOW - 1_000 }), 9 - 1_000);
    }
  });
});

describe('a life', () => {
  test('is due to be written first, and again when the wall clock has jumped', () => {
    const { clock, time, pass } = machine(0);
    const lives = new Lives(clock, 1);
    assert.equal(lives.isDue, true);
    lives.toStore();
    pass(DAY);
    assert.equal(lives.isDue, false);
    time.wall = NOW;
    assert.equal(lives.isDue, true);
  });

  test('measures its own messages by monotonic time', () => {
    const { clock, time, pass } = machine(NOW, 100);
    const lives = new Lives(clock, 1);
    const stamp = lives.stamp(100);
    pass(50);
    time.wall += 10 * DAY;
    assert.equal(lives.publishedAt(stamp), 100);
  });
});
