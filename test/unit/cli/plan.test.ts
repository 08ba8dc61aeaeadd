// Placement of fleets: the fast way to a home agrees with `rank`, and changes of a list move nobody needlessly.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { barChart } from '../../../src/cli/plan/bar-chart.js';
import { readClientIds } from '../../../src/cli/plan/client-ids.js';
import { MoveCount } from '../../../src/cli/plan/moves.js';
import { homesIn } from '../../../src/selection/homes.js';
import { type Rankable, rank } from '../../../src/selection/rank.js';

const endpoint = fc.record({
  weight: fc.constantFrom(0, 0.5, 1, 1, 1, 3),
  priority: fc.constantFrom(0, 0, 0, 1),
  zone: fc.constantFrom('x', 'y', undefined),
});
const list = fc
  .array(endpoint, { maxLength: 12 })
  .map((each) => each.map((at, i) => ({ id: `n${i}`, ...at })));

describe('homesIn', () => {
  it('gives the first of rank() in every list', () => {
    fc.assert(
      fc.property(list, list, fc.string(), fc.constantFrom('x', undefined), (first, second, id, zone) => {
        const homes = homesIn([first, second], { zone })(id);
        const expected = [first, second].map((each) => each.indexOf(rank(id, each, { zone })[0] as never));
        assert.deepEqual(homes, expected);
      }),
    );
  });
});

const fleet = Array.from({ length: 3_000 }, (_, i) => `pump-${i}`);
const planOf = (from: readonly Rankable[], to: readonly Rankable[]) => {
  const moves = new MoveCount(from, to, undefined);
  for (const id of fleet) moves.add(id);
  return moves.plan(from, to);
};
const named = (...ids: string[]) => ids.map((id) => ({ id }));

describe('MoveCount', () => {
  it('counts the clients of each broker before and after, brokers without clients too', () => {
    const idle = [{ id: 'spare', priority: 1 }];
    const { ids, before, after } = planOf([...named('a', 'b'), ...idle], named('a', 'c'));
    assert.equal(ids, 3_000);
    assert.deepEqual(Object.keys(before), ['a', 'b', 'spare']);
    assert.equal(before.spare, 0);
    assert.equal(
      Object.values(after).reduce((sum, each) => sum + each, 0),
      3_000,
    );
  });

  it('moves only to a broker that is new, and only from one that is gone', () => {
    const grown = planOf(named('a', 'b'), named('a', 'b', 'c'));
    assert.deepEqual([grown.moved, grown.needless], [grown.after.c, 0]);
    const shrunk = planOf(named('a', 'b', 'c'), named('a', 'b'));
    assert.deepEqual([shrunk.moved, shrunk.needless], [shrunk.before.c, 0]);
  });

  it('finds no needless move, whatever changes of weights, tiers and members', () => {
    fc.assert(
      fc.property(list, list, (from, to) => {
        assert.equal(planOf(from, to).needless, 0);
      }),
      { numRuns: 30 },
    );
  });

  it('would count a move as needless between two brokers that are as they were', () => {
    // A client that hashes otherwise in the second list: the same ids in a placement that is not consistent.
    const moves = new MoveCount(named('a', 'b'), named('a', 'b'), undefined, () => (id) => [
      0,
      id === 'moves' ? 1 : 0,
    ]);
    moves.add('stays');
    moves.add('moves');
    const { moved, needless } = moves.plan(named('a', 'b'), named('a', 'b'));
    assert.deepEqual([moved, needless], [1, 1]);
  });

  it('keeps ids that are names of Object.prototype', () => {
    const { after } = planOf(named('a'), named('__proto__', 'constructor'));
    assert.deepEqual(Object.keys(after), ['__proto__', 'constructor']);
  });
});

const collected = async (text: string, stdin = '') => {
  const { batches } = await readClientIds(text, Readable.from([Buffer.from(stdin)]));
  const ids: string[] = [];
  for await (const batch of batches) ids.push(...batch);
  return ids;
};

describe('readClientIds', () => {
  it('makes up as many as are wanted', async () => {
    const ids = await collected('10_000');
    assert.equal(new Set(ids).size, 10_000);
    assert.equal(ids[9_999], 'client-9999');
  });

  it('reads lines with any ends, and leaves out empty ones', async () => {
    assert.deepEqual(await collected('-', 'a\r\n\nb\nc d'), ['a', 'b', 'c d']);
  });

  it('refuses a line that can be no client id', async () => {
    await assert.rejects(collected('-', 'x'.repeat(70_000)), { message: /more than 65535 bytes/ });
  });
});

describe('barChart', () => {
  it('draws two bars for each broker, to scale, and escapes names', () => {
    const svg = barChart({
      ids: 3,
      moved: 1,
      needless: 0,
      before: { a: 2, '<b>&"': 1 },
      after: { a: 1, c: 2 },
    });
    assert.equal(svg.match(/<rect class="before" x="180"/g)?.length, 3);
    assert.match(svg, /<rect class="before" x="180" y="64" width="480"/);
    assert.match(svg, /<rect class="after" x="180" y="78" width="240"/);
    assert.match(svg, /&lt;b&gt;&amp;&quot;/);
    assert.doesNotMatch(svg, /<b>/);
  });
});
