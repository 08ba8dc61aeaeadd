/** The watcher's second look at answers, its pace, and lists that are pushed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { losesMost, type RefusalOf } from '../../../src/discovery/guards.js';
import { nextRefreshMs } from '../../../src/discovery/refresh.js';
import type { EndpointSet, Resolver } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import type { NodeState } from '../../../src/endpoint.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';
import { Recorder } from '../fakes/recorder.js';

/** `a b- c~`: c is draining, b is down. */
function set(text: string, fields: Partial<EndpointSet> = {}): EndpointSet {
  const states: Record<string, NodeState> = { '-': 'down', '~': 'draining' };
  const endpoints = text
    .split(' ')
    .filter(Boolean)
    .map((word) => endpoint(word.replace(/[-~]/, ''), { state: states[word.slice(-1)] ?? 'up' }));
  return { endpoints, source: 'registry', confirmShrink: true, ...fields };
}

/** A watcher over a source that answers as `answer` stands. */
function world(first: EndpointSet, random = 0.5, refusal?: RefusalOf) {
  const clock = new VirtualClock();
  const events = new Recorder();
  let push: ((set: EndpointSet) => void) | undefined;
  let pushFailed: ((error: unknown) => void) | undefined;
  const at: number[] = [];
  const start = clock.now();
  const source: { answer: EndpointSet | Error; watched: AbortSignal | undefined } = {
    answer: first,
    watched: undefined,
  };
  const resolver: Resolver = {
    refreshJitter: 0.2,
    resolve: async () => {
      at.push(clock.now() - start);
      if (source.answer instanceof Error) throw source.answer;
      return source.answer;
    },
    watch: (onChange, onFailure, signal) => {
      [push, pushFailed, source.watched] = [onChange, onFailure, signal];
    },
  };
  const watcher = new Watcher({
    resolver,
    clock,
    random: fixedRandom(random),
    events,
    refreshMs: 30_000,
    refusal,
  });
  const ids = () => watcher.current?.endpoints.map(({ id }) => id).join('');
  const errors = () => events.of('discovery-error').map(({ error }) => error.message);
  return {
    clock,
    events,
    watcher,
    source,
    at,
    ids,
    errors,
    push: (s: EndpointSet) => push?.(s),
    pushFailed: (e: unknown) => pushFailed?.(e),
  };
}

describe('a great loss (R47)', () => {
  test('is more than half of four or more, removed or down', () => {
    const lost = (before: string, after: string) => losesMost(set(before), set(after));
    assert.equal(lost('a b c d', 'a'), true);
    assert.equal(lost('a b c d', 'a b'), false);
    assert.equal(lost('a b c d', 'a b- c- d-'), true);
    assert.equal(lost('a b c d', 'a b- c-'), true);
    assert.equal(lost('a b c d', 'a~ b~ c~ d~'), false);
    assert.equal(lost('a b c d', 'e f g h'), true);
    assert.equal(lost('a b c', ''), false);
    assert.equal(lost('a b c d- e-', 'a'), false);
    assert.equal(losesMost(undefined, set('a')), false);
    assert.equal(losesMost(set('a b c d'), { ...set('a'), confirmShrink: undefined as never }), false);
  });

  test('is applied when an answer five seconds later has it too, and asked for then', async () => {
    const { clock, watcher, source, at, ids, errors } = world(set('a b c d', { ttlMs: 60_000 }));
    await watcher.refresh();
    source.answer = set('a');
    await clock.advance(60_000);
    assert.equal(ids(), 'abcd');
    assert.match(errors()[0]!, /loses more than half/);
    await clock.advance(5_499);
    assert.equal(ids(), 'abcd');
    await clock.advance(1);
    assert.equal(ids(), 'a');
    assert.deepEqual(at, [0, 60_000, 65_500]);
    assert.equal(watcher.status().error, null);
  });

  test('is not confirmed by an answer within five seconds, nor after a good one in between', async () => {
    const { clock, watcher, source, ids } = world(set('a b c d'));
    await watcher.refresh();
    source.answer = set('a');
    await watcher.refresh();
    await clock.advance(4_000);
    await watcher.refresh();
    assert.equal(ids(), 'abcd');
    source.answer = set('a b c d');
    await watcher.refresh();
    await clock.advance(4_000);
    source.answer = set('a');
    await watcher.refresh();
    assert.equal(ids(), 'abcd');
  });
});

test('a list of which nothing may be dialed does not take the place of a good one (R171)', async () => {
  const evil = (id: string) => endpoint(id, { authority: `${id}.evil` });
  const refusal: RefusalOf = ({ host }) => (host.endsWith('.evil') ? `${host} is not ours` : undefined);
  const w = world(set('a b'), 0.5, refusal);
  await w.watcher.refresh();
  w.source.answer = { ...set(''), endpoints: [evil('a'), evil('b')] };
  await w.watcher.refresh().catch(() => {});
  w.push({ ...set(''), endpoints: [evil('b')] });
  assert.deepEqual([w.ids(), w.watcher.current?.endpoints[0]?.host], ['ab', 'a.test']);
  assert.match(w.errors().join(), /no endpoint that may be dialed: a.evil is not ours/);
  w.source.answer = { ...set('b'), endpoints: [...set('b').endpoints, evil('x')] };
  await w.watcher.refresh();
  assert.equal(w.ids(), 'bx');
  w.watcher.stop();
});

test('a list that is empty on purpose is applied, another is a failure (R46)', async () => {
  const { watcher, source, ids, errors } = world(set('a b'));
  await watcher.refresh();
  source.answer = set('');
  await watcher.refresh();
  assert.deepEqual([ids(), errors()], ['ab', ['Discovery failed: the list has no endpoints']]);
  source.answer = set('', { empty: true });
  await watcher.refresh();
  assert.equal(ids(), '');
});

test('a list much older than the one in use is ignored with a warning (R48)', async () => {
  const now = 1_700_000_000_000;
  const { watcher, source, ids, errors } = world(set('a', { generatedAt: now }));
  await watcher.refresh();
  for (const [generatedAt, expected] of [
    [now - 300_001, 'a'],
    [now - 300_000, 'b'],
    [now + 5, 'b'],
  ] as const) {
    source.answer = set('b', { generatedAt });
    await watcher.refresh();
    assert.equal(ids(), expected);
  }
  assert.deepEqual(errors(), ['Discovery failed: the list is older than the one in use']);
});

test('what of a list cannot be used is told once', async () => {
  const { watcher, source, errors } = world(set('a', { skipped: ['nodes[1]: weight'] }));
  await watcher.refresh();
  await watcher.refresh();
  assert.deepEqual(errors(), ['Discovery failed: some of the list cannot be used: nodes[1]: weight']);
  assert.equal(watcher.status().error, null);
  source.answer = set('a');
  await watcher.refresh();
  assert.equal(errors().length, 1);
});

describe('the wait for the next question', () => {
  const draws = [0, 0.5, 0.999_999];
  const waits = (jitter: number, last: object) =>
    draws.map((draw) => Math.round(nextRefreshMs(30_000, jitter, last, fixedRandom(draw))));

  test('follows the life of the answer, and never cuts a Retry-After short', () => {
    assert.deepEqual(waits(0.1, {}), [27_000, 30_000, 33_000]);
    assert.deepEqual(waits(0.2, { ttlMs: 10_000 }), [8_000, 10_000, 12_000]);
    assert.deepEqual(waits(0.1, { retryAfterMs: 10_000 }), [10_000, 11_000, 12_000]);
  });

  test('is bounded whatever a source says', () => {
    assert.deepEqual(waits(0.1, { ttlMs: 0 }), [900, 1_000, 1_100]);
    assert.deepEqual(waits(0, { ttlMs: 1e15 }), Array(3).fill(86_400_000));
  });

  test('after a failure is ten seconds and growing, or what the failure says', async () => {
    const { clock, watcher, source } = world(set('a', { ttlMs: 300_000 }));
    await watcher.refresh();
    assert.equal(clock.nextIn, 300_000);
    source.answer = new Error('x');
    await clock.advance(300_000);
    assert.equal(clock.nextIn, 10_000);
    await clock.advance(10_000);
    assert.equal(clock.nextIn, 20_000);
    source.answer = Object.assign(new Error('x'), { retryAfterMs: 4_000 });
    await clock.advance(20_000);
    assert.equal(clock.nextIn, 4_400);
  });

  test('spreads a fleet that started at once: no second has twice the mean (R53)', async () => {
    const clock = new VirtualClock();
    const random = new SeededRandom(3);
    const answer = set('a', { ttlMs: 30_000 });
    const polls: number[] = [];
    const start = clock.now();
    const resolver: Resolver = {
      refreshJitter: 0.2,
      resolve: () => {
        polls.push(clock.now() - start);
        return Promise.resolve(answer);
      },
    };
    const fleet = Array.from({ length: 1_000 }, () => {
      return new Watcher({ resolver, clock, random, events: new Recorder(), refreshMs: 30_000 });
    });
    await Promise.all(fleet.map((watcher) => watcher.refresh()));
    // Ten rounds take the common start out of it.
    await clock.advance(300_000);
    const mixed = polls.length;
    await clock.advance(60_000);
    const seconds = new Map<number, number>();
    for (const at of polls.slice(mixed))
      seconds.set(Math.floor(at / 1_000), (seconds.get(Math.floor(at / 1_000)) ?? 0) + 1);
    const mean = (polls.length - mixed) / 60;
    assert.ok(Math.max(...seconds.values()) <= 2 * mean, `${Math.max(...seconds.values())} of mean ${mean}`);
    for (const watcher of fleet) watcher.stop();
    assert.equal(clock.pending, 0);
  });
});

describe('a pushed list', () => {
  test('goes the way of an answer, and leaves the next question where it was', async () => {
    const { clock, events, watcher, push, ids } = world(set('a', { ttlMs: 60_000 }));
    await watcher.refresh();
    await clock.advance(50_000);
    push(set('a b', { ttlMs: 60_000 }));
    push(set('a b', { ttlMs: 60_000 }));
    assert.equal(ids(), 'ab');
    assert.equal(clock.nextIn, 10_000);
    assert.deepEqual(
      events.of('topology').map(({ added }) => added),
      [['a'], ['b']],
    );
  });

  test('that loses most is asked for again soon', async () => {
    const { clock, watcher, source, push, ids } = world(set('a b c d', { ttlMs: 60_000 }));
    await watcher.refresh();
    push(set('a'));
    assert.deepEqual([ids(), clock.nextIn], ['abcd', 5_500]);
    source.answer = set('a');
    await clock.advance(5_500);
    assert.equal(ids(), 'a');
  });

  test('channel that breaks is told, and is no failure of discovery', async () => {
    const { watcher, pushFailed, errors } = world(set('a'));
    await watcher.refresh();
    pushFailed(new Error('GET https://u:p@h/?t=1 broke'));
    assert.deepEqual(errors(), ['Discovery failed: push: GET https://h/?… broke']);
    assert.equal(watcher.status().error, null);
  });

  test('is wanted from the first question to the stop, once', async () => {
    const { watcher, source, push, pushFailed, ids, errors } = world(set('a'));
    await watcher.refresh();
    const first = source.watched;
    await watcher.refresh();
    assert.equal(source.watched, first);
    watcher.stop();
    assert.equal(first?.aborted, true);
    push(set('b'));
    pushFailed(new Error('late'));
    assert.deepEqual([ids(), errors()], ['a', []]);
    await watcher.refresh();
    assert.notEqual(source.watched, first);
  });
});
