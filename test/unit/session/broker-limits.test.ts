/** What CONNACK says of the broker, and what counts when it says nothing or nonsense. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { brokerLimits, NO_LIMITS } from '../../../src/session/broker-limits.js';

describe('the limits of a broker', () => {
  test('are what it announced', () => {
    const properties = {
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 1_000,
      receiveMaximum: 5,
      wildcardSubscriptionAvailable: false,
      sharedSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
    };
    assert.deepEqual(brokerLimits(properties), {
      maximumQos: 1,
      retain: false,
      maximumPacketSize: 1_000,
      receiveMaximum: 5,
      wildcardSubscriptions: false,
      sharedSubscriptions: false,
      subscriptionIdentifiers: false,
    });
  });

  test('are those of the protocol when it announced none', () => {
    assert.deepEqual(brokerLimits(undefined), NO_LIMITS);
    assert.deepEqual(brokerLimits({}), NO_LIMITS);
  });

  test('are those of the protocol where it announced what the protocol forbids', () => {
    const nonsense = { maximumQoS: 7, maximumPacketSize: 0, receiveMaximum: [3, 4] };
    assert.deepEqual(brokerLimits(nonsense as never), NO_LIMITS);
  });
});
