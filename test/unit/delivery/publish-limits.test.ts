/** Which messages a broker can take, to the byte. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IClientPublishOptions } from 'mqtt';
import { createMessage } from '../../../src/delivery/message.js';
import { PublishLimits } from '../../../src/delivery/publish-limits.js';
import { type BrokerLimits, NO_LIMITS } from '../../../src/session/broker-limits.js';

const V4 = { properties: false, aliases: false };
const V5 = { properties: true, aliases: false };

const message = (payloadBytes: number, options: IClientPublishOptions = {}) =>
  // Only its length is looked at; the protocol's own limit is a quarter of a gigabyte.
  createMessage('t', { byteLength: payloadBytes } as Uint8Array, options, () => {}, 0);

const limits = (given: Partial<BrokerLimits>, format = V5) =>
  new PublishLimits({ ...NO_LIMITS, ...given }, 'a', format);

describe('a message', () => {
  test('beyond the largest packet of the protocol suits no broker, and no other one will take it', () => {
    const largest = 268_435_455 - 3;
    assert.equal(limits({}, V4).misfit(message(largest)), undefined);
    const { reason, error } = limits({}, V4).misfit(message(largest + 1)) ?? {};
    assert.deepEqual([reason, error?.code, error?.retryable], ['too-large', 'ERR_TOO_LARGE', false]);
    assert.equal(limits({}, V5).misfit(message(largest - 1)), undefined);
    assert.equal(limits({}, V5).misfit(message(largest))?.reason, 'too-large');
  });

  test('that another broker may take is worth another try', () => {
    for (const [given, options] of [
      [{ maximumPacketSize: 10 }, {}],
      [{ maximumQos: 1 }, { qos: 2 }],
      [{ retain: false }, { retain: true }],
    ] as const)
      assert.equal(limits(given).misfit(message(20, options))?.error.retryable, true);
  });

  test('has room for the alias that MQTT.js may add to it', () => {
    const fits = message(100 - 7);
    assert.equal(limits({ maximumPacketSize: 100 }).misfit(fits), undefined);
    const aliases = limits({ maximumPacketSize: 100 }, { ...V5, aliases: true });
    assert.equal(aliases.misfit(fits)?.reason, 'too-large');
  });

  test('shows nothing of its payload in the error', () => {
    const secret = createMessage('t', 'secret'.repeat(9), {}, () => {}, 0);
    assert.ok(!limits({ maximumPacketSize: 9 }).misfit(secret)?.error.message.includes('secret'));
  });
});
