/** Places to open transports in: never too many, never held by who has left, and those in need go first. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIAL_BOUNDS, DialBudget, type DialPurpose } from '../../../src/dial/dial-budget.js';
import { settle } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

/** Dials that are open until the test closes them. */
function world(bounds = { atOnce: 4, perAddress: 2, probesPerAddress: 1 }) {
  const budget = new DialBudget(bounds);
  const opened: string[] = [];
  const open = new Map<string, (outcome?: Error) => void>();
  const dial = (
    name: string,
    address = name,
    purpose: DialPurpose = 'connect',
    abort = new AbortController(),
  ) => {
    const result = budget.run(
      endpoint(address),
      purpose,
      abort.signal,
      () =>
        new Promise<string>((resolve, reject) => {
          opened.push(name);
          open.set(name, (error) => {
            open.delete(name);
            if (error) reject(error);
            else resolve(name);
          });
        }),
    );
    return { abort, result };
  };
  const close = async (name: string, outcome?: Error) => {
    open.get(name)!(outcome);
    await settle();
  };
  return { budget, dial, close, opened, open };
}

describe('the dial budget', () => {
  test('lets so many dial at once, and the next when one is done, whatever came of it', async () => {
    const { dial, close, opened } = world();
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => dial(name).result);
    await settle();
    assert.deepEqual(opened, ['a', 'b', 'c', 'd']);
    await close('b');
    assert.deepEqual(opened.slice(4), ['e']);
    assert.equal(await all[1], 'b');
    const failed = assert.rejects(all[0]!, /refused/);
    await close('a', new Error('refused'));
    await failed;
    assert.deepEqual(opened.slice(4), ['e', 'f']);
  });

  test('keeps places free beside an address that swallows every dial', async () => {
    const { dial, opened } = world();
    for (const name of ['hole1', 'hole2', 'hole3', 'hole4', 'hole5']) void dial(name, 'hole');
    void dial('b');
    await settle();
    assert.deepEqual(opened, ['hole1', 'hole2', 'b']);
  });

  test('gives a place that was waited for back when its dial is aborted, and never calls it', async () => {
    const { budget, dial, close, opened } = world({ atOnce: 1, perAddress: 1, probesPerAddress: 1 });
    void dial('a');
    const second = dial('a2', 'a');
    const third = dial('b');
    const fourth = dial('c');
    await settle();
    second.abort.abort(new Error('no longer wanted'));
    third.abort.abort(new Error('no longer wanted'));
    await assert.rejects(second.result, /no longer wanted/);
    await assert.rejects(third.result, /no longer wanted/);
    await close('a');
    assert.deepEqual(opened, ['a', 'c']);
    await close('c');
    assert.equal(await fourth.result, 'c');
    assert.equal(budget.lanes, 0);
  });

  test('keeps the place of a dial that was aborted until it is really over', async () => {
    const { dial, close, opened } = world({ atOnce: 1, perAddress: 1, probesPerAddress: 1 });
    const first = dial('a');
    void dial('b');
    await settle();
    first.abort.abort();
    await settle();
    assert.deepEqual(opened, ['a']);
    await close('a');
    assert.deepEqual(opened, ['a', 'b']);
  });

  test('does not begin what was aborted before', async () => {
    const { budget, dial, opened } = world();
    const abort = new AbortController();
    abort.abort(new Error('too late'));
    await assert.rejects(dial('a', 'a', 'connect', abort).result, /too late/);
    await settle();
    assert.deepEqual([opened, budget.lanes], [[], 0]);
  });

  test('lets clients without a link go before probes, and a few probes at an address at once', async () => {
    const { dial, close, opened } = world({ atOnce: 1, perAddress: 2, probesPerAddress: 1 });
    void dial('a');
    void dial('probe1', 'home', 'probe');
    void dial('probe2', 'home', 'probe');
    await settle();
    void dial('b');
    void dial('home');
    for (const name of ['a', 'b', 'home', 'probe1', 'probe2']) {
      await settle();
      await close(name);
    }
    assert.deepEqual(opened, ['a', 'b', 'home', 'probe1', 'probe2']);
  });

  test('forgets addresses that nobody dials', async () => {
    const { budget, dial, close } = world();
    for (let n = 0; n < 1_000; n += 1) {
      void dial(`n${n}`);
      await settle(3);
      await close(`n${n}`);
    }
    assert.equal(budget.lanes, 0);
  });

  test('leaves, by default, a descriptor limit of 1024 and a listen queue of 100 in peace', () => {
    assert.ok(DIAL_BOUNDS.atOnce <= 1_024 / 8);
    assert.ok(DIAL_BOUNDS.perAddress <= 100 / 3);
    assert.ok(DIAL_BOUNDS.atOnce >= 3 * DIAL_BOUNDS.perAddress);
  });
});
