/** What the broker we are on can take, asked at the moment a publish would be written (R79, R102–R104). */
import { FailoverError } from '../errors.js';
import type { DropReason } from '../events.js';
import { type BrokerLimits, LARGEST_PACKET } from '../session/broker-limits.js';
import type { Message } from './message.js';
import { publishSize } from './packet-size.js';

/** Why a message must not be written to this broker. */
export interface Misfit {
  readonly reason: Extract<DropReason, 'too-large' | 'rejected'>;
  readonly error: FailoverError;
}

/** What besides CONNACK decides how a PUBLISH looks on the wire. */
export interface WireFormat {
  /** MQTT 5 has properties. */
  readonly properties: boolean;
  /** MQTT.js may add a topic alias of its own: `autoAssignTopicAlias`, `autoUseTopicAlias`. */
  readonly aliases: boolean;
}

/** Counted bytes below which no packet can exceed the protocol's own limit. */
const UNDOUBTED_BYTES = 128 * 1024 * 1024;
/** A topic alias, and a length prefix that grows by it. */
const ALIAS_BYTES = 5;

/** The limits of one connection. */
export class PublishLimits {
  readonly #limits: BrokerLimits;
  readonly #endpoint: string;
  readonly #format: WireFormat;
  /** Whether every message must be looked at: most brokers name no limit, and then nobody pays for it. */
  readonly #announced: boolean;

  constructor(limits: BrokerLimits, endpoint: string, format: WireFormat) {
    this.#limits = limits;
    this.#endpoint = endpoint;
    this.#format = format;
    this.#announced = limits.maximumQos < 2 || !limits.retain || limits.maximumPacketSize < LARGEST_PACKET;
  }

  /** Why `message` must not be written, if so. */
  misfit(message: Message): Misfit | undefined {
    if (!this.#announced && message.bytes < UNDOUBTED_BYTES) return undefined;
    const { maximumQos, retain, maximumPacketSize } = this.#limits;
    const { qos, options } = message;
    if (qos > maximumQos)
      return this.#unsupported(0x9b, message, `its QoS is ${qos} and the Maximum QoS of`, maximumQos);
    if (options.retain && !retain)
      return this.#unsupported(0x9a, message, 'it is to be retained and Retain Available of', 0);
    const size = this.#size(message);
    if (size <= maximumPacketSize) return undefined;
    const text = `its packet has ${size} bytes and the Maximum Packet Size of`;
    const error = this.#error('ERR_TOO_LARGE', 0x95, message, text, maximumPacketSize);
    return { reason: 'too-large', error };
  }

  #size(message: Message): number {
    const { properties, aliases } = this.#format;
    const size = publishSize(message, properties ? (message.options.properties ?? {}) : undefined);
    return aliases ? size + ALIAS_BYTES : size;
  }

  #unsupported(reasonCode: number, message: Message, text: string, limit: number): Misfit {
    return { reason: 'rejected', error: this.#error('ERR_UNSUPPORTED', reasonCode, message, text, limit) };
  }

  #error(
    code: 'ERR_TOO_LARGE' | 'ERR_UNSUPPORTED',
    reasonCode: number,
    { topic }: Message,
    text: string,
    limit: number,
  ): FailoverError {
    const endpoint = this.#endpoint;
    const message = `Message to ${JSON.stringify(topic)} was not sent: ${text} ${endpoint} is ${limit}`;
    // Another endpoint may take it, unless no MQTT packet can be that large.
    const retryable = limit < LARGEST_PACKET;
    return new FailoverError(code, message, { endpoint, reasonCode, retryable });
  }
}
