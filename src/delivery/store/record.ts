/**
 * A message as bytes, and back. What comes back is outside data: disks flip bits, and others may write to them.
 *
 * Frame: CRC-32 of the rest (4 bytes), format (1), body, which a codec may have changed.
 * Body, big endian: flags (1), life (4), monotonic and wall time of the publish (8, 8), topic length (2), topic,
 * length of the properties (4), properties as JSON, payload.
 */
import type { IClientPublishOptions } from 'mqtt';
import { FailoverError } from '../../errors.js';
import { type Message, publishProblem, utf8Length } from '../message.js';
import { crc32 } from './crc32.js';

type Properties = NonNullable<IClientPublishOptions['properties']>;

/** When a message was published, by the clocks of the life that published it. */
export interface Timestamp {
  /** Which run of which client wrote it. */
  readonly life: number;
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Milliseconds since 1970 by the clock of then. */
  readonly wallAt: number;
}

/** What a record holds. */
export interface RecordContent {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: IClientPublishOptions & { readonly qos: 1 | 2 };
  readonly time: Timestamp;
}

const FORMAT = 1;
const FRAME_BYTES = 5;
/** Flags, life, two times, topic length. */
const HEADER_BYTES = 23;
const RETAIN = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The body of a message's record. */
export function encodeBody({ topic, payload, qos, options }: Message, time: Timestamp): Uint8Array {
  const name = encoder.encode(topic);
  const { properties } = options;
  const props = encoder.encode(properties ? JSON.stringify(toJson(properties)) : '');
  const data = typeof payload === 'string' ? encoder.encode(payload) : payload;
  const body = new Uint8Array(HEADER_BYTES + name.length + 4 + props.length + data.length);
  const view = new DataView(body.buffer);
  body[0] = qos | (options.retain ? RETAIN : 0);
  view.setUint32(1, time.life);
  view.setFloat64(5, time.at);
  view.setFloat64(13, time.wallAt);
  view.setUint16(21, name.length);
  body.set(name, HEADER_BYTES);
  let at = HEADER_BYTES + name.length;
  view.setUint32(at, props.length);
  at += 4;
  body.set(props, at);
  body.set(data, at + props.length);
  return body;
}

/**
 * Reads what {@link encodeBody} wrote.
 *
 * @throws {@link FailoverError} `ERR_STORE` for anything else.
 */
export function decodeBody(body: Uint8Array): RecordContent {
  try {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const flags = view.getUint8(0);
    const qos = flags & 3;
    if (qos !== 1 && qos !== 2) throw new Error(`QoS ${qos}`);
    const time = { life: view.getUint32(1), at: view.getFloat64(5), wallAt: view.getFloat64(13) };
    const topicEnd = HEADER_BYTES + view.getUint16(21);
    const propertiesEnd = topicEnd + 4 + view.getUint32(topicEnd);
    if (propertiesEnd > body.length) throw new Error('it is too short');
    const topic = decoder.decode(body.subarray(HEADER_BYTES, topicEnd));
    const json = decoder.decode(body.subarray(topicEnd + 4, propertiesEnd));
    const properties = json === '' ? undefined : fromJson(JSON.parse(json));
    const options = { qos, retain: (flags & RETAIN) !== 0, ...(properties ? { properties } : {}) } as const;
    // A copy: MQTT.js clones the buffer behind a view as a whole.
    const payload = body.slice(propertiesEnd);
    const problem = publishProblem(topic, payload, options);
    if (problem) throw problem;
    return { topic, payload, options, time };
  } catch (cause) {
    throw unreadable('it is no message', cause);
  }
}

/** Puts checksum and format before a body. */
export function frame(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES + body.length);
  bytes[4] = FORMAT;
  bytes.set(body, FRAME_BYTES);
  new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4)));
  return bytes;
}

/**
 * The body in a frame.
 *
 * @throws {@link FailoverError} `ERR_STORE` when a byte has changed, or the format is a newer one.
 */
export function unframe(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= FRAME_BYTES) throw unreadable('it is too short');
  const expected = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  if (crc32(bytes.subarray(4)) !== expected) throw unreadable('its checksum is wrong');
  if (bytes[4] !== FORMAT) throw unreadable(`it has format ${bytes[4]}, and this version knows ${FORMAT}`);
  return bytes.subarray(FRAME_BYTES);
}

function unreadable(why: string, cause?: unknown): FailoverError {
  return new FailoverError('ERR_STORE', `A record of the outbox cannot be read: ${why}`, { cause });
}

/** JSON has no bytes: Correlation Data is the only property that may hold them [MQTT 5.0 §3.3.2.3.6]. */
function toJson({ correlationData, topicAlias: _, ...rest }: Properties): object {
  if (correlationData === undefined) return rest;
  return { ...rest, correlationData: [...correlationData] };
}

/** Takes known names only, with values of their kind: nothing reaches MQTT.js that could end its connection. */
function fromJson(value: unknown): Properties {
  if (!isRecord(value)) throw new Error('its properties are no object');
  const properties: Record<string, unknown> = {};
  for (const [name, isValid] of Object.entries(PROPERTIES)) {
    const given = value[name];
    if (given === undefined) continue;
    if (!isValid(given)) throw new Error(`its property ${name} is not what it should be`);
    properties[name] = name === 'correlationData' ? Uint8Array.from(given as number[]) : given;
  }
  return properties;
}

/** Bytes of the longest text, and of the longest binary data [MQTT 5.0 §1.5.4, §1.5.6]. */
const MAX_LENGTH = 65_535;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWithin =
  (min: number, max: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value >= min && value <= max;
const isByte = (value: unknown): boolean => Number.isInteger(value) && isWithin(0, 255)(value);
const isText = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= MAX_LENGTH && utf8Length(value) <= MAX_LENGTH;
/** What MQTT.js makes a text of. */
const isPlain = (value: unknown): boolean =>
  isText(value) || typeof value === 'number' || typeof value === 'boolean';

/** The properties of PUBLISH that are kept [MQTT 5.0 §3.3.2.3]. */
const PROPERTIES: Readonly<Record<string, (value: unknown) => boolean>> = {
  payloadFormatIndicator: (value) => typeof value === 'boolean',
  messageExpiryInterval: isWithin(0, 0xffff_ffff),
  responseTopic: isText,
  subscriptionIdentifier: isWithin(0, 268_435_455),
  contentType: isText,
  correlationData: (value) => Array.isArray(value) && value.length <= MAX_LENGTH && value.every(isByte),
  userProperties: (value) =>
    isRecord(value) &&
    Object.entries(value).every(
      ([name, given]) => isText(name) && (Array.isArray(given) ? given.every(isPlain) : isPlain(given)),
    ),
};
