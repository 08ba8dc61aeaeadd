/** How long a PUBLISH is on the wire, before it is written (R104). */
import type { IClientPublishOptions } from 'mqtt';
import { utf8Length } from './message.js';

type Properties = NonNullable<IClientPublishOptions['properties']>;

/** Identifier and value of the properties that have a fixed length [MQTT 5.0 §2.2.2.2]. */
const FIXED: Readonly<Record<string, number>> = {
  payloadFormatIndicator: 2,
  messageExpiryInterval: 5,
  topicAlias: 3,
};

/** What {@link publishSize} measures. */
export interface Measured {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: 0 | 1 | 2;
}

/**
 * Bytes of a PUBLISH packet, fixed header included [MQTT 5.0 §3.3, MQTT 3.1.1 §3.3].
 *
 * @param properties - Those of MQTT 5, `{}` when the message has none; `undefined` for older versions.
 */
export function publishSize({ topic, payload, qos }: Measured, properties: Properties | undefined): number {
  const body = 2 + utf8Length(topic) + (qos > 0 ? 2 : 0) + textLength(payload);
  const remaining = body + (properties ? withPrefix(propertiesLength(properties)) : 0);
  return 1 + withPrefix(remaining);
}

function propertiesLength(properties: Properties): number {
  let length = 0;
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'userProperties') length += userPropertiesLength(value as object);
    else if (name === 'subscriptionIdentifier') length += 1 + variableLength(value as number);
    else length += FIXED[name] ?? 3 + textLength(value as string | Uint8Array);
  }
  return length;
}

/** One name and value each; several values of a name repeat it. */
function userPropertiesLength(pairs: object): number {
  let length = 0;
  for (const [name, values] of Object.entries(pairs)) {
    for (const value of Array.isArray(values) ? values : [values])
      length += 5 + utf8Length(name) + utf8Length(String(value));
  }
  return length;
}

function textLength(value: string | Uint8Array): number {
  return typeof value === 'string' ? utf8Length(value) : value.byteLength;
}

/** A length and the variable byte integer that announces it. */
function withPrefix(length: number): number {
  return variableLength(length) + length;
}

/** Bytes of a variable byte integer [MQTT 5.0 §1.5.5]. */
function variableLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}
