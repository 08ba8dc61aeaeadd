/**
 * Clients of one process tell each other facts of nodes, and draw their own conclusions (C7).
 *
 * World: health books over one shared part, each with its own events; clock virtual, no jitter unless a test says so.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FailoverError } from '../../../src/errors.js';
import { HealthBook } from '../../../src/health/health-book.js';
import { addressOf, hasOwnWay, isNodeFact } from '../../../src/health/node-facts.js';
import { SharedHealth } from '../../../src/health/shared-health.js';
import type { HealthBounds } from '../../../src/health/verdicts.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';
import { Recorder } from '../fakes/recorder.js';

const BOUNDS: HealthBounds = { failures: 2, ejectMs: 30_000, maxEjectMs: 100_000, panicAbove: 0.5 };
const list = ['a', 'b', 'c'].map((id) => endpoint(id));

function world() {
  const clock = new VirtualClock();
  const shared = new SharedHealth(clock);
  const join = (bounds: Partial<HealthBounds> = {}, endpoints = list) => {
    const events = new Recorder();
    const book = new HealthBook({ ...BOUNDS, ...bounds }, clock, fixedRandom(0), events, shared);
    book.retain(endpoints);
    const order = () =>
      book
        .order(endpoints)
        .map(({ id }) => id)
        .join('');
    const states = () => events.of('health').map(({ endpoint: id, state }) => `${id} ${state}`);
    return { book, events, order, states };
  };
  return { clock, shared, join };
}

describe('clients of one process', () => {
  test('learn of a dead node from two others, and need not dial it', () => {
    const { join } = world();
    const [one, two, third] = [join(), join(), join()];
    one.book.failed('a', 'refused', 'node');
    two.book.failed('a', 'refused', 'node');
    assert.deepEqual(third.states(), ['a suspect', 'a ejected']);
    assert.equal(third.order(), 'bca');
    assert.equal(third.events.of('health')[0]?.reason, 'as another client found: refused');
  });

  test('do not take the word of one client alone: what fails for it again and again may be its own fault', () => {
    const { join } = world();
    const [one, other] = [join(), join()];
    for (let n = 0; n < 10; n += 1) one.book.failed('a', 'refused', 'node');
    assert.deepEqual([one.order(), other.order()], ['bca', 'abc']);
    assert.deepEqual(other.states(), ['a suspect']);
    other.book.failed('a', 'refused', 'node');
    assert.equal(other.order(), 'bca');
  });

  test('keep what is their own to themselves', () => {
    const { clock, join } = world();
    const [one, other] = [join(), join()];
    one.book.failed('a', 'a bad certificate');
    one.book.failed('a', 'a bad certificate');
    one.book.unfit(list[1]!, new FailoverError('ERR_REFUSED', 'too old'));
    one.book.cool('c', 60_000, 'it sends us away');
    one.book.accepted('c');
    one.book.linkEnded('c', 10, 'gone');
    one.book.probed('b', false);
    assert.deepEqual(other.events.names, []);
    assert.deepEqual([other.order(), clock.pending], ['abc', 0]);
  });

  test('hear when a node accepts one of them again, and not before', async () => {
    const { clock, join } = world();
    const [one, two, third] = [join(), join(), join()];
    one.book.failed('a', 'refused', 'node');
    two.book.failed('a', 'refused', 'node');
    await clock.advance(10_000);
    two.book.accepted('a');
    assert.deepEqual(third.states(), ['a suspect', 'a ejected', 'a healthy']);
    assert.deepEqual([one.order(), third.order()], ['abc', 'abc']);
  });

  test("do not lift by their success what is another one's own trouble", () => {
    const { join } = world();
    const [one, other] = [join(), join()];
    one.book.cool('a', 60_000, 'it sends us away');
    one.book.failed('b', 'flapping');
    one.book.failed('b', 'flapping');
    other.book.accepted('a');
    other.book.accepted('b');
    assert.deepEqual(one.states(), ['a ejected', 'b suspect', 'b ejected']);
    assert.equal(one.book.view('a').state, 'ejected');
  });

  test('forget failures of a node that accepts others between them', () => {
    const { join } = world();
    const [one, two, third] = [join(), join(), join()];
    for (let n = 0; n < 10; n += 1) {
      one.book.failed('a', 'reset', 'node');
      two.book.accepted('a');
    }
    assert.equal(third.order(), 'abc');
    assert.equal(third.states().at(-1), 'a healthy');
  });

  test('rest a node together that shuts down', () => {
    const { clock, join } = world();
    const [one, other] = [join(), join()];
    one.book.cool('a', 33_000, 'shutting down', 'node');
    assert.deepEqual(other.events.of('health'), [
      {
        endpoint: 'a',
        state: 'ejected',
        reason: 'as another client found: shutting down',
        until: clock.wallNow() + 33_000,
      },
    ]);
  });

  test('say nothing of endpoints that are not in their list, and mean addresses, not ids', () => {
    const { join } = world();
    const one = join();
    const elsewhere = join({}, [endpoint('x')]);
    const renamed = join({}, [endpoint('mine', { authority: 'a.test' })]);
    const otherPort = join({}, [endpoint('a', { authority: 'a.test:1884' })]);
    const secure = join({}, [endpoint('a', { scheme: 'mqtts', authority: 'a.test:1883' })]);
    one.book.failed('a', 'refused', 'node');
    assert.deepEqual(renamed.states(), ['mine suspect']);
    for (const { events } of [elsewhere, otherPort, secure]) assert.deepEqual(events.names, []);
  });

  test('judge by bounds of their own', () => {
    const { clock, join } = world();
    const [one, strict, patient] = [
      join(),
      join({ failures: 1, ejectMs: 5_000 }),
      join({ failures: 5, ejectMs: 90_000 }),
    ];
    one.book.failed('a', 'refused', 'node');
    assert.equal(strict.book.view('a').retryAt, clock.wallNow() + 5_000);
    strict.book.failed('a', 'refused', 'node');
    assert.equal(one.book.view('a').retryAt, clock.wallNow() + 30_000);
    assert.deepEqual(patient.states(), ['a suspect']);
  });

  test('tell a new one what they know', async () => {
    const { clock, join } = world();
    const [one, two] = [join(), join()];
    one.book.failed('a', 'refused', 'node');
    two.book.failed('a', 'refused', 'node');
    one.book.failed('b', 'refused', 'node');
    one.book.cool('c', 60_000, 'shutting down', 'node');
    await clock.advance(10_000);
    const late = join({ panicAbove: 1 });
    assert.deepEqual(late.states(), ['a suspect', 'a ejected', 'b suspect', 'c ejected']);
    assert.equal(late.order(), 'bac');
    await clock.advance(30_000);
    assert.deepEqual(join().states(), ['c ejected']);
  });

  test('do not pass the word of one client on to a new one as that of two', () => {
    const { join } = world();
    const one = join();
    for (let n = 0; n < 10; n += 1) one.book.failed('a', 'refused', 'node');
    assert.deepEqual(join().states(), ['a suspect']);
  });

  test('forget how often a node was ejected when that is long ago', async () => {
    const { clock, join } = world();
    const { book } = join();
    for (const afterMs of [0, 30_000, 160_001]) {
      await clock.advance(afterMs);
      book.failed('a', 'refused', 'node');
      book.failed('a', 'refused', 'node');
    }
    assert.equal(book.view('a').retryAt, clock.wallNow() + 30_000);
  });

  test('hear nothing while they are ended, and ask again when they return', () => {
    const { join } = world();
    const [one, two, ended] = [join(), join(), join()];
    ended.book.leave();
    one.book.failed('a', 'refused', 'node');
    two.book.failed('a', 'refused', 'node');
    assert.deepEqual(ended.events.names, []);
    ended.book.retain(list);
    assert.equal(ended.order(), 'bca');
  });

  test('may end, restart and be made inside any event', () => {
    const { shared, join } = world();
    const [one, two, third] = [join(), join(), join()];
    let made = 0;
    two.events.listener = () => {
      third.book.leave();
      if (made++ < 100) join();
    };
    one.book.failed('a', 'refused', 'node');
    assert.deepEqual([made, third.events.names], [1, []]);
    assert.equal(shared.size, 3);
  });
});

describe('a node whose ejection is over', () => {
  /** Ejected for everybody, and just back. */
  async function returned() {
    const w = world();
    const clients = [w.join(), w.join(), w.join()] as const;
    for (const { book } of clients.slice(0, 2)) book.failed('a', 'refused', 'node');
    await w.clock.advance(30_000);
    return { ...w, clients };
  }

  test('is tried by the first that dials it; the others prefer other endpoints until it is accepted (R141)', async () => {
    const { clients } = await returned();
    const [one, two, third] = clients;
    assert.deepEqual(
      clients.map(({ order }) => order()),
      ['abc', 'abc', 'abc'],
    );
    one.book.attempt('a');
    two.book.attempt('a');
    assert.deepEqual([one.order(), two.order(), third.order()], ['abc', 'bca', 'bca']);
    one.book.accepted('a');
    assert.deepEqual([two.order(), third.states().at(-1)], ['abc', 'a healthy']);
  });

  test('is out again for all when the trial fails', async () => {
    const { clock, clients } = await returned();
    const [one, , third] = clients;
    one.book.attempt('a');
    one.book.failed('a', 'refused', 'node');
    assert.equal(third.order(), 'bca');
    assert.equal(third.book.view('a').retryAt, clock.wallNow() + 60_000);
  });

  test('is not kept out by the failures of one client alone', async () => {
    const { clock, clients } = await returned();
    const [one, , third] = clients;
    for (let n = 0; n < 3; n += 1) {
      one.book.attempt('a');
      one.book.failed('a', 'refused', 'node');
      await clock.advance(100_000);
    }
    one.book.attempt('a');
    one.book.failed('a', 'refused', 'node');
    assert.equal(third.order(), 'abc');
  });

  test('is open to the others when the trial comes to nothing within fifteen seconds, or its client ends', async () => {
    const { clock, clients } = await returned();
    const [one, two, third] = clients;
    one.book.attempt('a');
    await clock.advance(14_999);
    assert.equal(third.order(), 'bca');
    await clock.advance(1);
    assert.equal(third.order(), 'abc');
    two.book.attempt('a');
    assert.equal(third.order(), 'bca');
    two.book.leave();
    assert.equal(third.order(), 'abc');
  });

  test('is not waited for when nothing else is left', async () => {
    const { clients } = await returned();
    const [one, , third] = clients;
    one.book.attempt('a');
    third.book.cool('b', 60_000, 'out');
    third.book.cool('c', 60_000, 'out');
    assert.equal(third.order(), 'abc');
  });
});

describe('what is shared', () => {
  test('is forgotten with the last client that has the address: ten thousand leave nothing behind', () => {
    const { shared, join } = world();
    for (let n = 0; n < 10_000; n += 1) {
      const { book } = join({}, [endpoint(`n${n % 100}`), endpoint(`n${(n + 1) % 100}`)]);
      book.failed(`n${n % 100}`, 'refused', 'node');
      book.attempt(`n${n % 100}`);
      book.leave();
      book.failed(`n${n % 100}`, 'refused', 'node');
    }
    assert.equal(shared.size, 0);
  });

  test('is bounded by the lists of living clients, however often they change', () => {
    const { shared, join } = world();
    const { book } = join();
    for (let n = 0; n < 1_000; n += 1) book.retain([endpoint(`n${n}`), endpoint(`m${n}`)]);
    assert.equal(shared.size, 2);
  });

  test('never lets a client emit for others than its own endpoints, or twice the same but for ejections', () => {
    const ids = ['a', 'b', 'c'] as const;
    const step = fc.tuple(
      fc.nat(2),
      fc.constantFrom(...ids),
      fc.constantFrom('fail', 'accept', 'own', 'cool', 'attempt', 'leave', 'retain', 'wait'),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, shared, join } = world();
        const lists = [list, list.slice(0, 2), list.slice(1)];
        const clients = lists.map((each) => join({}, each));
        for (const [who, id, what] of steps) {
          const { book } = clients[who]!;
          const mine = lists[who]!;
          if (what === 'wait') clock.sleep(20_000);
          else if (what === 'leave') book.leave();
          else if (what === 'retain') book.retain(mine);
          else if (!mine.some((each) => each.id === id)) continue;
          else if (what === 'fail') book.failed(id, 'x', 'node');
          else if (what === 'own') book.failed(id, 'x');
          else if (what === 'cool') book.cool(id, 10_000, 'x', 'node');
          else if (what === 'attempt') book.attempt(id);
          else book.accepted(id);
          for (const [n, { events, order }] of clients.entries()) {
            const ordered = [...order()].sort().join('');
            assert.equal(ordered, lists[n]!.map((each) => each.id).join(''));
            for (const each of lists[n]!) {
              const told = events.of('health').filter((event) => event.endpoint === each.id);
              told.forEach(({ state }, i) => {
                assert.ok(state === 'ejected' || state !== told[i - 1]?.state, `${state} twice`);
              });
            }
            const known = new Set(lists[n]!.map((each) => each.id));
            assert.ok(events.of('health').every((event) => known.has(event.endpoint)));
          }
        }
        for (const { book } of clients) book.leave();
        assert.equal(shared.size, 0);
      }),
    );
  });
});

describe('facts of a node', () => {
  test('are what any client would find: unreachable, silent, busy, shutting down', () => {
    const facts = [
      ['socket', 'ECONNREFUSED'],
      ['socket', 'ECONNRESET'],
      ['link', 'transport-timeout'],
      ['link', 'connack-timeout'],
      ['link', 'closed-before-connack'],
      ['connack', 0x88],
      ['connack', 0x89],
      ['connack', 0x8b],
      ['disconnect', 0x8b],
    ] as const;
    for (const [kind, code] of facts) assert.ok(isNodeFact({ scheme: 'mqtt' }, { kind, code }), `${code}`);
  });

  test('are not what depends on who asks', () => {
    const own = [
      ['connack', 0x86],
      ['connack', 0x84],
      ['connack', 0x9c],
      ['disconnect', 0x8e],
      ['tls', 'CERT_HAS_EXPIRED'],
      ['http', 401],
      ['http', 429],
      ['link', 'silent'],
      ['link', 'closed'],
      ['socket', 'EMFILE'],
    ] as const;
    for (const [kind, code] of own) assert.ok(!isNodeFact({ scheme: 'mqtt' }, { kind, code }), `${code}`);
  });

  test('are no resets under TLS: it may be our certificate that is turned away', () => {
    for (const scheme of ['mqtts', 'wss'] as const) {
      assert.ok(!isNodeFact({ scheme }, { kind: 'socket', code: 'ECONNRESET' }));
      assert.ok(!isNodeFact({ scheme }, { kind: 'link', code: 'closed-before-connack' }));
      assert.ok(isNodeFact({ scheme }, { kind: 'socket', code: 'ECONNREFUSED' }));
    }
  });

  test('have no address where a client goes its own way', () => {
    assert.equal(addressOf(endpoint('a', { options: { transformWsUrl: (url: string) => url } })), undefined);
    assert.equal(addressOf(endpoint('a', { options: { wsOptions: { agent: {} } } as never })), undefined);
    assert.equal(addressOf(endpoint('a', { scheme: 'ws', path: '/mqtt?x=1' })), 'ws://a.test:80/mqtt?x=1');
    assert.ok(!hasOwnWay({ wsOptions: { headers: {} } } as never));
  });
});
