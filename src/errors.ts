/** One error class with a closed set of codes: callers switch on `code`, people read `message`. */

import type { Outcome } from './health/outcomes.js';

const BRAND = Symbol.for('mqtt-failover.error');

/**
 * Every `code` a {@link FailoverError} can carry.
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_OPTION` | an argument or option is wrong; thrown before any I/O |
 * | `ERR_DISCOVERY` | the endpoint list could not be obtained |
 * | `ERR_NO_ENDPOINT` | the endpoint list has nothing this runtime can use, or no such endpoint |
 * | `ERR_TRANSPORT` | one endpoint could not be reached: refused, reset, DNS, TLS or WebSocket failure |
 * | `ERR_TRANSPORT_TIMEOUT` | one endpoint did not open a transport in time |
 * | `ERR_CONNACK_TIMEOUT` | one endpoint opened a transport but did not answer CONNECT in time |
 * | `ERR_REFUSED` | one endpoint answered CONNECT with a refusal; see `reasonCode` |
 * | `ERR_CREDENTIALS` | the `credentials` option failed, or gave something unusable |
 * | `ERR_LINK` | an established connection ended |
 * | `ERR_ALL_FAILED` | every endpoint of a pass failed; `cause` is an `AggregateError` with one error each |
 * | `ERR_MESSAGE` | a publish that no broker could take: bad topic, payload or QoS |
 * | `ERR_OVERFLOW` | a publish that the bounded outbox had no room for, or that was evicted for another |
 * | `ERR_EXPIRED` | a publish that waited longer than `outbox.maxAgeMs` or its own Message Expiry Interval |
 * | `ERR_TOO_LARGE` | a publish that can never fit into `outbox.maxBytes`, or into the Maximum Packet Size of `endpoint` |
 * | `ERR_UNSUPPORTED` | a publish or subscription that `endpoint` announced it does not support: QoS, retain, kind of filter |
 * | `ERR_POISON` | a publish or request that ended three connections, the last of them alone on it |
 * | `ERR_DELIVERY_UNCERTAIN` | a QoS 2 publish whose session was lost after PUBREC, with `outbox.qos2: 'reject'` |
 * | `ERR_STORE` | `outbox.store` cannot be used, or a record in it cannot be read; publishes go on in memory |
 * | `ERR_ENDED` | the client was ended before the operation finished |
 */
export type FailoverErrorCode =
  | 'ERR_OPTION'
  | 'ERR_DISCOVERY'
  | 'ERR_NO_ENDPOINT'
  | 'ERR_TRANSPORT'
  | 'ERR_TRANSPORT_TIMEOUT'
  | 'ERR_CONNACK_TIMEOUT'
  | 'ERR_REFUSED'
  | 'ERR_CREDENTIALS'
  | 'ERR_LINK'
  | 'ERR_ALL_FAILED'
  | 'ERR_MESSAGE'
  | 'ERR_OVERFLOW'
  | 'ERR_EXPIRED'
  | 'ERR_TOO_LARGE'
  | 'ERR_UNSUPPORTED'
  | 'ERR_POISON'
  | 'ERR_DELIVERY_UNCERTAIN'
  | 'ERR_STORE'
  | 'ERR_ENDED';

/** What a {@link FailoverError} carries besides code and message. */
export interface FailoverErrorDetails {
  /** The failure underneath. */
  readonly cause?: unknown;
  /** Whether the same call may succeed later without a change of arguments. @defaultValue false */
  readonly retryable?: boolean;
  /** Id of the endpoint the error is about. */
  readonly endpoint?: string;
  /** MQTT reason code or return code, where a broker gave one. */
  readonly reasonCode?: number;
  /** What happened, as {@link classify} reads it. */
  readonly outcome?: Outcome;
  /** Server Reference of the broker, as it came. */
  readonly serverReference?: string | undefined;
}

/** The only error class of this library. Messages never contain passwords or user info. */
export class FailoverError extends Error {
  /** Always the same: tell errors apart by {@link code}. */
  override readonly name = 'FailoverError';
  /** Which failure; docs/troubleshooting.md says what to do about each. */
  readonly code: FailoverErrorCode;
  /** Whether the same call may succeed later without a change of arguments. */
  readonly retryable: boolean;
  /** Id of the endpoint the error is about, if it is about one. */
  readonly endpoint: string | undefined;
  /** MQTT reason code or return code, where a broker gave one. */
  readonly reasonCode: number | undefined;
  /** What happened to an endpoint, as `classify` reads it. */
  readonly outcome: Outcome | undefined;
  /** Server Reference of the broker, as it came: outside data. */
  readonly serverReference: string | undefined;

  constructor(code: FailoverErrorCode, message: string, details: FailoverErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.endpoint = details.endpoint;
    this.reasonCode = details.reasonCode;
    this.outcome = details.outcome;
    this.serverReference = details.serverReference;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Tells a {@link FailoverError} from any other value, also one made by a second copy of this package. */
export function isFailoverError(value: unknown): value is FailoverError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/** Names a value in an error message: short, quoted where it is text, and never an object's content. */
export function describe(value: unknown): string {
  if (typeof value === 'string') {
    const shown = redactUrls(value);
    return `${JSON.stringify(shown.length > 80 ? `${shown.slice(0, 80)}…` : shown)} (string)`;
  }
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object') return 'an object';
  return `${String(value)} (${typeof value})`;
}

/**
 * Removes user info and queries, which may carry tokens, from every URL in `text`. R195.
 *
 * What people write is not always a URL: a password may hold a slash, a space or an @. So everything from `://` to the
 * last @ before the next `://` goes. Linear in the length of the text.
 */
export function redactUrls(text: string): string {
  const [start = '', ...rest] = text.split('://');
  return [start, ...rest.map(redactAfterScheme)].join('://');
}

function redactAfterScheme(text: string): string {
  return text.slice(text.lastIndexOf('@') + 1).replace(/\?[^\s#"']*/, '?…');
}

/** The error for a wrong option: names the option, what was expected and what came. */
export function optionError(
  option: string,
  expected: string,
  got: unknown,
  details: FailoverErrorDetails = {},
) {
  return new FailoverError(
    'ERR_OPTION',
    `Option \`${option}\` must be ${expected}, got ${describe(got)}`,
    details,
  );
}

/** What a thrown value says: it may be anything. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
