/** SRV records as a source: what the watcher gets, and how rarely a failing name is asked for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBrokers } from '../../../../src/brokers/parse.js';
import type { ParsedBrokers } from '../../../../src/brokers/parsed.js';
import { createSrvResolver } from '../../../../src/discovery/dns/create-srv-resolver.js';
import { DnsFailure } from '../../../../src/discovery/dns/dns-failure.js';
import type { DnsAnswer, DnsRecord } from '../../../../src/discovery/dns/dns-query.js';
import { SrvResolver } from '../../../../src/discovery/dns/srv-resolver.js';
import { FailoverError } from '../../../../src/errors.js';
import { VirtualClock } from '../../../support/virtual-clock.js';
import { FakeDns } from '../../fakes/fake-dns.js';

const NAME = '_mqtt._tcp.example.test';
const never = new AbortController().signal;
const record = (target: string, ttlMs = 300_000): DnsRecord => {
  return { type: 'SRV', name: NAME, ttlMs, priority: 0, weight: 1, port: 1883, target };
};
const answer = (...records: DnsRecord[]): DnsAnswer => ({
  server: 's:53',
  exists: true,
  records,
  negativeTtlMs: undefined,
});

function world() {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const script: { next: () => Promise<DnsAnswer> } = { next: async () => answer(record('a.test')) };
  const resolver = new SrvResolver(
    { name: NAME, scheme: 'mqtt', path: '/' },
    {
      query: (name) => {
        asked.push(name);
        return script.next();
      },
      allowed: (host) => !host.includes('evil'),
      clock,
      minTtlMs: 60_000,
    },
  );
  return { clock, asked, script, resolver };
}

describe('an SRV source', () => {
  test('gives endpoints with the TTL of the answer, and tells what it leaves out (R11, R24)', async () => {
    const { resolver, script } = world();
    script.next = async () => answer(record('a.test', 90_000), record('evil.test'));
    const { endpoints, source, ttlMs, skipped } = await resolver.resolve(never);
    assert.deepEqual([endpoints.map(({ id }) => id), source, ttlMs], [['a.test:1883'], 'srv', 90_000]);
    assert.deepEqual(skipped, ['"evil.test:1883": the host is neither under the domain nor in allowedHosts']);
  });

  test('holds an answer for a minute at least (R16)', async () => {
    const { resolver, script } = world();
    script.next = async () => answer(record('a.test', 5_000));
    assert.equal((await resolver.resolve(never)).ttlMs, 60_000);
  });

  test('is empty, and means it, when the operator closes a service that there was (R10)', async () => {
    const { resolver, script } = world();
    script.next = async () => answer(record('.', 90_000));
    await assert.rejects(resolver.resolve(never), /decidedly not available/);
    const again = world();
    await again.resolver.resolve(never);
    again.script.next = async () => answer(record('.', 90_000));
    const { endpoints, empty, ttlMs, skipped } = await again.resolver.resolve(never);
    assert.deepEqual([endpoints, empty, ttlMs], [[], true, 90_000]);
    assert.match(String(skipped), /decidedly not available/);
  });

  test('fails with ERR_DISCOVERY that names the name, the server and what came', async () => {
    const { resolver, script } = world();
    script.next = async () => ({ ...answer(), exists: false });
    await assert.rejects(resolver.resolve(never), (error: Error) => {
      assert.ok(error instanceof FailoverError && error.retryable);
      assert.equal(error.code, 'ERR_DISCOVERY');
      assert.equal(error.message, `SRV lookup of ${NAME} failed: s:53 says that there is no such name`);
      assert.equal((error.cause as DnsFailure).reason, 'nxdomain');
      return true;
    });
  });

  const holds = async (milliseconds: number, { clock, resolver, asked }: ReturnType<typeof world>) => {
    const before = asked.length;
    await clock.advance(milliseconds - 1);
    await assert.rejects(resolver.resolve(never));
    assert.equal(asked.length, before, `asked within ${milliseconds} ms`);
    await clock.advance(1);
    await resolver.resolve(never).catch(() => {});
    assert.equal(asked.length, before + 1, `not asked after ${milliseconds} ms`);
  };

  test('believes a negative answer for its TTL, from 10 s to 300 s (R20)', async () => {
    for (const [ttlMs, heldMs] of [
      [undefined, 10_000],
      [2_000, 10_000],
      [60_000, 60_000],
      [9e9, 300_000],
    ] as const) {
      for (const exists of [true, false]) {
        const w = world();
        w.script.next = async () => ({ ...answer(), exists, negativeTtlMs: ttlMs });
        await assert.rejects(w.resolver.resolve(never));
        await holds(heldMs, w);
      }
    }
  });

  test('does not repeat a failed resolution for a second, then longer, 30 s at most (R20)', async () => {
    const w = world();
    w.script.next = () => Promise.reject(new DnsFailure('timeout', 'late'));
    await assert.rejects(w.resolver.resolve(never));
    for (const heldMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) await holds(heldMs, w);
    w.script.next = async () => answer(record('a.test'));
    await w.clock.advance(30_000);
    await w.resolver.resolve(never);
    w.script.next = () => Promise.reject(new DnsFailure('timeout', 'late'));
    await assert.rejects(w.resolver.resolve(never));
    await holds(1_000, w);
  });

  test('remembers nothing of a question that was given up', async () => {
    const { resolver, script, asked } = world();
    const abort = new AbortController();
    script.next = () => Promise.reject(new Error('aborted'));
    abort.abort(new Error('enough'));
    await assert.rejects(resolver.resolve(abort.signal), { message: 'enough' });
    script.next = async () => answer(record('a.test'));
    await resolver.resolve(never);
    assert.equal(asked.length, 2);
  });
});

describe('an SRV URL becomes a source', () => {
  const make = (url: string, deps: object = {}) =>
    createSrvResolver(parseBrokers(url) as Extract<ParsedBrokers, { kind: 'srv' }>, {
      clock: new VirtualClock(),
      fetch: () => assert.fail('no I/O before resolve()'),
      ...deps,
    });

  test('that asks only for the service of its scheme (R2, R4)', async () => {
    for (const [url, name] of [
      ['mqtt+srv://example.test', NAME],
      ['mqtts+srv://example.test', '_secure-mqtt._tcp.example.test'],
      ['wss+srv://Example.test./mqtt?srv=mqtt-wss', '_mqtt-wss._tcp.example.test'],
    ] as const) {
      const dns = new FakeDns();
      dns.answer = () => ({ rcode: 3 });
      await assert.rejects(make(url, { dns }).resolve(never), { code: 'ERR_DISCOVERY' });
      assert.deepEqual(
        dns.sent.map((sent) => sent.name.toLowerCase()),
        [name],
      );
    }
  });

  test('only where there is a way to the DNS: a browser needs doh (R35)', () => {
    assert.throws(() => make('wss+srv://a.test?srv=x'), {
      code: 'ERR_OPTION',
      message: /^Option `discovery\.dns\.doh` must be given .*a browser cannot ask DNS servers/,
    });
    make('wss+srv://a.test?srv=x', { doh: new URL('https://dns.test/q') });
    assert.throws(() => make('mqtt+srv://192.0.2.1', { dns: new FakeDns() }), { code: 'ERR_OPTION' });
  });
});
