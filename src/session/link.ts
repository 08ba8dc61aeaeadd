/** What a connection is once a broker has accepted it: CONNACK, and what CONNECT was sent with. */
import type { IConnackPacket } from 'mqtt';
import type { Endpoint } from '../endpoint.js';
import type { DialTarget } from '../platform/ports.js';
import { type BrokerLimits, brokerLimits } from './broker-limits.js';
import { spreadHintOf } from './spread-hint.js';

/** An accepted connection. */
export interface Link {
  readonly endpoint: Endpoint;
  /** Session Present. */
  readonly resumed: boolean;
  /** What the broker can take. */
  readonly limits: BrokerLimits;
  /** Milliseconds since 1970 at which the credentials that it was made with expire; `undefined` if that is unknown. */
  readonly expiresAt: number | undefined;
  /** Milliseconds over which the broker wants its clients to spread after a loss. */
  readonly spreadMs?: number | undefined;
  /** Milliseconds from CONNECT to CONNACK. */
  readonly connackMs?: number;
}

/**
 * The link to `target` that CONNACK 0 has made.
 *
 * @param clean - Of CONNECT: whoever asked for a clean session has none that could be present.
 */
export function acceptedLink(
  { endpoint, expiresAt }: DialTarget,
  { sessionPresent, properties }: IConnackPacket,
  clean: boolean | undefined,
  connackMs: number,
): Link {
  return {
    endpoint,
    resumed: sessionPresent === true && clean === false,
    limits: brokerLimits(properties),
    expiresAt,
    spreadMs: spreadHintOf(properties?.userProperties),
    connackMs,
  };
}
