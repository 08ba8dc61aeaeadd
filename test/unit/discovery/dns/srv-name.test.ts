/** The name that is asked for: absolute, in A-labels, within the lengths of RFC 1035. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isHostName, srvName } from '../../../../src/discovery/dns/srv-name.js';

describe('the SRV name', () => {
  for (const [service, domain, name] of [
    ['mqtt', 'example.com', '_mqtt._tcp.example.com'],
    ['secure-mqtt', 'example.com.', '_secure-mqtt._tcp.example.com'],
    ['MQTT-ws', 'Bücher.Example', '_mqtt-ws._tcp.xn--bcher-kva.example'],
    ['mqtt', 'x', '_mqtt._tcp.x'],
  ] as const) {
    test(`of ${service} at ${domain} is ${name} (R2, R6, R7)`, () =>
      assert.equal(srvName(service, domain), name));
  }

  const long = 'a'.repeat(63);
  test('has labels of 63 and 253 characters in all, at most', () => {
    assert.equal(srvName('mqtt', `${long}.test`).length, 11 + 68);
    const most = [long, long, long, 'a'.repeat(50)].join('.');
    assert.equal(srvName('mqtt', most).length, 253);
    for (const domain of [`a${long}.test`, `${most}a`])
      assert.throws(() => srvName('mqtt', domain), {
        code: 'ERR_OPTION',
        message: /^Option `brokers` must be an SRV/,
      });
  });

  test('is not made of what is no host name', () => {
    for (const domain of [
      '192.0.2.1',
      '1',
      '0x7f.1',
      'a_b.test',
      '-a.test',
      'a..test',
      'a b',
      '.',
      '%',
      'a-.test',
    ])
      assert.throws(() => srvName('mqtt', domain), { code: 'ERR_OPTION' }, domain);
  });
});

describe('a host name', () => {
  test('is letters, digits and inner hyphens, and no IP address in any form', () => {
    for (const name of ['a', 'a.b', 'A-1.b', '1a.test', '3com.test']) assert.ok(isHostName(name), name);
    for (const name of [
      '',
      '.',
      'a.',
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      'a.0x1',
      '::1',
      'a_b',
      'ä',
      'a\0b',
      'a/b',
    ])
      assert.ok(!isHostName(name), name);
  });
});
