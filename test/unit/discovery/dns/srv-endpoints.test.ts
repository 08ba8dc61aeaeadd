/** SRV records become endpoints: tiers, weights and ids, whatever the order, and nothing that must not be dialed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DnsRecord, SrvRecord } from '../../../../src/discovery/dns/dns-query.js';
import { srvEndpoints } from '../../../../src/discovery/dns/srv-endpoints.js';
import { isUnder } from '../../../../src/discovery/host-policy.js';
import { rank } from '../../../../src/selection/rank.js';

const NAME = '_mqtt._tcp.example.test';
const source = { name: NAME, scheme: 'mqtt', path: '/' } as const;

function srv(target: string, init: Partial<SrvRecord> = {}): SrvRecord {
  return { type: 'SRV', name: NAME, ttlMs: 300_000, priority: 0, weight: 1, port: 1883, target, ...init };
}
const alias = (name: string, target: string, ttlMs = 300_000): DnsRecord => ({
  type: 'CNAME',
  name,
  ttlMs,
  target,
});

function read(
  records: readonly DnsRecord[],
  answer: object = {},
  allowed: (host: string) => boolean = () => true,
) {
  const whole = { server: 's', exists: true, records, negativeTtlMs: undefined, ...answer };
  return srvEndpoints(source, whole, allowed);
}
const brief = (records: readonly DnsRecord[]) =>
  read(records).endpoints.map(({ id, priority, weight }) => `${id} ${priority}/${weight}`);
const reasons = (records: readonly DnsRecord[]) =>
  read(records).dropped.map(({ target, reason }) => [target, reason]);

describe('SRV records', () => {
  test('give tier, weight, id and the lowest TTL', () => {
    const records = [
      srv('B.example.test', { priority: 2, weight: 7, port: 1 }),
      srv('a.example.test', { ttlMs: 5_000 }),
    ];
    const { endpoints, ttlMs } = read(records);
    assert.deepEqual(brief(records), ['a.example.test:1883 0/1', 'b.example.test:1 2/7']);
    assert.deepEqual([endpoints[0]?.url, ttlMs], ['mqtt://a.example.test:1883', 5_000]);
  });

  test('take the WebSocket path from the configuration', () => {
    const answer = { server: 's', exists: true, records: [srv('a.test')], negativeTtlMs: undefined };
    const { endpoints } = srvEndpoints({ name: NAME, scheme: 'wss', path: '/m?x=1' }, answer, () => true);
    assert.deepEqual([endpoints[0]?.url, endpoints[0]?.path], ['wss://a.test:1883/m', '/m?x=1']);
  });

  test('of another name are ignored, letter case does not count (R9)', () => {
    const records = [
      srv('a.test', { name: NAME.toUpperCase() }),
      srv('b.test', { name: '_mqtt._tcp.evil.test' }),
    ];
    assert.deepEqual(brief(records), ['a.test:1883 0/1']);
  });

  test('are found behind eight aliases, whose TTLs count, and not behind nine (R9)', () => {
    const chain = (length: number): DnsRecord[] => [
      ...Array.from({ length }, (_, i) =>
        alias(i === 0 ? NAME : `n${i}.test`, `n${i + 1}.test`, (20 - i) * 1_000),
      ),
      srv('a.test', { name: `n${length}.test` }),
    ];
    assert.deepEqual([brief(chain(8)), read(chain(8)).ttlMs], [['a.test:1883 0/1'], 13_000]);
    assert.throws(() => read(chain(9)), { reason: 'nodata' });
    assert.throws(() => read([alias(NAME, 'b.test'), alias('b.test', NAME)]), { reason: 'nodata' });
  });

  test('behind an alias are judged by the configured domain (R26)', () => {
    const records = [
      alias(NAME, '_mqtt._tcp.evil.test'),
      srv('a.evil.test', { name: '_mqtt._tcp.evil.test' }),
    ];
    assert.throws(() => read(records, {}, (host) => isUnder('example.test', host)), {
      reason: 'no-usable-target',
    });
  });

  test('are dropped with a reason where they cannot be used (R11, R24)', () => {
    const records = [
      srv('ok.test'),
      srv('.'),
      srv('zero.test', { port: 0 }),
      srv('192.0.2.1'),
      srv('0x7f000001'),
      srv('::1'),
      srv('a_b.test'),
      srv('a b.test'),
      srv('ü.test'),
      srv('user@a.test'),
    ];
    assert.deepEqual(brief(records), ['ok.test:1883 0/1']);
    assert.deepEqual(reasons(records), [
      ['.:1883', 'a target "." beside others means nothing'],
      ['zero.test:0', 'port 0'],
      ...['192.0.2.1', '0x7f000001', '::1', 'a_b.test', 'a b.test', 'ü.test', 'user@a.test'].map((target) => [
        `${target}:1883`,
        'not a host name',
      ]),
    ]);
    const { dropped } = read([srv('a.test'), srv('EVIL.test')], {}, (host) => host !== 'evil.test');
    assert.deepEqual(dropped, [
      { target: 'EVIL.test:1883', reason: 'the host is neither under the domain nor in allowedHosts' },
    ]);
  });

  test('for one host and port are one endpoint: lowest priority, then highest weight (R11)', () => {
    const twins = [
      srv('a.test', { priority: 5, weight: 100 }),
      srv('A.test', { priority: 1, weight: 3 }),
      srv('a.test', { priority: 1, weight: 4 }),
      srv('a.test', { port: 2, priority: 9, weight: 9 }),
    ];
    assert.deepEqual(brief(twins), ['a.test:1883 1/4', 'a.test:2 9/9']);
  });

  test('give the same list in any order', () => {
    const record = fc.record({
      target: fc.constantFrom('a.test', 'b.test', 'c.test', '.', '1.2.3.4'),
      port: fc.integer({ min: 0, max: 2 }),
      priority: fc.integer({ min: 0, max: 2 }),
      weight: fc.integer({ min: 0, max: 3 }),
      ttlMs: fc.integer({ min: 0, max: 9 }),
    });
    const shuffled = fc
      .array(record, { minLength: 1, maxLength: 12 })
      .map((init) => [srv('fixed.test'), ...init.map(({ target, ...rest }) => srv(target, rest))])
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        const [one, two] = [read(list), read(other)];
        assert.deepEqual([one.endpoints, one.ttlMs], [two.endpoints, two.ttlMs]);
      }),
    );
  });

  test('share the clients of a tier by weight; weight 0 is the last resort (R13)', () => {
    const weights = { a: 1, b: 2, c: 3, d: 0 };
    const { endpoints } = read(Object.entries(weights).map(([id, weight]) => srv(`${id}.test`, { weight })));
    const homes = { a: 0, b: 0, c: 0, d: 0 };
    for (let n = 0; n < 60_000; n += 1)
      homes[rank(`device-${n}`, endpoints)[0]?.host[0] as keyof typeof homes] += 1;
    for (const [id, weight] of Object.entries(weights))
      assert.ok(
        Math.abs(homes[id as keyof typeof homes] - weight * 10_000) <= weight * 200,
        JSON.stringify(homes),
      );
  });
});

describe('an answer without endpoints', () => {
  test('is NXDOMAIN or has no records, and says for how long', () => {
    const negative = { negativeTtlMs: 7_000 };
    assert.throws(() => read([], { exists: false, ...negative }), { reason: 'nxdomain', ttlMs: 7_000 });
    assert.throws(() => read([], negative), { reason: 'nodata', ttlMs: 7_000 });
  });

  test('says that the service is decidedly not available when "." is all there is (R10)', () => {
    assert.throws(() => read([srv('.', { port: 0 })]), {
      reason: 'service-unavailable',
      message: /decidedly not available/,
    });
  });

  test('names what was dropped, three at most', () => {
    const records = ['1', '2', '3', '4', '5'].map((n) => srv(`10.0.0.${n}`));
    assert.throws(() => read(records), {
      reason: 'no-usable-target',
      message:
        's gave no target that may be used: "10.0.0.1:1883" (not a host name), "10.0.0.2:1883" (not a host name), "10.0.0.3:1883" (not a host name) and 2 more',
    });
  });
});
