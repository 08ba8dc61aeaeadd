/** resolv.conf(5), as far as absolute names need it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseResolvConf } from '../../../../src/discovery/dns/resolv-conf.js';

const hosts = (text?: string) => parseResolvConf(text).servers.map(({ host, port }) => `${host} ${port}`);

describe('resolv.conf (R32)', () => {
  test('names three servers at most, in order', () => {
    const text =
      'nameserver 192.0.2.1\n# nameserver 9.9.9.9\n  nameserver\t2001:db8::1 ; x\nnameserver fe80::1%eth0\nnameserver 192.0.2.4\n';
    assert.deepEqual(hosts(text), ['192.0.2.1 53', '2001:db8::1 53', 'fe80::1%eth0 53']);
  });

  test('that is missing, empty or nonsense leads to localhost', () => {
    for (const text of [undefined, '', '\0\0', 'nameserver\nnameserver u@h/x\n', 'domain x\n'.repeat(1_000)])
      assert.deepEqual(hosts(text), ['127.0.0.1 53']);
  });

  for (const [options, expected] of [
    ['', [5_000, 2, false]],
    ['options timeout:1 attempts:3 rotate', [1_000, 3, true]],
    ['options timeout:99 attempts:99', [30_000, 5, false]],
    ['options timeout:0 attempts:0', [1_000, 1, false]],
    ['options timeout:x attempts: timeout', [5_000, 2, false]],
    ['options timeout:2\noptions rotate timeout:4', [4_000, 2, true]],
    ['search evil.test\noptions ndots:5 edns0', [5_000, 2, false]],
  ] as const) {
    test(`with ${JSON.stringify(options)} has timeout, attempts and rotate ${expected}`, () => {
      const { timeoutMs, attempts, rotate } = parseResolvConf(options);
      assert.deepEqual([timeoutMs, attempts, rotate], expected);
    });
  }
});
