/** What is remembered of brokers that said they are full (S7). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome } from '../../../src/health/outcomes.js';
import { FullNodes, saysFull } from '../../../src/selection/full-nodes.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

const MINUTE = 60_000;
const abc = [...'abc'].map((id) => endpoint(id));

function world(draw = 0) {
  const clock = new VirtualClock();
  const full = new FullNodes(clock, fixedRandom(draw));
  const order = () =>
    full
      .last(abc)
      .map(({ id }) => id)
      .join('');
  return { clock, full, order };
}

describe('a broker says that it is full', () => {
  const cases: [Outcome | undefined, boolean][] = [
    [{ kind: 'connack', code: 0x89 }, true],
    [{ kind: 'connack', code: 0x97 }, true],
    [{ kind: 'connack', code: 0x9f }, true],
    [{ kind: 'disconnect', code: 0x89 }, true],
    [{ kind: 'disconnect', code: 0x9f }, true],
    // Ours, not the broker's.
    [{ kind: 'disconnect', code: 0x97 }, false],
    [{ kind: 'connack', code: 0x88 }, false],
    [{ kind: 'connack-v3', code: 3 }, false],
    [{ kind: 'http', code: 0x89 }, false],
    [undefined, false],
  ];
  for (const [outcome, is] of cases) {
    test(`${is ? 'by' : 'not by'} ${outcome ? `${outcome.kind} ${outcome.code}` : 'nothing'}`, () => {
      assert.equal(saysFull(outcome), is);
    });
  }
});

describe('a full broker', () => {
  test('comes last for five minutes', async () => {
    const { clock, full, order } = world();
    full.answered('a', 'busy');
    assert.deepEqual(full.hold('a')?.reason, 'busy');
    await clock.advance(5 * MINUTE - 1);
    assert.equal(order(), 'bca');
    await clock.advance(1);
    assert.deepEqual([order(), full.hold('a')], ['abc', undefined]);
  });

  test('asked again before its time is up, says nothing new', async () => {
    const { clock, full } = world();
    for (let i = 0; i < 3; i += 1) {
      full.answered('a', 'busy');
      await clock.advance(MINUTE);
    }
    assert.equal(full.hold('a')?.until, clock.now() + 4 * MINUTE);
    await clock.advance(4 * MINUTE);
    full.answered('a', 'busy');
    assert.equal(full.hold('a')?.until, clock.now() + 10 * MINUTE);
  });

  test('comes last for longer each time, up to an hour, until it accepts us', async () => {
    const { clock, full } = world();
    const holds: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      full.answered('a', 'busy');
      const holdMs = full.hold('a')!.until - clock.now();
      holds.push(holdMs / MINUTE);
      await clock.advance(holdMs);
    }
    assert.deepEqual(holds, [5, 10, 20, 40, 60, 60]);
    assert.equal(full.accepted('a'), false);
    full.answered('a', 'busy');
    assert.equal(full.hold('a')!.until - clock.now(), 5 * MINUTE);
    assert.deepEqual([full.accepted('a'), full.hold('a')], [true, undefined]);
  });

  test('comes back a little later than others, at random', () => {
    const { clock, full } = world(0.5);
    full.answered('a', 'busy');
    assert.equal(full.hold('a')!.until - clock.now(), 5.5 * MINUTE);
  });

  test('is asked before one that is full for longer', async () => {
    const { clock, full, order } = world();
    full.answered('b', 'busy');
    await clock.advance(1);
    full.answered('a', 'busy');
    assert.equal(order(), 'cba');
  });

  test('is forgotten with its entry in the list', () => {
    const { full, order } = world();
    full.answered('a', 'busy');
    full.retain(new Set(['b', 'c']));
    assert.equal(order(), 'abc');
  });
});
