/** How far an address reaches: the difference between a broker and a metadata service. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressScope } from '../../../src/platform/node-address-scope.js';

const SCOPES = {
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    'fd12::1',
    '::ffff:10.0.0.1',
  ],
  public: ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2001:db8::1', '::ffff:8.8.8.8'],
  forbidden: [
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'fe80::1',
    'ff02::1',
    'fd00:ec2::254',
  ],
} as const;

for (const [scope, addresses] of Object.entries(SCOPES)) {
  test(`knows ${scope} addresses`, () => {
    for (const address of addresses) assert.equal(addressScope(address), scope, address);
  });
}
