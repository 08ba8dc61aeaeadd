/**
 * Who is eligible, and in which order.
 *
 * World: a real watcher and health book over a list that a test may replace; the network is not needed. Endpoints are
 * in the order of the list within tier and zone, so that the hash of a client id matters only where a test is about it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import type { Endpoint } from '../../../src/endpoint.js';
import { FailoverError } from '../../../src/errors.js';
import { HealthBook } from '../../../src/health/health-book.js';
import { Candidates } from '../../../src/selection/candidates.js';
import { rank } from '../../../src/selection/rank.js';
import { clientIdSelector, orderedSelector, type Selector } from '../../../src/selection/selector.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';
import { Recorder } from '../fakes/recorder.js';

const FULL = { kind: 'connack', code: 0x89 } as const;

interface Setup {
  readonly zone?: string;
  readonly selector?: Selector;
  readonly clientId?: string;
  readonly first?: string;
}

async function world(endpoints: readonly Endpoint[], setup: Setup = {}, extra: Partial<EndpointSet> = {}) {
  const { zone, selector = orderedSelector(zone), clientId = 'c', first } = setup;
  const clock = new VirtualClock();
  const random = fixedRandom(0);
  const events = new Recorder();
  let set: EndpointSet = { endpoints, source: 'test', ...extra };
  const watcher = new Watcher({
    resolver: { resolve: async () => set },
    clock,
    random,
    events,
    refreshMs: undefined,
  });
  const bounds = { failures: 1, ejectMs: 30_000, maxEjectMs: 300_000, panicAbove: 0.5 };
  const health = new HealthBook(bounds, clock, random, events);
  const candidates = new Candidates({
    watcher,
    selector,
    zone,
    health,
    redirects: {
      order: (ranked) => [...ranked].sort((a, b) => Number(b.id === first) - Number(a.id === first)),
    },
    refusal: ({ scheme }) => (scheme === 'wss' ? 'this runtime cannot dial wss:' : undefined),
    clientId: () => clientId,
    clock,
    random,
    events,
  });
  await watcher.refresh();
  return {
    clock,
    events,
    health,
    candidates,
    relist: async (changed: readonly Endpoint[], more: Partial<EndpointSet> = {}) => {
      set = { endpoints: changed, source: 'test', ...more };
      await watcher.refresh();
    },
    eject: (...ids: string[]) => {
      for (const id of ids) health.failed(id, `${id} broke`);
    },
    /** Connected once: what comes now is a reconnect. */
    connect: (id: string) => {
      candidates.accepted(id);
      health.accepted(id);
    },
    /** Lots as `abc|d|e`. */
    get lots(): string {
      return candidates.lots().map(text).join('|');
    },
    better: (id: string) => text(candidates.better(endpoint(id))),
  };
}

const text = (ranked: readonly { id: string }[]) => ranked.map(({ id }) => id).join('');

describe('the order to dial in (R132)', () => {
  const near = { zone: 'here' };
  const far = { zone: 'there' };
  const cases: [string, Record<string, Parameters<typeof endpoint>[1]>, Setup, string][] = [
    ['is that of the list where nothing else matters', { a: {}, b: {}, c: {} }, {}, 'abc||'],
    ['is by tier', { a: { priority: 2 }, b: {}, c: { priority: 1 } }, {}, 'bca||'],
    ['is by zone within the tier', { a: far, b: near, c: far }, { zone: 'here' }, 'bac||'],
    ['is by tier before zone', { a: { ...near, priority: 1 }, b: far }, { zone: 'here' }, 'ba||'],
    ['ignores zones when the client has none', { a: far, b: near }, {}, 'ab||'],
    ['falls through where the zone has no endpoint', { a: far, b: far }, { zone: 'here' }, 'ab||'],
    ['leaves out what this runtime cannot dial', { a: { scheme: 'wss' }, b: {} }, {}, 'b||'],
    [
      'keeps draining and down endpoints for when nothing else is left',
      { a: { state: 'draining' }, b: { state: 'down' }, c: {}, d: { state: 'draining' } },
      {},
      'c|ad|b',
    ],
    ['asks eligibility before tier', { a: { state: 'draining' }, b: { priority: 1 } }, {}, 'b|a|'],
    [
      'puts first the endpoint that a broker has sent us to',
      { a: {}, b: {}, c: {} },
      { first: 'c' },
      'cab||',
    ],
  ];
  for (const [name, list, setup, expected] of cases) {
    test(name, async () => {
      const w = await world(
        Object.entries(list).map(([id, init]) => endpoint(id, init)),
        setup,
      );
      assert.equal(w.lots, expected);
    });
  }

  test('falls through a zone that is out, without waiting for a share of it', async () => {
    const zones = [endpoint('a', near), endpoint('b', near), endpoint('c', far), endpoint('d', far)];
    const w = await world(zones, { zone: 'here' });
    w.eject('a');
    assert.equal(w.lots, 'bcda||');
    w.eject('b');
    assert.equal(w.lots, 'cdab||');
  });

  test('leaves out what cannot serve this configuration', async () => {
    const list = [...'abc'].map((id) => endpoint(id));
    const w = await world(list);
    w.health.unfit(list[0]!, new FailoverError('ERR_REFUSED', 'wrong protocol version'));
    assert.equal(w.lots, 'bc||');
  });

  test('puts the ejected behind the rest of what is up, the first to return first (R134)', async () => {
    const w = await world([...'abcde'].map((id) => endpoint(id)));
    w.eject('b');
    await w.clock.advance(1_000);
    w.eject('a');
    assert.equal(w.lots, 'cdeba||');
  });

  test('tries what is up but ejected before what is draining, and that before what is down (R134)', async () => {
    const w = await world([
      endpoint('a', { state: 'down' }),
      endpoint('b', { state: 'draining' }),
      endpoint('c'),
    ]);
    w.eject('c');
    assert.equal(w.lots, 'c|b|a');
  });

  test('sends a share of the clients to the next tier when half of theirs is out (S3)', async () => {
    const list = [
      endpoint('a'),
      endpoint('b'),
      endpoint('x', { priority: 1 }),
      endpoint('y', { priority: 1 }),
    ];
    const orders = new Map<string, number>();
    for (let i = 0; i < 400; i += 1) {
      const w = await world(list, { clientId: `client-${i}` });
      w.eject('a');
      orders.set(w.lots, (orders.get(w.lots) ?? 0) + 1);
    }
    assert.deepEqual([...orders.keys()].sort(), ['bxya||', 'xyba||']);
    assert.ok(Math.abs(orders.get('xyba||')! / 400 - 0.3) < 0.08, `${orders.get('xyba||')} of 400`);
  });

  test('counts a draining tier as one that is partly gone', async () => {
    const list = [
      endpoint('a', { state: 'down' }),
      endpoint('b', { state: 'draining' }),
      endpoint('x', { priority: 1 }),
    ];
    assert.equal((await world([...list, endpoint('y', { priority: 1 })])).lots, 'xy|b|a');
  });
});

describe('a full endpoint', () => {
  test('comes after the others, without panic and without ejection, and is not better than where we are', async () => {
    const w = await world([...'abc'].map((id) => endpoint(id)));
    for (const id of 'ab') assert.equal(w.candidates.saidFull(id, FULL, `${id} is busy`), true);
    assert.deepEqual([w.lots, w.better('c')], ['cab||', '']);
    await w.clock.advance(300_000);
    assert.deepEqual([w.lots, w.better('c')], ['abc||', 'ab']);
  });

  test('is told of once, and again when it accepts', async () => {
    const w = await world([...'ab'].map((id) => endpoint(id)));
    w.candidates.saidFull('a', FULL, 'busy');
    const until = w.clock.wallNow() + 300_000;
    assert.deepEqual(w.candidates.view(endpoint('a')), { state: 'suspect', reason: 'busy', retryAt: until });
    w.connect('a');
    assert.deepEqual(w.events.of('health'), [
      { endpoint: 'a', state: 'suspect', reason: 'busy', until },
      { endpoint: 'a', state: 'healthy', reason: 'accepted', until: null },
    ]);
    assert.equal(w.lots, 'ab||');
  });

  test('is none of those that merely failed', async () => {
    const w = await world([...'ab'].map((id) => endpoint(id)));
    assert.equal(w.candidates.saidFull('a', { kind: 'connack', code: 0x88 }, 'down'), false);
    assert.equal(w.lots, 'ab||');
  });

  test('makes room in the next tier', async () => {
    const w = await world([endpoint('a'), endpoint('x', { priority: 1 })]);
    w.candidates.saidFull('a', FULL, 'busy');
    assert.equal(w.lots, 'xa||');
  });
});

describe('an endpoint that came back', () => {
  const selector = clientIdSelector(undefined);
  const list = [...'abc'].map((id) => endpoint(id));
  /** Share of the clients of `a` that dial it first, when it came back `ageMs` ago. */
  async function taken(ageMs: number, how: 'told' | 'seen', hasConnected = true): Promise<number> {
    let own = 0;
    let first = 0;
    for (let i = 0; i < 600; i += 1) {
      const clientId = `client-${i}`;
      if (rank(clientId, list)[0]!.id !== 'a') continue;
      own += 1;
      const w = await world(list, { clientId, selector });
      if (hasConnected) w.connect('b');
      if (how === 'told') {
        await w.relist([endpoint('a', { since: w.clock.wallNow() }), list[1]!, list[2]!]);
      } else {
        w.eject('a');
        w.candidates.lots();
        w.health.probed('a', true);
        w.candidates.answered('a');
      }
      await w.clock.advance(ageMs);
      if (w.lots.startsWith('a')) first += 1;
    }
    return first / own;
  }

  test('takes reconnecting clients slowly, by its age in the list or as this client saw it (R136)', async () => {
    for (const [ageMs, how, share] of [
      [0, 'told', 0.1],
      [30_000, 'told', 0.5],
      [60_000, 'told', 1],
      [30_000, 'seen', 0.5],
      [60_000, 'seen', 1],
    ] as const) {
      const got = await taken(ageMs, how);
      assert.ok(Math.abs(got - share) < 0.1, `${got} at ${ageMs} ms as ${how}, not ${share}`);
    }
  });

  test('takes all of those that have just started', async () => {
    assert.equal(await taken(0, 'told', false), 1);
  });

  test('is better than elsewhere from the first: failback has its own patience', async () => {
    const w = await world([endpoint('a', { since: new VirtualClock().wallNow() }), endpoint('b')]);
    w.connect('b');
    assert.equal(w.better('b'), 'a');
  });
});

describe('load hints', () => {
  const list = [...'abc'].map((id) => endpoint(id));
  const loads = (a: number, b: number) => ({
    loads: new Map(Object.entries({ a, b, c: 0 })),
    ttlMs: 10_000,
  });

  test('make a client take its second choice while they are fresh', async () => {
    const w = await world(list, {}, loads(0.9, 0.3));
    assert.equal(w.lots, 'bac||');
    await w.clock.advance(20_000);
    assert.equal(w.lots, 'abc||');
  });

  test('never make another endpoint better than the one in use, and hold back from a loaded home', async () => {
    const w = await world(list, {}, loads(0.9, 0.3));
    assert.deepEqual([w.better('a'), w.better('b'), w.better('c')], ['', '', 'ba']);
  });

  test('cause no oscillation: loads that swing with the clients move each of them once at most (R135)', async () => {
    // Every client moves whenever something is better, which is the worst that failback could do.
    const clients = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        world(list.slice(0, 2), { clientId: `client-${i}`, selector: clientIdSelector(undefined) }),
      ),
    );
    const on = clients.map(({ candidates }) => candidates.home()!.id);
    const moves = clients.map(() => 0);
    for (let round = 0; round < 40; round += 1) {
      const share = on.filter((id) => id === 'a').length / on.length;
      // Half of the fleet fills a node: so the emptier one always looks far better.
      const now = loads(Math.min(1, share * 2), Math.min(1, (1 - share) * 2));
      for (const [i, w] of clients.entries()) {
        await w.relist(list.slice(0, 2), round % 2 === 0 ? now : loads(1, 0));
        const [to] = w.candidates.better(endpoint(on[i]!));
        if (!to) continue;
        on[i] = to.id;
        moves[i]! += 1;
      }
    }
    assert.ok(Math.max(...moves) <= 1, moves.join(' '));
  });
});

describe('what is better than the endpoint in use', () => {
  test('is what comes before it by placement and is eligible', async () => {
    const list = [endpoint('a', { state: 'draining' }), ...[...'bcd'].map((id) => endpoint(id))];
    const w = await world(list);
    assert.deepEqual([w.better('b'), w.better('d')], ['', 'bc']);
  });

  test('is nothing when it is unlisted or draining: leaving is another matter', async () => {
    const w = await world([endpoint('a'), endpoint('b', { state: 'draining' })]);
    assert.deepEqual([w.better('z'), w.better('b')], ['', '']);
  });

  test('is nothing for a client that was sent away by a spill, until its tier has room again', async () => {
    const list = [endpoint('a'), endpoint('b'), endpoint('x', { priority: 1 })];
    for (let i = 0; i < 40; i += 1) {
      const w = await world(list, { clientId: `client-${i}` });
      w.eject('a');
      const spills = w.lots.startsWith('x');
      assert.equal(w.better('x'), spills ? '' : 'ab');
      await w.clock.advance(30_000);
      assert.equal(w.better('x'), 'ab');
    }
  });

  test('is never the next tier for a client that lives in a tier that is partly gone', async () => {
    const list = [endpoint('a'), endpoint('b'), endpoint('x', { priority: 1 })];
    for (let i = 0; i < 40; i += 1) {
      const w = await world(list, { clientId: `client-${i}` });
      w.eject('a');
      assert.ok(!w.better('b').includes('x'));
    }
  });

  test('is still an ejected home: failback probes it', async () => {
    const w = await world([...'abc'].map((id) => endpoint(id)));
    w.eject('a');
    assert.equal(w.better('b'), 'a');
  });
});

describe("the operator's word (R45)", () => {
  for (const [state, leaves, view, lots] of [
    ['up', undefined, { state: 'healthy', reason: null, retryAt: null }, 'ab||'],
    [
      'draining',
      'draining',
      { state: 'draining', reason: 'the list says that it is draining', retryAt: null },
      'b|a|',
    ],
    ['down', 'down', { state: 'down', reason: 'the list says that it is down', retryAt: null }, 'b||a'],
  ] as const) {
    test(`${state} decides on new connections, on the link in use, and on what status() shows`, async () => {
      const w = await world([endpoint('a', { state }), endpoint('b')]);
      const a = w.candidates.listed(endpoint('a'))!;
      assert.deepEqual(
        [w.candidates.leaveWord(endpoint('a')), w.candidates.view(a), w.lots],
        [leaves, view, lots],
      );
    });
  }

  test('is missing with the endpoint: unlisted', async () => {
    const w = await world([endpoint('b')]);
    assert.equal(w.candidates.leaveWord(endpoint('a')), 'unlisted');
  });

  test('is stronger than health in status(), and weaker than what can never be used', async () => {
    const list = [endpoint('a', { state: 'down' }), endpoint('b', { state: 'down', scheme: 'wss' })];
    const w = await world(list);
    w.eject('a');
    assert.deepEqual(
      list.map((each) => w.candidates.view(each).state),
      ['down', 'unusable'],
    );
    w.health.unfit(list[0]!, new FailoverError('ERR_REFUSED', 'wrong protocol version'));
    assert.equal(w.candidates.view(list[0]!).reason, 'wrong protocol version');
  });
});

describe('explain()', () => {
  test('gives rank, eligibility and reason for every endpoint (R139)', async () => {
    const at = new VirtualClock().wallNow();
    const list = [
      endpoint('first'),
      endpoint('young', { since: at - 6_000 }),
      endpoint('second'),
      endpoint('full'),
      endpoint('broken'),
      endpoint('leaving', { state: 'draining' }),
      endpoint('gone', { state: 'down' }),
      endpoint('websocket', { scheme: 'wss' }),
      endpoint('unfit'),
      endpoint('reserve', { priority: 1 }),
    ];
    const w = await world(
      list,
      { clientId: 'client-7' },
      {
        loads: new Map(Object.entries({ first: 0.95, second: 0.25 })),
        ttlMs: 30_000,
      },
    );
    w.connect('second');
    w.candidates.saidFull('full', FULL, 'full refused CONNECT with code 137 (Server busy)');
    w.eject('broken');
    w.health.unfit(
      list[8]!,
      new FailoverError('ERR_REFUSED', 'unfit refused CONNECT with code 132 (Unsupported Protocol Version)'),
    );
    const golden: [string, boolean, string][] = [
      ['first', true, 'its load is 0.95, that of second is 0.25'],
      ['young', true, 'it has just come back, and takes its clients one by one'],
      ['second', true, 'next by rank'],
      ['full', false, 'full refused CONNECT with code 137 (Server busy)'],
      ['broken', false, 'broken broke'],
      ['leaving', false, 'the list says that it is draining'],
      ['gone', false, 'the list says that it is down'],
      ['websocket', false, 'this runtime cannot dial wss:'],
      ['unfit', false, 'unfit refused CONNECT with code 132 (Unsupported Protocol Version)'],
      ['reserve', true, 'next by rank'],
    ];
    assert.deepEqual(
      w.candidates.explain(),
      golden.map(([id, eligible, reason], rank) => {
        const { url } = list[rank]!;
        return { id, url, rank, eligible, reason, origin: 'static' };
      }),
    );
  });

  test('tells of a spill, and answers for other clients', async () => {
    const list = [endpoint('a'), endpoint('b'), endpoint('x', { priority: 1 })];
    const w = await world(list);
    w.eject('a');
    const reasons = new Set<string>();
    for (let i = 0; i < 50; i += 1) reasons.add(w.candidates.explain(`client-${i}`)[1]!.reason);
    assert.deepEqual([...reasons].sort(), [
      '50 % of tier 0 is available, and this client goes to tier 1',
      'next by rank',
    ]);
  });
});

describe("a selector of the application's own", () => {
  const list = [...'abcd'].map((id, i) => endpoint(id, { priority: i }));

  test('has the last word on the order; eligibility and health still apply', async () => {
    const selector: Selector = { rank: (_key, endpoints) => [...endpoints].reverse() };
    const w = await world(
      list,
      { selector },
      { loads: new Map(Object.entries({ d: 1, c: 0 })), ttlMs: 60_000 },
    );
    assert.equal(w.lots, 'dcba||');
    w.eject('d');
    assert.equal(w.lots, 'cbad||');
    w.candidates.saidFull('c', FULL, 'busy');
    assert.equal(w.lots, 'bacd||');
  });

  test('is not second-guessed by load, age or spill', async () => {
    const at = new VirtualClock().wallNow();
    const own = [endpoint('a', { since: at }), endpoint('b'), endpoint('c'), endpoint('d', { priority: 1 })];
    const loads = new Map(Object.entries({ a: 1, b: 0 }));
    const selector: Selector = { rank: (_key, endpoints) => [...endpoints] };
    for (let i = 0; i < 20; i += 1) {
      const w = await world(own, { selector, clientId: `client-${i}` }, { loads, ttlMs: 60_000 });
      w.connect('b');
      assert.equal(w.lots, 'abcd||');
    }
  });

  test('that throws costs one event, and the client is placed by its id (S9)', async () => {
    const selector: Selector = {
      rank: () => {
        throw new Error('no route for mqtt://user:secret@host');
      },
    };
    const flat = [...'abcd'].map((id) => endpoint(id));
    const w = await world(flat, { selector });
    for (let i = 0; i < 3; i += 1) assert.equal(w.lots, `${text(rank('c', flat))}||`);
    await settle();
    const [event, ...more] = w.events.of('discovery-error');
    assert.deepEqual([event?.source, event?.error.code, more], ['selection', 'ERR_OPTION', []]);
    assert.match(
      event?.error.message ?? '',
      /no route for mqtt:\/\/host\. The ranking by client id is used instead/,
    );
    assert.doesNotMatch(event?.error.message ?? '', /secret/);
  });
});
