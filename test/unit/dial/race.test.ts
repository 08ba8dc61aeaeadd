/**
 * The staggered race: who starts when, what is given up, and that nothing is left behind.
 * World: contestants whose ways answer as the test says. Fake: clock. Real: the race.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Contestant, Defeat } from '../../../src/dial/contestant.js';
import { race } from '../../../src/dial/race.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';

const RULES = { staggerMs: 250, limit: 3, deadlineMs: 5_000 };

/** What a way comes to, after so many milliseconds. `deaf` ones do not notice that they were aborted. */
type Answer = 'silent' | { readonly opens: number; readonly deaf?: true } | { readonly fails: number };

interface Plan {
  readonly ways: readonly Answer[];
  readonly preparesMs?: number;
  readonly resolvesMs?: number | 'never' | 'fails';
}

const silent = (count: number): Answer[] => Array.from({ length: count }, () => 'silent' as const);

function world(plans: Record<string, readonly Answer[] | Plan>, rules: Partial<typeof RULES> = {}) {
  const clock = new VirtualClock();
  const startedAt = clock.now();
  const abort = new AbortController();
  const log: string[] = [];
  const defeats: Record<string, Defeat<string>> = {};
  const hooks = { lost: () => {} };
  const under = new Set<string>();
  /** Contestants that have begun and not left. */
  const inside = new Set<string>();
  const seen = { most: 0, opened: [] as string[], discarded: [] as string[] };
  const after = (ms: number) => new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));

  const contestants = Object.entries(plans).map(([name, given]): Contestant<string, string> => {
    const plan: Plan = 'ways' in given ? given : { ways: given };
    const names = plan.ways.map((_, at) => `${name}${at + 1}`);
    return {
      prepare: () => {
        inside.add(name);
        return plan.preparesMs ? after(plan.preparesMs) : Promise.resolve();
      },
      leave: () => {
        assert.ok(inside.delete(name), `${name} leaves once, after it has begun`);
      },
      ways: async (signal) => {
        const { resolvesMs = 0 } = plan;
        if (resolvesMs === 'fails') throw new Error('no such name');
        if (resolvesMs === 'never') {
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        } else if (resolvesMs > 0) await after(resolvesMs);
        return names as [string, ...string[]];
      },
      go: (way, signal) => {
        log.push(`${way}@${clock.now() - startedAt}`);
        under.add(way);
        seen.most = Math.max(seen.most, under.size);
        const answer = plan.ways[names.indexOf(way)] as Answer;
        return new Promise<string>((resolve, reject) => {
          const done = (act: () => void) => () => {
            under.delete(way);
            act();
          };
          const opened = done(() => {
            seen.opened.push(way);
            resolve(way);
          });
          const timer =
            answer === 'silent'
              ? undefined
              : 'opens' in answer
                ? clock.setTimeout(opened, answer.opens)
                : clock.setTimeout(
                    done(() => reject(new Error(`${way} failed`))),
                    answer.fails,
                  );
          signal.addEventListener('abort', () => {
            under.delete(way);
            if (answer !== 'silent' && 'deaf' in answer) return;
            if (timer) clock.clearTimeout(timer);
            reject(signal.reason);
          });
        });
      },
      lost: (defeat) => {
        defeats[name] = defeat;
        hooks.lost();
      },
      discard: (prize) => seen.discarded.push(prize),
    };
  });
  const result: { prize?: string | undefined; rejected?: unknown; settled: boolean } = { settled: false };
  race(contestants, { ...RULES, ...rules }, clock, abort.signal).then(
    (prize) => Object.assign(result, { prize, settled: true }),
    (rejected) => Object.assign(result, { rejected, settled: true }),
  );
  return { clock, abort, log, defeats, hooks, inside, seen, under, result };
}

describe('a race of one contestant', () => {
  test('starts the second way beside a silent first one, and keeps the first', async () => {
    const { clock, log, result } = world({ a: [{ opens: 2_700 }, 'silent'] });
    await clock.advance(2_700);
    assert.deepEqual(log, ['a1@0', 'a2@250']);
    assert.equal(result.prize, 'a1');
    assert.equal(clock.pending, 0);
  });

  test('starts the next way at once when one fails', async () => {
    const { clock, log, result } = world({ a: [{ fails: 5 }, { fails: 5 }, { opens: 5 }] });
    await clock.advance(15);
    assert.deepEqual([log, result.prize], [['a1@0', 'a2@5', 'a3@10'], 'a3']);
    assert.equal(clock.pending, 0);
  });

  test('counts the stagger from the moment its ways are known', async () => {
    const { clock, log } = world({ a: { ways: silent(2), resolvesMs: 200 } });
    await clock.advance(449);
    assert.deepEqual(log, ['a1@200']);
    await clock.advance(1);
    assert.deepEqual(log, ['a1@200', 'a2@450']);
  });

  test('gives its longest silent way up for one that waits, when there is no room', async () => {
    const { clock, log, under, seen } = world({ a: silent(5) });
    await clock.advance(4_999);
    assert.deepEqual(log, ['a1@0', 'a2@250', 'a3@500', 'a4@750', 'a5@1000']);
    assert.deepEqual([...under], ['a3', 'a4', 'a5']);
    assert.equal(seen.most, 3);
  });

  test('has one deadline for all of its ways and for finding them, and none for its preparation', async () => {
    const { clock, defeats, result } = world({
      a: { ways: silent(5), preparesMs: 3_000, resolvesMs: 1_000 },
    });
    await clock.advance(7_999);
    assert.equal(result.settled, false);
    await clock.advance(1);
    assert.deepEqual([result.settled, result.prize], [true, undefined]);
    assert.equal(defeats.a?.timedOut, true);
    assert.deepEqual(defeats.a?.failures.map(({ way, error }) => [way, error]).sort(), [
      ['a1', undefined],
      ['a2', undefined],
      ['a3', undefined],
      ['a4', undefined],
      ['a5', undefined],
    ]);
    assert.equal(clock.pending, 0);
  });

  test('loses at its deadline when its ways cannot be found in time', async () => {
    const { clock, defeats } = world({ a: { ways: [], resolvesMs: 'never' } });
    await clock.advance(5_000);
    assert.deepEqual(defeats.a, { timedOut: true, failures: [{ way: undefined, error: undefined }] });
    assert.equal(clock.pending, 0);
  });

  test('loses when all ways have failed, with the failure of each', async () => {
    const { clock, defeats } = world({ a: [{ fails: 300 }, { fails: 10 }] });
    await clock.advance(300);
    const told = defeats.a?.failures.map(({ way, error }) => [way, (error as Error).message]);
    assert.deepEqual(told, [
      ['a2', 'a2 failed'],
      ['a1', 'a1 failed'],
    ]);
    assert.equal(defeats.a?.timedOut, false);
    assert.equal(clock.pending, 0);
  });

  test('uses one way after the other with a limit of one', async () => {
    const { clock, log, seen, result } = world({ a: ['silent', { opens: 1_000 }] }, { limit: 1 });
    await clock.advance(1_250);
    assert.deepEqual([log, seen.most, result.prize], [['a1@0', 'a2@250'], 1, 'a2']);
  });
});

describe('a race of several contestants', () => {
  test('lets each be silent on two ways before the next one begins', async () => {
    const { clock, log } = world({ a: silent(2), b: ['silent', { opens: 10 }] });
    await clock.advance(2_000);
    assert.deepEqual(log, ['a1@0', 'a2@250', 'b1@500', 'b2@750']);
  });

  test('is not held up by one with many silent ways', async () => {
    const { clock, log, result } = world({ a: silent(8), b: [{ opens: 20 }] });
    await clock.advance(600);
    assert.deepEqual([log, result.prize], [['a1@0', 'a2@250', 'b1@500'], 'b1']);
    assert.equal(clock.pending, 0);
  });

  test('reaches the last of three whose first ways are all silent', async () => {
    const { clock, log, seen, result } = world({
      a: silent(2),
      b: silent(2),
      c: ['silent', { opens: 20 }],
    });
    await clock.advance(1_270);
    assert.deepEqual(log, ['a1@0', 'a2@250', 'b1@500', 'b2@750', 'c1@1000', 'c2@1250']);
    assert.deepEqual([seen.most, result.prize], [3, 'c2']);
    assert.equal(clock.pending, 0);
  });

  test('never gives up the only way of one for another', async () => {
    const { clock, log, under } = world({ a: silent(1), b: silent(1), c: silent(1), d: silent(1) });
    await clock.advance(4_999);
    assert.deepEqual(log, ['a1@0', 'b1@250', 'c1@500']);
    assert.equal(under.size, 3);
    await clock.advance(1);
    assert.deepEqual(log.slice(3), ['d1@5000']);
  });

  test('tries all ways of one that merely fails before the next one begins', async () => {
    const { clock, log, result } = world({
      a: [{ fails: 1 }, { fails: 1 }, { opens: 1 }],
      b: [{ opens: 1 }],
    });
    await clock.advance(3);
    assert.deepEqual([log, result.prize], [['a1@0', 'a2@1', 'a3@2'], 'a3']);
  });

  test('lets the next begin after two staggers though the first only fails, slowly', async () => {
    const { clock, log } = world({
      a: Array.from({ length: 8 }, () => ({ fails: 200 })),
      b: [{ opens: 20 }],
    });
    await clock.advance(1_000);
    assert.deepEqual(log, ['a1@0', 'a2@200', 'a3@400', 'b1@600']);
  });

  test('goes on with the next when the ways of one cannot be found, or take their time', async () => {
    const failing = world({ a: { ways: [], resolvesMs: 'fails' }, b: [{ opens: 0 }] });
    await failing.clock.advance(0);
    assert.equal(failing.result.prize, 'b1');
    assert.equal(failing.defeats.a?.failures[0]?.way, undefined);
    const slow = world({
      a: { ways: [{ opens: 0 }], resolvesMs: 'never' },
      b: ['silent'],
      c: [{ opens: 1 }],
    });
    await slow.clock.advance(501);
    assert.deepEqual([slow.log, slow.result.prize], [['b1@250', 'c1@500'], 'c1']);
    assert.equal(slow.clock.pending, 0);
  });

  test('gives back what opens too late', async () => {
    const { clock, seen, result } = world({ a: [{ opens: 400, deaf: true }], b: [{ opens: 10 }] });
    await clock.advance(400);
    assert.deepEqual([result.prize, seen.discarded], ['b1', ['a1']]);
  });

  test('without contestants resolves with nothing', async () => {
    const { result } = world({});
    await settle();
    assert.deepEqual(result, { settled: true, prize: undefined });
  });
});

describe('aborting a race', () => {
  test('while ways are sought or gone rejects with the reason and leaves nothing', async () => {
    const { clock, abort, under, defeats, result } = world({
      a: { ways: [], resolvesMs: 'never' },
      b: silent(3),
    });
    await clock.advance(600);
    const reason = new Error('moved on');
    abort.abort(reason);
    await settle();
    assert.deepEqual([result.rejected, under.size, defeats], [reason, 0, {}]);
    assert.equal(clock.pending, 0);
  });

  test('from inside the report of a loss starts nothing further', async () => {
    const { clock, abort, hooks, log, result } = world({ a: [{ fails: 1 }], b: [{ opens: 1 }] });
    hooks.lost = () => abort.abort();
    await clock.advance(5_000);
    assert.deepEqual(log, ['a1@0']);
    assert.ok(result.rejected);
    assert.equal(clock.pending, 0);
  });
});

test('any race ends, within its limit, with one prize or every defeat, and leaves nothing open', async () => {
  const delay = fc.integer({ min: 0, max: 6_000 });
  const way: fc.Arbitrary<Answer> = fc.oneof(
    fc.constant('silent' as const),
    fc.record({ opens: delay }),
    fc.record({ opens: delay, deaf: fc.constant(true as const) }),
    fc.record({ fails: delay }),
  );
  const plan: fc.Arbitrary<Plan> = fc.record({
    ways: fc.array(way, { minLength: 1, maxLength: 6 }),
    preparesMs: fc.constantFrom(0, 0, 700),
    resolvesMs: fc.constantFrom<Plan['resolvesMs'] & {}>(0, 0, 0, 30, 600, 'never', 'fails'),
  });
  const limit = fc.integer({ min: 1, max: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 4 }), limit, async (plans, limit) => {
      const named = Object.fromEntries(plans.map((each, at) => ['abcd'[at] as string, each]));
      const { clock, log, defeats, inside, seen, under, result } = world(named, { limit });
      // The slowest: everybody in turn, after a preparation, up to the deadline; and the last deaf ones.
      await clock.advance(plans.length * 5_700 + 6_000);
      assert.ok(result.settled);
      assert.ok(seen.most <= limit, `${seen.most} at once`);
      const started = log.map((entry) => entry.replace(/@.*/, ''));
      assert.equal(new Set(started).size, started.length);
      if (result.prize === undefined) assert.equal(Object.keys(defeats).length, plans.length);
      const kept = seen.opened.filter((prize) => !seen.discarded.includes(prize));
      assert.deepEqual(kept, result.prize === undefined ? [] : [result.prize]);
      assert.deepEqual([under.size, inside.size, clock.pending], [0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});
