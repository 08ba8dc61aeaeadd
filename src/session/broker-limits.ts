/** What a broker says in CONNACK that it can take; it holds for that connection alone (R79). */
import type { IConnackPacket } from 'mqtt';

/** Limits of the broker on the other end of one connection [MQTT 5.0 §3.2.2.3]. */
export interface BrokerLimits {
  /** Publishes above it must not be sent [MQTT-3.2.2-11]. */
  readonly maximumQos: 0 | 1 | 2;
  /** Whether retained publishes may be sent [MQTT-3.2.2-14]. */
  readonly retain: boolean;
  /** Bytes of a whole packet, fixed header included [MQTT-3.2.2-15]. */
  readonly maximumPacketSize: number;
  /** Unacknowledged QoS 1 and 2 publishes at a time [MQTT-3.3.4-7]. */
  readonly receiveMaximum: number;
  readonly wildcardSubscriptions: boolean;
  readonly sharedSubscriptions: boolean;
  readonly subscriptionIdentifiers: boolean;
}

/** The largest packet there can be: a Remaining Length of 268 435 455 and its header [MQTT §1.5.5, §2.1.4]. */
export const LARGEST_PACKET = 268_435_455 + 5;

/** A broker that named no limit, and every broker before MQTT 5. */
export const NO_LIMITS: BrokerLimits = Object.freeze({
  maximumQos: 2,
  retain: true,
  maximumPacketSize: LARGEST_PACKET,
  receiveMaximum: 65_535,
  wildcardSubscriptions: true,
  sharedSubscriptions: true,
  subscriptionIdentifiers: true,
});

/** Reads CONNACK. A value that the protocol does not allow, such as a size of 0, counts as not given. */
export function brokerLimits(properties: IConnackPacket['properties']): BrokerLimits {
  if (!properties) return NO_LIMITS;
  const { maximumQoS } = properties;
  return {
    maximumQos: maximumQoS === 0 || maximumQoS === 1 ? maximumQoS : 2,
    retain: properties.retainAvailable !== false,
    maximumPacketSize: positive(properties.maximumPacketSize) ?? LARGEST_PACKET,
    receiveMaximum: positive(properties.receiveMaximum) ?? 65_535,
    wildcardSubscriptions: properties.wildcardSubscriptionAvailable !== false,
    sharedSubscriptions: properties.sharedSubscriptionAvailable !== false,
    subscriptionIdentifiers: properties.subscriptionIdentifiersAvailable !== false,
  };
}

/** A property that came twice is an array: outside data is what it is, not what its type says. */
function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
