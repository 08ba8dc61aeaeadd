/**
 * Placement: the same client and the same endpoints give the same order everywhere, and a change of the list moves
 * only those clients that it must (promise 1 of the contract).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, mock, test } from 'node:test';
import fc from 'fast-check';
import { PlacementHash } from '../../../src/selection/murmur3.js';
import { type Rankable, rank } from '../../../src/selection/rank.js';

fc.configureGlobal({ seed: 1 });

interface Vectors {
  readonly endpoints: string[];
  readonly vectors: { readonly clientId: string; readonly n1: string; readonly order: string[] }[];
}

const published = JSON.parse(
  readFileSync(new URL('../../vectors/rank.json', import.meta.url), 'utf8'),
) as Vectors;

const five: Rankable[] = published.endpoints.map((id) => ({ id }));
const clients = Array.from({ length: 20_000 }, (_, i) => `device-${i}`);
const ids = (endpoints: readonly Rankable[]) => endpoints.map(({ id }) => id);
const home = (clientId: string, endpoints: readonly Rankable[]) => rank(clientId, endpoints)[0]!.id;
const homes = (endpoints: readonly Rankable[]) => clients.map((clientId) => home(clientId, endpoints));

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function assertNear(actual: number | undefined, expected: number, share: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= expected * share,
    `${actual} is not within ${share * 100} % of ${expected}`,
  );
}

const anyEndpoints = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 12 }),
    weight: fc.constantFrom(undefined, 0, 0.5, 1, 2, 65_535),
    priority: fc.constantFrom(undefined, 0, 1, 2),
    zone: fc.constantFrom(undefined, 'x', 'y'),
  }),
  { selector: ({ id }) => id, maxLength: 70 },
);

describe('rank vectors', () => {
  for (const { clientId, n1, order } of published.vectors) {
    test(`places ${clientId} as published`, () => {
      const hash = new PlacementHash(clientId);
      hash.hash('n1');
      const hex = [hash.high, hash.low].map((half) => half.toString(16).padStart(8, '0')).join('');
      assert.equal(hex, n1);
      assert.deepEqual(ids(rank(clientId, five)), order);
    });
  }
});

describe('rank', () => {
  test('gives the same order for every permutation of the list', () => {
    fc.assert(
      fc.property(fc.string(), anyEndpoints, fc.infiniteStream(fc.nat()), (clientId, endpoints, draws) => {
        const shuffled = endpoints
          .map((endpoint) => ({ endpoint, key: draws.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ endpoint }) => endpoint);
        const options = { zone: 'x' };
        assert.deepEqual(
          ids(rank(clientId, shuffled, options)),
          ids(rank(clientId, [...endpoints].reverse(), options)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('returns every endpoint once, as the object that was given, and changes nothing', () => {
    fc.assert(
      fc.property(fc.string(), anyEndpoints, (clientId, endpoints) => {
        const given = Object.freeze(endpoints.map((endpoint) => Object.freeze(endpoint)));
        const ranked = rank(clientId, given, { zone: 'x' });
        assert.notEqual(ranked, given);
        assert.deepEqual(new Set(ranked), new Set(given));
        assert.equal(ranked.length, given.length);
      }),
      { numRuns: 200 },
    );
  });

  test('ranks nothing as nothing and one endpoint as itself', () => {
    assert.deepEqual(rank('c', []), []);
    assert.deepEqual(ids(rank('', [{ id: '' }])), ['']);
  });

  test('orders by priority, then zone, then score, weight 0 behind the rest of its tier', () => {
    fc.assert(
      fc.property(fc.string(), anyEndpoints, (clientId, endpoints) => {
        const ranked = rank(clientId, endpoints, { zone: 'x' });
        const place = ({ priority = 0, weight = 1, zone }: Rankable) =>
          priority * 4 + (weight > 0 ? 0 : 2) + (zone === 'x' ? 0 : 1);
        const places = ranked.map(place);
        assert.deepEqual(
          places,
          [...places].sort((a, b) => a - b),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('keeps the order within each group when there are many endpoints', () => {
    const many = Array.from({ length: 60 }, (_, i) => ({ id: `m${i}` }));
    for (const clientId of clients.slice(0, 50)) {
      const all = ids(rank(clientId, many));
      const half = many.filter((_, i) => i % 2 === 0);
      const kept = new Set(ids(half));
      assert.deepEqual(
        ids(rank(clientId, half)),
        all.filter((id) => kept.has(id)),
      );
    }
  });

  test('ignores everything of an endpoint but id, weight, priority and zone', () => {
    const dressed = five.map(({ id }, i) => ({
      id,
      url: `mqtts://h${i}`,
      load: i,
      ttl: 9 - i,
      zone: `z${i}`,
    }));
    for (const clientId of clients.slice(0, 100)) {
      assert.deepEqual(ids(rank(clientId, dressed)), ids(rank(clientId, five)));
    }
  });

  test('puts the endpoints of the zone first and keeps the order on both sides', () => {
    const zoned = five.map((endpoint, i) => ({ ...endpoint, zone: i < 2 ? 'here' : 'there' }));
    for (const clientId of clients.slice(0, 200)) {
      const order = ids(rank(clientId, five));
      const inZone = order.filter((id) => id === 'n1' || id === 'n2');
      const outside = order.filter((id) => id !== 'n1' && id !== 'n2');
      assert.deepEqual(ids(rank(clientId, zoned, { zone: 'here' })), [...inZone, ...outside]);
      assert.deepEqual(ids(rank(clientId, zoned, { zone: 'nowhere' })), order);
      assert.deepEqual(ids(rank(clientId, zoned)), order);
    }
  });

  test('prefers the tier to the zone', () => {
    const endpoints = [
      { id: 'near', priority: 1, zone: 'here' },
      { id: 'far', priority: 0, zone: 'there' },
    ];
    for (const clientId of clients.slice(0, 50)) {
      assert.deepEqual(ids(rank(clientId, endpoints, { zone: 'here' })), ['far', 'near']);
    }
  });

  test('gives finite scores at both ends of the hash, and the largest hash wins', () => {
    const hashes = new Map([
      ['all-ones', 2 ** 52 - 1],
      ['middle', 2 ** 51],
      ['zero', 0],
    ]);
    const fake = mock.method(PlacementHash.prototype, 'hash', (id: string) => hashes.get(id)!);
    try {
      const equal = [...hashes.keys()].map((id) => ({ id }));
      assert.deepEqual(ids(rank('c', equal.toReversed())), ['all-ones', 'middle', 'zero']);
      const heavyLoser = [
        { id: 'zero', weight: 65_535 },
        { id: 'all-ones', weight: 1e-3 },
      ];
      assert.deepEqual(ids(rank('c', heavyLoser)), ['all-ones', 'zero']);
    } finally {
      fake.mock.restore();
    }
  });

  test('still goes by weight at both ends of the hash', () => {
    for (const extreme of [0, 2 ** 52 - 1]) {
      const fake = mock.method(PlacementHash.prototype, 'hash', () => extreme);
      try {
        const endpoints = [{ id: 'a' }, { id: 'b', weight: 3 }, { id: 'c', weight: 2 }];
        assert.deepEqual(ids(rank('c', endpoints)), ['b', 'c', 'a'], `hash ${extreme}`);
      } finally {
        fake.mock.restore();
      }
    }
  });

  test('breaks ties of the hash by id', () => {
    const fake = mock.method(PlacementHash.prototype, 'hash', () => 7);
    try {
      assert.deepEqual(ids(rank('c', [{ id: 'b' }, { id: 'ä' }, { id: 'a' }, { id: 'B' }])), [
        'B',
        'a',
        'b',
        'ä',
      ]);
    } finally {
      fake.mock.restore();
    }
  });
});

describe('placement of a fleet', () => {
  test('spreads 100 000 clients over five endpoints within 1 % of the mean', () => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < 100_000; i++) {
      const id = home(`client-${i}`, five);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    assert.ok(Math.max(...Object.values(counts)) / 20_000 <= 1.01, JSON.stringify(counts));
  });

  test('follows the weights, and leaves weight 0 for the time when nothing else is there', () => {
    const weighted = [
      { id: 'n1', weight: 1 },
      { id: 'n2', weight: 2 },
      { id: 'n3', weight: 3 },
      { id: 'n4', weight: 0 },
    ];
    const counts = count(homes(weighted));
    assertNear(counts.n1, 20_000 / 6, 0.03);
    assertNear(counts.n2, 20_000 / 3, 0.03);
    assertNear(counts.n3, 20_000 / 2, 0.03);
    assert.equal(counts.n4, undefined);
    for (const clientId of clients.slice(0, 200)) assert.equal(ids(rank(clientId, weighted)).at(-1), 'n4');
  });

  test('takes weights that are all zero as equal', () => {
    const idle = five.map((endpoint) => ({ ...endpoint, weight: 0 }));
    for (const clientId of clients.slice(0, 500)) {
      assert.deepEqual(ids(rank(clientId, idle)), ids(rank(clientId, five)));
    }
  });

  test('moves only the clients of a removed endpoint, to the next of their own order', () => {
    const left = five.filter(({ id }) => id !== 'n3');
    const moved: string[] = [];
    for (const clientId of clients) {
      const before = ids(rank(clientId, five));
      assert.deepEqual(
        ids(rank(clientId, left)),
        before.filter((id) => id !== 'n3'),
      );
      if (before[0] === 'n3') moved.push(before[1]!);
    }
    assertNear(moved.length, 4_000, 0.05);
    for (const to of Object.values(count(moved))) assertNear(to, moved.length / 4, 0.1);
  });

  test('spreads the clients of a removed endpoint over the others in proportion to weight', () => {
    const weighted = five.map((endpoint, i) => ({ ...endpoint, weight: i === 0 ? 3 : 1 }));
    const before = homes(weighted);
    const after = homes(weighted.filter(({ id }) => id !== 'n5'));
    const moved = after.filter((_, i) => before[i] === 'n5');
    const stayed = after.filter((id, i) => before[i] !== 'n5' && id !== before[i]);
    assert.deepEqual(stayed, []);
    const counts = count(moved);
    assertNear(counts.n1, moved.length / 2, 0.08);
    for (const id of ['n2', 'n3', 'n4']) assertNear(counts[id], moved.length / 6, 0.12);
  });

  test('moves clients only to an endpoint that is added', () => {
    const before = homes(five);
    const after = homes([...five, { id: 'n6' }]);
    const moved = after.filter((id, i) => id !== before[i]);
    assert.deepEqual(count(moved), { n6: moved.length });
    assertNear(moved.length, 20_000 / 6, 0.05);
  });

  test('attracts clients to an endpoint whose weight is raised, and moves nobody elsewhere', () => {
    const before = homes(five);
    const after = homes(
      five.map((endpoint) => (endpoint.id === 'n2' ? { ...endpoint, weight: 2 } : endpoint)),
    );
    const moved = after.filter((id, i) => id !== before[i]);
    assert.deepEqual(count(moved), { n2: moved.length });
    assertNear(moved.length, 20_000 * 0.1333, 0.05);
  });
});
