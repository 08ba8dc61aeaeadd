/** Passive health: when an endpoint is taken out, for how long, and in which order the rest is tried. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FailoverError } from '../../../src/errors.js';
import { HealthBook, SHORT_LINK_MS } from '../../../src/health/health-book.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';
import { Recorder } from '../fakes/recorder.js';

const BOUNDS = { failures: 2, ejectMs: 30_000, maxEjectMs: 100_000, panicAbove: 0.5 };

function world(bounds: Partial<typeof BOUNDS> = {}, draw = 0) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const book = new HealthBook({ ...BOUNDS, ...bounds }, clock, fixedRandom(draw), events);
  const fail = (id: string, times = 1) => {
    for (let i = 0; i < times; i++) book.failed(id, `${id} broke`);
  };
  return { clock, events, book, fail };
}

const all = ['a', 'b', 'c', 'd', 'e'].map((id) => endpoint(id));
const order = (book: HealthBook, ranked = all) =>
  book
    .order(ranked)
    .map(({ id }) => id)
    .join('');

describe('health book', () => {
  test('calls the unknown healthy', () => {
    assert.deepEqual(world().book.view('x'), { state: 'healthy', reason: null, retryAt: null });
  });

  test('suspects at the first failure, ejects at the second, and tells each change once', () => {
    const { clock, events, book, fail } = world({ failures: 3 });
    fail('a', 3);
    assert.deepEqual(events.of('health'), [
      { endpoint: 'a', state: 'suspect', reason: 'a broke', until: null },
      { endpoint: 'a', state: 'ejected', reason: 'a broke', until: clock.wallNow() + 30_000 },
    ]);
    assert.deepEqual(book.view('a'), {
      state: 'ejected',
      reason: 'a broke',
      retryAt: clock.wallNow() + 30_000,
    });
  });

  test('clears at CONNACK, and says nothing of what was healthy already', () => {
    const { events, book, fail } = world();
    book.accepted('a');
    fail('a', 2);
    book.accepted('a');
    book.accepted('a');
    assert.deepEqual(
      events.of('health').map(({ state, reason }) => [state, reason]),
      [
        ['suspect', 'a broke'],
        ['ejected', 'a broke'],
        ['healthy', 'accepted'],
      ],
    );
    assert.deepEqual(book.view('a'), { state: 'healthy', reason: null, retryAt: null });
  });

  test('shows the time of return by the wall clock of now', () => {
    const { clock, book, fail } = world();
    fail('a', 2);
    clock.shiftWall(3_600_000);
    assert.equal(book.view('a').retryAt, clock.wallNow() + 30_000);
  });

  test('is half open when the ejection is over: a suspect that may be tried', async () => {
    const { clock, book, fail } = world();
    fail('a', 2);
    await clock.advance(29_999);
    assert.equal(book.view('a').state, 'ejected');
    assert.equal(order(book), 'bcdea');
    await clock.advance(1);
    assert.deepEqual(book.view('a'), { state: 'suspect', reason: 'a broke', retryAt: null });
    assert.equal(order(book), 'abcde');
  });

  test('is ejected again by the first failure of its half-open time', async () => {
    const { clock, events, fail } = world();
    fail('a', 2);
    await clock.advance(30_000);
    fail('a');
    assert.deepEqual(
      events.of('health').map(({ state }) => state),
      ['suspect', 'ejected', 'ejected'],
    );
    assert.equal(events.of('health').at(-1)!.until! - clock.wallNow(), 60_000);
  });

  test('makes each ejection in a row longer, up to the maximum', async () => {
    const { clock, events, fail } = world();
    const lengths: number[] = [];
    for (let i = 0; i < 5; i++) {
      fail('a', 2);
      lengths.push(events.of('health').at(-1)!.until! - clock.wallNow());
      await clock.advance(100_000);
    }
    assert.deepEqual(lengths, [30_000, 60_000, 90_000, 100_000, 100_000]);
  });

  test('adds up to a fifth at random', () => {
    const { clock, book, fail } = world({}, 0.5);
    fail('a', 2);
    assert.equal(book.view('a').retryAt, clock.wallNow() + 33_000);
  });

  test('stays ejected, and says so, while it fails again during panic', () => {
    const { clock, events, book, fail } = world();
    fail('a', 2);
    const { retryAt } = book.view('a');
    fail('a');
    assert.deepEqual(book.view('a'), { state: 'ejected', reason: 'a broke', retryAt });
    assert.equal(order(book), 'bcdea');
    fail('a');
    assert.deepEqual(
      events.of('health').map(({ state, until }) => [state, until === null ? null : until - clock.wallNow()]),
      [
        ['suspect', null],
        ['ejected', 30_000],
      ],
    );
  });

  test('counts the end of a young link as a failure, across the CONNACKs between', () => {
    const { events, book } = world();
    book.accepted('a');
    book.linkEnded('a', SHORT_LINK_MS - 1, 'gone');
    book.accepted('a');
    book.linkEnded('a', 10, 'gone again');
    assert.deepEqual(
      events.of('health').map(({ state, reason }) => [state, reason]),
      [
        ['suspect', 'gone'],
        ['healthy', 'accepted'],
        ['ejected', 'gone again'],
      ],
    );
  });

  test('forgets failures, and one ejection, at the end of a link that held', async () => {
    const { clock, events, book, fail } = world();
    fail('a', 2);
    await clock.advance(30_000);
    fail('a', 2);
    book.accepted('a');
    book.linkEnded('a', SHORT_LINK_MS, 'gone');
    assert.equal(book.view('a').state, 'healthy');
    fail('a', 2);
    assert.equal(events.of('health').at(-1)!.until! - clock.wallNow(), 60_000);
  });

  test('forgets endpoints that left the list', () => {
    const { book, fail } = world();
    fail('a', 2);
    fail('b', 2);
    book.retain([endpoint('b')]);
    assert.equal(book.view('a').state, 'healthy');
    assert.equal(book.view('b').state, 'ejected');
  });
});

describe('an unfit endpoint', () => {
  test('is left out of the order and named unusable, and does not count for panic', () => {
    const { events, book, fail } = world();
    book.unfit(all[0]!, new FailoverError('ERR_REFUSED', 'too old'));
    book.unfit(all[0]!, new FailoverError('ERR_REFUSED', 'too old'));
    fail('b', 2);
    fail('c', 2);
    assert.equal(order(book), 'debc');
    assert.deepEqual(book.view('a'), { state: 'unusable', reason: 'too old', retryAt: null });
    assert.deepEqual(
      events.of('health').map(({ endpoint: id, state }) => `${id} ${state}`),
      ['a unusable', 'b suspect', 'b ejected', 'c suspect', 'c ejected'],
    );
  });

  test('gets a new chance when its entry in the list has changed', () => {
    const { book } = world();
    book.unfit(all[0]!, new FailoverError('ERR_REFUSED', 'too old'));
    book.retain(all);
    assert.equal(order(book), 'bcde');
    const changed = [endpoint('a', { weight: 2 }), ...all.slice(1)];
    book.retain(changed);
    assert.equal(order(book, changed), 'abcde');
  });
});

describe('order', () => {
  test('is the ranking while nothing is ejected', () => {
    const { book, fail } = world();
    fail('a');
    assert.equal(order(book), 'abcde');
  });

  test('puts ejected endpoints last, the earliest return first (R134)', async () => {
    const { clock, book, fail } = world();
    fail('b', 2);
    await clock.advance(1_000);
    fail('a', 2);
    assert.equal(order(book), 'cdeba');
  });

  test('is the ranking again when more than the panic share is out', () => {
    const { book, fail } = world();
    for (const [id, expected] of [
      ['a', 'bcdea'],
      ['c', 'bdeac'],
      ['b', 'abcde'],
      ['d', 'abcde'],
      ['e', 'abcde'],
    ] as const) {
      fail(id, 2);
      assert.equal(order(book), expected);
    }
  });

  test('never panics with panicAbove 1: all ejected, the earliest return first', async () => {
    const { clock, book, fail } = world({ panicAbove: 1 });
    for (const id of ['c', 'e', 'a', 'd', 'b']) {
      fail(id, 2);
      await clock.advance(10);
    }
    assert.equal(order(book), 'ceadb');
  });

  test('panics at the first ejection with panicAbove 0', () => {
    const { book, fail } = world({ panicAbove: 0 });
    fail('a', 2);
    assert.equal(order(book), 'abcde');
  });

  test('prefers a healthy endpoint of a later tier to an ejected one of the first', () => {
    const tiers = [endpoint('a'), endpoint('b'), endpoint('z', { priority: 9 })];
    const { book, fail } = world();
    fail('a', 2);
    assert.equal(order(book, tiers), 'bza');
  });

  test('does not change the ranking that it was given', () => {
    const { book, fail } = world();
    const ranked = Object.freeze([...all]);
    fail('a', 2);
    fail('b', 2);
    assert.equal(order(book, ranked as typeof all), 'cdeab');
  });
});
