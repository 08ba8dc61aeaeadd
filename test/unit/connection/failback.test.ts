/**
 * The way home, told as probes and moves.
 *
 * World: the list `abc`, in that order of preference; the client is on `b` unless a test says otherwise. The network, the clock, chance and the supervisor's `move` are fakes. Every draw is 0.5, so a wait for a
 * probe is 10 s to the millisecond; home must be good for a minute, and the client's slot is at the window's start
 * unless a test opens a window.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Failback, type FailbackBounds } from '../../../src/connection/failback.js';
import type { MoveOptions } from '../../../src/connection/move.js';
import { FailoverError } from '../../../src/errors.js';
import type { Random } from '../../../src/platform/ports.js';
import { murmur3 } from '../../../src/selection/murmur3.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';

const refused = new Error('ECONNREFUSED');
const lost = new FailoverError('ERR_LINK', 'closed');

interface Setup extends Partial<FailbackBounds> {
  readonly clock?: VirtualClock;
  readonly random?: Random;
  readonly clientId?: string;
  readonly on?: string;
  readonly mayLeave?: () => boolean;
}

/** On a link to `on`, at time 0. */
async function linked({ clock = new VirtualClock(), on = 'b', ...given }: Setup = {}) {
  const { random = fixedRandom(0.5), clientId = 'c', mayLeave = () => true, ...bounds } = given;
  const startedAt = clock.now();
  const network = new FakeNetwork(clock);
  let list = 'abc';
  const known = new Map([...'abc'].map((id) => [id, endpoint(id)]));
  const health: string[] = [];
  const moves: { to: string; at: number; reason: string; how: MoveOptions }[] = [];
  interface World {
    readonly clock: VirtualClock;
    readonly network: FakeNetwork;
    readonly health: string[];
    readonly moves: { to: string; at: number; reason: string; how: MoveOptions }[];
    readonly moveLog: string[];
    readonly failback: Failback;
    current: string | undefined;
    moveError: Error | undefined;
    refusesConnect: boolean;
    onObserved: () => void;
    relist(ids: string): void;
    onMoved: () => void;
    link(id: string, end?: FailoverError): void;
  }
  const w: World = {
    clock,
    network,
    health,
    moves,
    current: on,
    /** What moves fail with, if they do. */
    moveError: undefined,
    /** Whether the old link is left before a move fails. */
    refusesConnect: false,
    /** Runs inside `observed`, as a listener for `health` does. */
    onObserved: () => {},
    /** Discovery finds another list. */
    relist: (ids: string) => {
      list = ids;
    },
    /** Moves as `id@milliseconds`. */
    get moveLog(): string[] {
      return moves.map(({ to, at }) => `${to}@${at}`);
    },
    failback: new Failback({
      bounds: {
        mode: 'auto',
        healthyMs: 60_000,
        probes: 3,
        windowMs: 0,
        dwellMs: 300_000,
        probeMs: 10_000,
        ...bounds,
      },
      clock,
      random,
      clientId: () => clientId,
      better: () =>
        [...list.slice(0, Math.max(0, list.indexOf(w.current ?? '')))].map((id) => known.get(id)!),
      home: () => known.get(list[0]!),
      target: (to) => ({ endpoint: to, options: {} }),
      probe: async (target, signal) => {
        const transport = await network.open(target, signal);
        transport.destroy();
      },
      observed: (id, ok) => {
        health.push(`${id} ${ok ? 'good' : 'bad'}`);
        w.onObserved();
      },
      move: async (to, reason, how) => {
        moves.push({ to, at: clock.now() - startedAt, reason, how });
        // Back on the old endpoint before the promise rejects.
        if (w.refusesConnect) w.link(w.current as string);
        if (w.moveError) throw w.moveError;
        w.link(to);
        w.onMoved();
      },
      mayLeave,
    }),
    /** Runs when a move has come about. */
    onMoved: () => {},
    /** The link to `id` takes the place of the one before, which ended for `end` or was left. */
    link: (id: string, end?: FailoverError) => {
      w.failback.linkDown(end);
      w.current = id;
      w.failback.linkUp();
    },
  };
  w.failback.linkUp();
  return w;
}

const slotOf = (clientId: string, windowMs: number) => (murmur3(clientId) / 2 ** 32) * windowMs;

describe('a client away from home', () => {
  test('goes home when every probe was good for healthyMs', async () => {
    const { clock, network, health, moves } = await linked();
    await clock.advance(69_999);
    assert.deepEqual(network.log, ['a@10000', 'a@20000', 'a@30000', 'a@40000', 'a@50000', 'a@60000']);
    assert.deepEqual([moves, network.openIds], [[], []]);
    await clock.advance(1);
    assert.deepEqual(moves, [
      {
        to: 'a',
        at: 70_000,
        reason: 'a better endpoint is back',
        how: { event: 'failback', patient: true },
      },
    ]);
    assert.deepEqual(health, Array(8).fill('a good'));
    await clock.advance(3_600_000);
    assert.deepEqual([moves.length, network.log.length], [1, 8]);
  });

  test('needs `probes` good probes, however short healthyMs is', async () => {
    for (const [probes, at] of [
      [1, 10_000],
      [5, 50_000],
    ] as const) {
      const w = await linked({ probes, healthyMs: 0 });
      await w.clock.advance(60_000);
      assert.deepEqual(w.moveLog, [`a@${at}`]);
    }
  });

  test('counts anew after a probe that failed', async () => {
    const w = await linked();
    await w.clock.advance(65_000);
    w.network.answer('a', refused);
    await w.clock.advance(5_000);
    w.network.answer('a', 'open');
    // The next probe is 20 s after the failed one, and the minute begins with it.
    await w.clock.advance(79_999);
    assert.deepEqual(w.moveLog, []);
    await w.clock.advance(1);
    assert.deepEqual(w.moveLog, ['a@150000']);
  });

  test('stays for ever while home flaps every minute (R165)', async () => {
    const w = await linked();
    for (let minute = 0; minute < 60; minute += 1) {
      w.network.answer('a', minute % 2 === 0 ? 'open' : refused);
      await w.clock.advance(60_000);
    }
    assert.deepEqual(w.moveLog, []);
  });

  test('begins again with every link', async () => {
    const w = await linked();
    await w.clock.advance(65_000);
    w.link('b');
    await w.clock.advance(69_999);
    assert.deepEqual(w.moveLog, []);
    await w.clock.advance(1);
    assert.deepEqual(w.moveLog, ['a@135000']);
  });

  test('goes to the second best while home is away, and home later', async () => {
    const w = await linked({ on: 'c', dwellMs: 0 });
    w.network.answer('a', refused);
    await w.clock.advance(70_000);
    assert.deepEqual(
      w.moves.map(({ to, at, how }) => [to, at, how.event]),
      [['b', 70_000, 'move']],
    );
    w.network.answer('a', 'open');
    await w.clock.advance(70_000);
    assert.deepEqual(
      w.moves.slice(1).map(({ to, at, how }) => [to, at, how.event]),
      [['a', 140_000, 'failback']],
    );
  });

  test('never goes to one that is worse', async () => {
    const w = await linked({ on: 'b' });
    w.network.answer('a', refused);
    await w.clock.advance(600_000);
    assert.deepEqual([w.moveLog, w.network.log.filter((dial) => !dial.startsWith('a'))], [[], []]);
  });
});

describe('probes', () => {
  test('are spread by a fifth to either side', async () => {
    for (const [draw, at] of [
      [0, 8_000],
      [1, 12_000],
    ] as const) {
      const { clock, network } = await linked({ random: fixedRandom(draw) });
      await clock.advance(20_000);
      assert.equal(network.log[0], `a@${at}`);
    }
  });

  test('become rarer while home is away, down to one a minute, and as before when it is back', async () => {
    const { clock, network, health } = await linked();
    network.answer('a', refused);
    await clock.advance(255_000);
    assert.deepEqual(network.log, ['a@10000', 'a@30000', 'a@70000', 'a@130000', 'a@190000', 'a@250000']);
    network.answer('a', 'open');
    await clock.advance(70_000);
    assert.deepEqual(network.log.slice(6), ['a@310000', 'a@320000']);
    assert.deepEqual(health, [...Array(6).fill('a bad'), 'a good', 'a good']);
  });

  test('take three seconds at most', async () => {
    const { clock, network, health } = await linked();
    network.answer('a', 'silent');
    await clock.advance(12_999);
    assert.deepEqual([network.dials[0]!.aborted, health], [false, []]);
    await clock.advance(1);
    assert.deepEqual([network.dials[0]!.aborted, health], [true, ['a bad']]);
  });

  test('are not sent from home', async () => {
    const { clock, network, moves } = await linked({ on: 'a' });
    await clock.advance(600_000);
    assert.deepEqual([network.log, moves], [[], []]);
  });

  test('leave nothing open', async () => {
    const { clock, network } = await linked({ mode: 'manual' });
    await clock.advance(600_000);
    assert.deepEqual([network.log.length, network.openIds, clock.pending], [60, [], 1]);
  });

  test('go on without a move in mode manual, and where the session cannot come along', async () => {
    for (const setup of [{ mode: 'manual' }, { mayLeave: () => false }] as const) {
      const { clock, network, moves } = await linked(setup);
      await clock.advance(200_000);
      assert.deepEqual([network.log.length, moves], [20, []]);
    }
  });

  test('are not sent in mode off', async () => {
    const { clock, network, moves } = await linked({ mode: 'off' });
    await clock.advance(600_000);
    assert.deepEqual([network.log, moves], [[], []]);
  });
});

describe('the window', () => {
  test("is waited out up to the client's own slot, the same every time, with one more probe at its end", async () => {
    const slot = slotOf('sensor-17', 60_000);
    for (let round = 0; round < 2; round += 1) {
      const w = await linked({ clientId: 'sensor-17', windowMs: 60_000 });
      await w.clock.advance(70_000 + slot - 1);
      assert.deepEqual([w.moveLog, w.network.log.length], [[], 7]);
      await w.clock.advance(2);
      assert.deepEqual([w.moveLog, w.network.log.length], [[`a@${70_000 + slot}`], 8]);
    }
  });

  test('is for nothing when home is gone again by then', async () => {
    const w = await linked({ windowMs: 60_000 });
    await w.clock.advance(70_000);
    w.network.answer('a', refused);
    await w.clock.advance(60_000);
    assert.deepEqual([w.moveLog, w.health.at(-1)], [[], 'a bad']);
  });

  test('spreads a fleet of 1000 evenly', async () => {
    const clock = new VirtualClock();
    const fleet = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => linked({ clock, clientId: `client-${i}`, windowMs: 60_000 })),
    );
    await clock.advance(130_000);
    const bins = Array<number>(60).fill(0);
    for (const { moves } of fleet) {
      assert.equal(moves.length, 1);
      const bin = Math.floor((moves[0]!.at - 70_000) / 1_000);
      bins[bin] = bins[bin]! + 1;
    }
    const most = Math.max(...bins);
    assert.ok(most <= 2 * (1_000 / 60), `${most} in one second`);
    const halves = bins.slice(0, 30).reduce((sum, n) => sum + n, 0);
    assert.ok(Math.abs(halves - 500) < 50, `${halves} in the first half`);
  });
});

describe('moves', () => {
  test('are dwellMs apart', async () => {
    const w = await linked();
    await w.clock.advance(70_000);
    assert.deepEqual(w.moveLog, ['a@70000']);
    // A failover a moment later.
    w.link('b');
    await w.clock.advance(299_999);
    assert.deepEqual(w.moveLog, ['a@70000']);
    await w.clock.advance(1);
    assert.deepEqual(w.moveLog, ['a@70000', 'a@370000']);
  });

  test('that others made count', async () => {
    const w = await linked();
    w.failback.moved();
    await w.clock.advance(299_999);
    assert.deepEqual(w.moveLog, []);
    await w.clock.advance(1);
    assert.deepEqual(w.moveLog, ['a@300000']);
  });

  test('that fail double the time that home must prove itself, sixteenfold at most', async () => {
    const w = await linked();
    w.moveError = new Error('publishes are unacknowledged');
    await w.clock.advance(3_600_000);
    const times = w.moves.map(({ at }) => at);
    assert.deepEqual(
      times.slice(0, 6).map((at, i) => at - (times[i - 1] ?? 0)),
      [60_000, 120_000, 240_000, 480_000, 960_000, 960_000].map((healthy) => 10_000 + healthy),
    );
  });

  test('whose link holds at home make it a minute again', async () => {
    const w = await linked({ dwellMs: 0 });
    w.moveError = new Error('refused');
    await w.clock.advance(70_000);
    w.moveError = undefined;
    await w.clock.advance(130_000);
    assert.deepEqual(w.moveLog, ['a@70000', 'a@200000']);
    await w.clock.advance(100_000);
    w.link('b', lost);
    await w.clock.advance(70_000);
    assert.deepEqual(w.moveLog.slice(2), ['a@370000']);
  });

  test('whose link dies young double it, too, as a broker that accepts and then closes passes every probe (R143)', async () => {
    const w = await linked({ dwellMs: 0 });
    w.onMoved = () => {
      w.clock.setTimeout(() => w.link('b', lost), 1_000);
    };
    await w.clock.advance(3_600_000);
    assert.deepEqual(
      w.moves.slice(0, 6).map(({ at }, i) => at - (w.moves[i - 1]?.at ?? -1_000)),
      [60_000, 120_000, 240_000, 480_000, 960_000, 960_000].map((healthy) => 11_000 + healthy),
    );
  });

  test('whose link we leave ourselves say nothing of home', async () => {
    const w = await linked({ dwellMs: 0 });
    await w.clock.advance(70_000);
    await w.clock.advance(1_000);
    w.link('b');
    await w.clock.advance(70_000);
    assert.deepEqual(w.moveLog, ['a@70000', 'a@141000']);
  });

  test('that fail after the old link was left go on with the new one, with one timer', async () => {
    const w = await linked();
    w.moveError = new Error('a did not accept the move');
    w.refusesConnect = true;
    await w.clock.advance(70_000);
    assert.deepEqual(w.moveLog, ['a@70000']);
    assert.equal(w.clock.pending, 1);
    await w.clock.advance(130_000);
    assert.deepEqual(w.moveLog, ['a@70000', 'a@200000']);
  });
});

describe('a move home that is due', () => {
  test('is off when the client is at home by then', async () => {
    const w = await linked({ windowMs: 60_000 });
    await w.clock.advance(70_000);
    w.relist('bac');
    await w.clock.advance(60_000);
    assert.deepEqual(w.moveLog, []);
  });

  test('is off when the session could no longer come along', async () => {
    let mayLeave = true;
    const w = await linked({ windowMs: 60_000, mayLeave: () => mayLeave });
    await w.clock.advance(70_000);
    mayLeave = false;
    await w.clock.advance(60_000);
    assert.deepEqual(w.moveLog, []);
  });

  test('is off when a listener ends the client at the last probe', async () => {
    const w = await linked({ windowMs: 60_000 });
    await w.clock.advance(70_000);
    w.onObserved = () => w.failback.linkDown();
    await w.clock.advance(60_000);
    assert.deepEqual([w.moveLog, w.clock.pending], [[], 0]);
  });
});

describe('the end of the link', () => {
  const situations: Record<string, [number, (w: Awaited<ReturnType<typeof linked>>) => unknown]> = {
    'between probes': [5_000, () => {}],
    'in the middle of a probe': [11_000, ({ network }) => network.answer('a', 'silent')],
    'in the middle of a slot': [71_000, () => {}],
    'in the middle of the last probe': [
      70_000 + slotOf('c', 60_000) + 1,
      (w) => {
        let probes = 0;
        w.onObserved = () => {
          probes += 1;
          if (probes === 7) w.network.answer('a', 'silent');
        };
      },
    ],
  };

  for (const [name, [at, arrange]] of Object.entries(situations)) {
    test(`${name} leaves no timer and no transport`, async () => {
      const w = await linked({ windowMs: 60_000 });
      await arrange(w);
      await w.clock.advance(at);
      const probes = w.network.log.length;
      const health = w.health.length;
      w.failback.linkDown();
      await settle();
      assert.deepEqual([w.clock.pending, w.network.openIds], [0, []]);
      await w.clock.advance(600_000);
      assert.deepEqual([w.network.log.length, w.health.length, w.moves], [probes, health, []]);
    });
  }

  test('may be told twice, and before any link', async () => {
    const { clock, failback } = await linked();
    failback.linkDown();
    failback.linkDown();
    assert.equal(clock.pending, 0);
    failback.linkUp();
    failback.linkUp();
    assert.equal(clock.pending, 1);
  });
});
