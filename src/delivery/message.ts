/** One publish on its way: from the call to the settlement of its callback. */
import type { IClientPublishOptions, Packet, PacketCallback } from 'mqtt';
import { callOut } from '../call-out.js';
import { FailoverError } from '../errors.js';

/** A publish that was accepted and is not settled yet. Linked into at most one lane of the outbox. */
export interface Message {
  readonly topic: string;
  payload: string | Uint8Array;
  /** The payload is a copy of ours that was never given away. */
  isCopy: boolean;
  readonly qos: 0 | 1 | 2;
  readonly options: IClientPublishOptions;
  readonly settle: PacketCallback;
  /** Topic, payload and properties, as the bounds count them. */
  readonly bytes: number;
  /** Monotonic milliseconds of the call. */
  readonly publishedAt: number;
  /** Order of the calls; 0 until the outbox or the link took it. */
  sequence: number;
  /** Monotonic milliseconds when it was last written to a link; until then, of the call. */
  sentAt: number;
  /** How often a broker refused it for now. */
  refusals: number;
  settled: boolean;
  /** Told once that the message is in the store, or with a broker, or that the store fails: MQTT.js's `cbStorePut`. */
  onStored: ((error?: Error) => void) | undefined;
  /** Set while the message is in the store, or on its way there: lets the store forget it. */
  release: ((message: Message) => void) | undefined;
  /** An earlier life had PUBREC for it: a broker may have delivered it. */
  received: boolean;
  /** Was published on a link that was ready: it may overtake the backlog of other topics, in the live lane of the outbox. */
  isLive: boolean;
  /** Neighbours in the outbox lane. */
  previous: Message | undefined;
  next: Message | undefined;
}

/**
 * Calls back, exactly once per message. A throwing callback must not stop the others from being settled: its error
 * surfaces as an uncaught one, as it does in MQTT.js.
 */
export function settle(message: Message, error?: Error, packet?: Packet): void {
  message.settled = true;
  if (message.release) {
    message.release(message);
    message.release = undefined;
  }
  if (message.onStored) confirmStored(message, error);
  callOut(() => message.settle(error, packet));
}

/** Makes the payload ours: the caller may reuse its buffer as soon as `publish` returns. A string cannot change. */
export function copyPayload(message: Message): void {
  if (typeof message.payload === 'string') return;
  // A true copy of the same class; `Buffer`'s own `slice` would share memory.
  message.payload = Uint8Array.prototype.slice.call(message.payload);
  message.isCopy = true;
}

/** Tells, once, that a message is stored, or why it is not. */
export function confirmStored(message: Message, error?: Error): void {
  const { onStored } = message;
  if (!onStored) return;
  message.onStored = undefined;
  callOut(() => (error ? onStored(error) : onStored()));
}

/** Whether nobody waits for the settlement of a message. */
export function isIgnored({ settle }: Message): boolean {
  return settle === ignore;
}

/** The callback of a publish without one. */
export function ignore(): void {}

/** Length of `text` in UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    bytes += code < 0x800 ? 1 : 2;
    // A surrogate pair is two units and four bytes: two for each half, of which the length has counted one.
    if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      i += 1;
    }
  }
  return bytes;
}

/** Bytes of a value in an MQTT 5 property list; numbers count as the four that they take at most. */
function propertyBytes(value: unknown): number {
  if (typeof value === 'string') return utf8Length(value) + 2;
  if (value instanceof Uint8Array) return value.length + 2;
  if (typeof value !== 'object' || value === null) return 4;
  let bytes = 0;
  for (const [key, item] of Object.entries(value)) bytes += utf8Length(key) + 2 + propertyBytes(item);
  return bytes;
}

/**
 * mqtt-packet writes nothing at all, and reports nothing, when `userProperties` is there and holds no pair: the
 * publish would wait for its acknowledgement for ever.
 */
function withoutEmptyPairs(options: IClientPublishOptions): IClientPublishOptions {
  const pairs = options.properties?.userProperties;
  if (!pairs || Object.values(pairs).some((value) => !Array.isArray(value) || value.length > 0))
    return options;
  const { userProperties: _, ...properties } = options.properties ?? {};
  return { ...options, properties };
}

/** Makes a message of the arguments of `publish`, whose validity {@link publishProblem} has checked. */
export function createMessage(
  topic: string,
  payload: string | Uint8Array | undefined,
  given: IClientPublishOptions,
  settle: PacketCallback,
  publishedAt: number,
  byteLength: (text: string) => number = utf8Length,
): Message {
  const body = payload ?? '';
  const { cbStorePut: onStored } = given;
  const options = onStored === undefined ? given : withoutStoreCallback(given);
  const { properties, qos = 0 } = options;
  const bytes =
    byteLength(topic) +
    (typeof body === 'string' ? byteLength(body) : body.byteLength) +
    (properties === undefined ? 0 : propertyBytes(properties));
  return {
    topic,
    payload: body,
    isCopy: false,
    qos,
    options: properties === undefined ? options : withoutEmptyPairs(options),
    settle,
    bytes,
    publishedAt,
    sequence: 0,
    sentAt: publishedAt,
    refusals: 0,
    settled: false,
    onStored,
    release: undefined,
    received: false,
    isLive: false,
    previous: undefined,
    next: undefined,
  };
}

/** MQTT.js would call it when it sends the message; we know better when it is stored. */
function withoutStoreCallback({ cbStorePut: _, ...options }: IClientPublishOptions): IClientPublishOptions {
  return options;
}

/** The options to send with, Message Expiry less the time spent waiting; `undefined` when it is over (R115). */
export function optionsAt({ options, publishedAt }: Message, now: number): IClientPublishOptions | undefined {
  const expiry = options.properties?.messageExpiryInterval;
  if (expiry === undefined) return options;
  const left = expiry - Math.floor((now - publishedAt) / 1_000);
  return left > 0
    ? { ...options, properties: { ...options.properties, messageExpiryInterval: left } }
    : undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: U+0000 is what MQTT forbids
const FORBIDDEN_IN_TOPIC = /[+#\u0000]/;

/**
 * What is wrong with the arguments of a publish, if anything.
 *
 * mqtt-packet destroys the connection on such a packet and brokers close it; queued for a fail-over client it would
 * do so on every endpoint in turn. It is refused before it is queued instead.
 */
export function publishProblem(
  topic: unknown,
  payload: unknown,
  options: IClientPublishOptions,
): FailoverError | undefined {
  const refuse = (text: string) => new FailoverError('ERR_MESSAGE', `Cannot publish: ${text}`);
  if (typeof topic !== 'string') return refuse(`the topic must be a string, got ${typeof topic}`);
  if (topic === '' && options.properties?.topicAlias === undefined) return refuse('the topic is empty');
  if (FORBIDDEN_IN_TOPIC.test(topic))
    return refuse(`the topic ${JSON.stringify(topic)} contains +, # or U+0000`);
  if (topic.length > 21_845 && utf8Length(topic) > 65_535)
    return refuse('the topic is longer than 65535 bytes');
  if (
    payload !== undefined &&
    payload !== null &&
    typeof payload !== 'string' &&
    !(payload instanceof Uint8Array)
  ) {
    return refuse(`the payload must be a string or a Buffer, got ${typeof payload}`);
  }
  const { qos } = options;
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2)
    return refuse(`QoS must be 0, 1 or 2, got ${qos}`);
  return undefined;
}
