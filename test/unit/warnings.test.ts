/** What a client warns of when it starts: allowed, and rarely meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { replacedOptionWarnings, warningsFor } from '../../src/warnings.js';

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

for (const [name, value, advice] of [
  ['reconnectPeriod', 5_000, 'backoff: { minMs: 5000 }'],
  ['connectTimeout', 8_000, 'dial: { transportTimeoutMs, connackTimeoutMs }, which are 8000 at most'],
  ['reconnectOnConnackError', false, 'docs/outcomes.md'],
  ['reschedulePings', true, 'liveness'],
  ['forceNativeWebSocket', true, 'createWebsocket'],
] as const) {
  test(`${name}, which means something else now: what to write instead`, () => {
    const [warning, ...others] = replacedOptionWarnings({ clientId: 'a', [name]: value });
    assert.equal(warning?.code, 'MQTTJS_OPTION');
    assert.match(warning.message, new RegExp(`^With several brokers, ${name} `));
    assert.ok(warning.message.includes(advice), warning.message);
    assert.deepEqual(others, []);
  });
}

test('options that mean what they mean in MQTT.js: nothing to say', () => {
  const options = {
    reconnectPeriod: 0,
    keepalive: 10,
    queueQoSZero: false,
    resubscribe: false,
    clean: false,
  };
  assert.deepEqual(replacedOptionWarnings(options), []);
});
