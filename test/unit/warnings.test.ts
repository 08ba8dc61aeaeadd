/** What a client warns of when it starts: allowed, and rarely meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { warningsFor } from '../../src/warnings.js';

const WILL = { topic: 'gone', payload: Buffer.from('x'), qos: 1, retain: false } as const;

for (const [what, options, codes] of [
  ['an ordinary client', { clientId: 'sensor-1', protocolVersion: 5 }, []],
  [
    'a will without delay in MQTT 5',
    { clientId: 'a', protocolVersion: 5, will: WILL },
    ['WILL_WITHOUT_DELAY'],
  ],
  [
    'a will whose delay is none',
    { clientId: 'a', protocolVersion: 5, will: { ...WILL, properties: { willDelayInterval: 0 } } },
    ['WILL_WITHOUT_DELAY'],
  ],
  [
    'a will with a delay',
    { clientId: 'a', protocolVersion: 5, will: { ...WILL, properties: { willDelayInterval: 60 } } },
    [],
  ],
  ['a will in MQTT 3.1.1, which knows no delay', { clientId: 'a', protocolVersion: 4, will: WILL }, []],
  ['an id of 24 bytes', { clientId: 'a'.repeat(24) }, ['LONG_CLIENT_ID']],
  ['an id with other letters', { clientId: 'Gerät' }, ['LONG_CLIENT_ID']],
] as const) {
  test(`${what}: ${codes.length === 0 ? 'nothing to say' : codes.join(', ')}`, () => {
    const warnings = warningsFor(options as IClientOptions);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      codes,
    );
  });
}
