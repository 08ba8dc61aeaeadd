/**
 * Leaving an endpoint that the operator takes away, told as moves.
 *
 * World: the client is on `b`; the list, the other endpoints and the supervisor's `move` are as the test says. Time is
 * virtual, and every draw is 0.5, so waits after failures are 5, 10, 20, 40 and then 60 s.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Departure } from '../../../src/connection/departure.js';
import type { MoveOptions } from '../../../src/connection/move.js';
import type { Endpoint, EndpointInit } from '../../../src/endpoint.js';
import { hashShare } from '../../../src/selection/murmur3.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

interface Setup {
  readonly clock?: VirtualClock;
  readonly clientId?: string;
  readonly hintMs?: number;
  readonly spreadMs?: number;
}

interface World {
  readonly clock: VirtualClock;
  readonly moves: { to: string; at: number; reason: string; how: MoveOptions }[];
  current: Endpoint | undefined;
  /** Runs before a move settles; what it throws is how the move fails. */
  onMove: (to: string) => void;
  /** Departures that came about. */
  moved: number;
  /** The operator's word on `b`, or none when it is not in the list, and on `a`. */
  say(init: Partial<EndpointInit> | undefined, ofA?: Partial<EndpointInit>): void;
  /** The link to `id` takes the place of the one before. */
  link(id: string): void;
  /** Moves as `id@milliseconds`. */
  readonly log: string[];
  readonly departure: Departure;
}

function world({ clock = new VirtualClock(), clientId = 'c', hintMs, spreadMs = 100 }: Setup = {}) {
  const startedAt = clock.now();
  let list: readonly Endpoint[] = ['a', 'b', 'd'].map((id) => endpoint(id));
  const moves: World['moves'] = [];
  const w: World = {
    clock,
    moves,
    current: endpoint('b'),
    onMove: () => {},
    moved: 0,
    say: (init, ofA = {}) => {
      const others = [endpoint('a', ofA), endpoint('d')];
      list = init ? [...others, endpoint('b', init)] : others;
      w.departure.listChanged();
    },
    link: (id) => {
      w.departure.linkDown();
      w.current = endpoint(id);
      w.departure.linkUp();
    },
    get log(): string[] {
      return moves.map(({ to, at }) => `${to}@${at}`);
    },
    departure: new Departure({
      clock,
      random: fixedRandom(0.5),
      clientId: () => clientId,
      current: () => w.current,
      leaveWord: ({ id }) => {
        const state = list.find((each) => each.id === id)?.state ?? 'unlisted';
        return state === 'up' ? undefined : state;
      },
      listed: ({ id }) => list.find((each) => each.id === id),
      eligible: () => list.filter(({ state }) => state === 'up'),
      hintMs: () => hintMs,
      spreadMs,
      move: async (to, reason, how) => {
        moves.push({ to, at: clock.now() - startedAt, reason, how });
        w.onMove(to);
        w.link(to);
      },
      moved: () => {
        w.moved += 1;
      },
    }),
  };
  w.departure.linkUp();
  return w;
}

const HOUR = 3_600_000;
const refuse = () => {
  throw new Error('ECONNREFUSED');
};
/** The slot of client `c` in a window. */
const slot = (windowMs: number) => hashShare('c') * windowMs;

describe('an endpoint that is', () => {
  const wall = new VirtualClock().wallNow();
  const cases: [string, Partial<EndpointInit> | undefined, Setup, number, string][] = [
    ['draining is left in a slot of a minute', { state: 'draining' }, {}, 60_000, 'the endpoint is draining'],
    ['unlisted is left in a slot of a minute', undefined, {}, 60_000, 'the endpoint left the list'],
    [
      'draining until a time is left before it',
      { state: 'draining', drainBy: wall + 20_000 },
      {},
      20_000,
      'the endpoint is draining',
    ],
    [
      'draining until later than the window is left within the window',
      { state: 'draining', drainBy: wall + HOUR },
      {},
      60_000,
      'the endpoint is draining',
    ],
    [
      'draining for longer than it should is left at once',
      { state: 'draining', drainBy: wall - 1 },
      {},
      100,
      'the endpoint is draining',
    ],
    [
      'draining is left within the spread that the operator names',
      { state: 'draining' },
      { hintMs: 300_000 },
      300_000,
      'the endpoint is draining',
    ],
    [
      'draining is left within ten minutes, whatever the list asks for',
      { state: 'draining', drainBy: wall + 10 * HOUR },
      { hintMs: 1e12 },
      600_000,
      'the endpoint is draining',
    ],
    [
      'down is not left sooner than the spread because the list names a shorter one',
      { state: 'down' },
      { hintMs: 10, spreadMs: 1_000 },
      1_000,
      'the list says that the endpoint is down',
    ],
    [
      'down is left at once, within the spread',
      { state: 'down' },
      {},
      100,
      'the list says that the endpoint is down',
    ],
    [
      'down is left within the spread that the operator names',
      { state: 'down', drainBy: wall + 20_000 },
      { hintMs: 5_000 },
      5_000,
      'the list says that the endpoint is down',
    ],
  ];
  for (const [name, word, setup, windowMs, reason] of cases) {
    test(name, async () => {
      const w = world(setup);
      w.say(word);
      await w.clock.advance(slot(windowMs) - 1);
      assert.deepEqual(w.moves, []);
      await w.clock.advance(2);
      assert.deepEqual(w.moves, [
        { to: 'a', at: slot(windowMs), reason, how: { event: 'move', patient: false } },
      ]);
      assert.deepEqual([w.moved, w.clock.pending], [1, 0]);
    });
  }

  test('up is never left', async () => {
    const w = world();
    w.say({});
    await w.clock.advance(HOUR);
    assert.deepEqual([w.log, w.clock.pending], [[], 0]);
  });

  test('draining when the link comes about is left, too', async () => {
    const w = world();
    w.departure.linkDown();
    w.say({ state: 'draining' });
    assert.equal(w.clock.pending, 0);
    w.link('b');
    await w.clock.advance(60_000);
    assert.deepEqual(w.log, [`a@${slot(60_000)}`]);
  });

  test('draining is not left by a fleet of 1000 in one second (R142)', async () => {
    for (const word of [{ state: 'draining' }, undefined] as const) {
      const clock = new VirtualClock();
      const fleet = Array.from({ length: 1_000 }, (_, i) => world({ clock, clientId: `client-${i}` }));
      for (const { say } of fleet) say(word);
      await clock.advance(60_000);
      const bins = Array<number>(60).fill(0);
      for (const { moves } of fleet) {
        assert.equal(moves.length, 1);
        const bin = Math.floor(moves[0]!.at / 1_000);
        bins[bin] = bins[bin]! + 1;
      }
      assert.ok(Math.max(...bins) <= 2 * (1_000 / 60), bins.join(' '));
    }
  });
});

describe('an order that changes', () => {
  test('is void when the endpoint is up again before the slot', async () => {
    const w = world();
    w.say({ state: 'draining' });
    await w.clock.advance(slot(60_000) - 1);
    w.say({});
    await w.clock.advance(HOUR);
    assert.deepEqual([w.log, w.clock.pending], [[], 0]);
  });

  test('keeps the slot when the list changes in other ways', async () => {
    const w = world();
    w.say({ state: 'draining' });
    await w.clock.advance(slot(60_000) - 10);
    w.say({ state: 'draining', weight: 2 });
    await w.clock.advance(10);
    assert.deepEqual(w.log, [`a@${slot(60_000)}`]);
  });

  test('moves the slot when drainBy comes nearer', async () => {
    const w = world();
    w.say({ state: 'draining' });
    await w.clock.advance(1_000);
    w.say({ state: 'draining', drainBy: w.clock.wallNow() + 9_000 });
    await w.clock.advance(9_000);
    assert.deepEqual(w.log, [`a@${Math.max(1_000, slot(10_000))}`]);
  });

  test('from draining to down is obeyed now', async () => {
    const w = world();
    w.say({ state: 'draining' });
    await w.clock.advance(1_000);
    w.say({ state: 'down' });
    await w.clock.advance(100);
    assert.deepEqual(w.log, [`a@${1_000 + slot(100)}`]);
  });
});

describe('a departure', () => {
  test('goes to the next endpoint when one cannot be reached', async () => {
    const w = world();
    w.onMove = (to) => (to === 'a' ? refuse() : undefined);
    w.say({ state: 'down' });
    await w.clock.advance(100);
    assert.deepEqual([w.moves.map(({ to }) => to), w.current?.id, w.moved], [['a', 'd'], 'd', 1]);
  });

  test('stays where nothing else can be reached, and tries again ever more rarely', async () => {
    const w = world();
    w.onMove = refuse;
    w.say({ state: 'down' });
    await w.clock.advance(200_000);
    const times = w.moves.filter(({ to }) => to === 'a').map(({ at }) => Math.round(at - slot(100)));
    assert.deepEqual(times, [0, 5_000, 15_000, 35_000, 75_000, 135_000, 195_000]);
    assert.deepEqual([w.current?.id, w.moved], ['b', 0]);
    w.onMove = () => {};
    await w.clock.advance(60_000);
    assert.deepEqual([w.current?.id, w.clock.pending], ['a', 0]);
  });

  test('is not hurried by a list that changes while attempts fail', async () => {
    const w = world();
    w.onMove = refuse;
    w.say({ state: 'down' });
    await w.clock.advance(200);
    for (let i = 0; i < 20; i += 1) {
      w.say({ state: 'down', weight: i });
      await w.clock.advance(100);
    }
    assert.equal(w.log.filter((move) => move.startsWith('a')).length, 1);
  });

  test('that ends up where it began waits before the next attempt', async () => {
    const w = world();
    w.onMove = (): never => {
      // CONNECT was refused after the old link was left, and the client is back.
      w.link('b');
      throw new Error('refused');
    };
    w.say({ state: 'down' });
    await w.clock.advance(4_999);
    assert.deepEqual(w.log, [`a@${slot(100)}`]);
    await w.clock.advance(10_000);
    assert.deepEqual(w.moves.length, 2);
    assert.equal(w.clock.pending, 1);
  });

  test('goes on to the next when the operator takes the new endpoint away during the move', async () => {
    const w = world();
    w.onMove = (to) => {
      if (to === 'a') w.say({ state: 'down' }, { state: 'down' });
    };
    w.say({ state: 'down' });
    await w.clock.advance(200);
    assert.deepEqual(w.log, [`a@${slot(100)}`, `d@${2 * slot(100)}`]);
    assert.deepEqual([w.current?.id, w.clock.pending], ['d', 0]);
  });

  for (const [name, at] of [
    ['before the slot', 1_000],
    ['between attempts', 61_000],
  ] as const) {
    test(`leaves no timer when the link ends ${name}`, async () => {
      const w = world();
      w.onMove = refuse;
      w.say({ state: 'draining' });
      await w.clock.advance(at);
      const { length } = w.moves;
      w.departure.linkDown();
      assert.equal(w.clock.pending, 0);
      await w.clock.advance(HOUR);
      assert.equal(w.moves.length, length);
    });
  }

  test('ends with the client in the middle of a move', async () => {
    const w = world();
    w.onMove = (): never => {
      w.departure.linkDown();
      w.current = undefined;
      throw new Error('the client was ended');
    };
    w.say({ state: 'down' });
    await w.clock.advance(HOUR);
    assert.deepEqual([w.moves.length, w.clock.pending], [1, 0]);
  });
});
