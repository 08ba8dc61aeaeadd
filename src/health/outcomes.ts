/**
 * What every way of failing means: one table from MQTT reason codes, WebSocket closes, HTTP upgrade answers, TLS, DNS
 * and socket errors to one action each (R70). `docs/outcomes.md` is generated from it.
 */

/**
 * What the client does about an outcome.
 *
 * | action | meaning |
 * | --- | --- |
 * | `accept` | success |
 * | `next` | another endpoint now; this one is not blamed for long |
 * | `cool` | another endpoint now; this one is blamed, and left alone for a while |
 * | `all` | every endpoint would answer alike: wait, blame none |
 * | `unfit` | this endpoint cannot serve this configuration: skip it until its entry changes |
 * | `reauth` | ask for fresh credentials once, then try again slowly |
 * | `yield` | another client uses our id: step back |
 * | `same` | not the endpoint's fault: the same one again |
 * | `operation` | something we sent: find out which, then the same endpoint again |
 * | `redirect` | the broker names another endpoint |
 * | `fatal` | a wrong configuration: stop |
 *
 * `all` before CONNECT (no local port, no credentials) lets the race that is running go on: it costs the wire nothing, and
 * another endpoint may after all be reached.
 */
export type Action =
  | 'accept'
  | 'next'
  | 'cool'
  | 'all'
  | 'unfit'
  | 'reauth'
  | 'yield'
  | 'same'
  | 'operation'
  | 'redirect'
  | 'fatal';

/** Where an outcome was seen. */
export type OutcomeKind =
  /** CONNACK reason code, MQTT 5. */
  | 'connack'
  /** CONNACK return code, MQTT 3.1 and 3.1.1. */
  | 'connack-v3'
  /** Reason code of a server's DISCONNECT, MQTT 5. */
  | 'disconnect'
  /** WebSocket close code. */
  | 'websocket'
  /** HTTP status that answered a WebSocket upgrade. */
  | 'http'
  /** `code` of a TLS error. */
  | 'tls'
  /** `code` of a socket or DNS error. */
  | 'socket'
  /** A deadline of ours, or a bare close. */
  | 'link';

/** One way an attempt or a link can end. */
export interface Outcome {
  /** Where it was seen. */
  readonly kind: OutcomeKind;
  /** The code as it came: a number of MQTT, WebSocket or HTTP, or the `code` of an error. */
  readonly code: number | string;
}

/** One row of the table. */
export interface OutcomeRow extends Outcome {
  /** What specifications call it. */
  readonly name: string;
  /** What the client does about it. */
  readonly action: Action;
  /** Where the action needs a reason, or has a twist. */
  readonly note?: string;
  /** Milliseconds that the endpoint is left alone at once, at least and at most: a time between is drawn. */
  readonly coolMs?: CoolRange;
}

/** Milliseconds at least and at most. */
export type CoolRange = readonly [least: number, most: number];

type Row = readonly [
  code: number | string,
  name: string,
  action: Action,
  note?: string | undefined,
  coolMs?: CoolRange,
];

/** One to ten seconds for a broker that takes no more connections just now (C2). */
const RATE_COOL: CoolRange = Object.freeze([1_000, 10_000] as const);
/** Half a minute for a broker that shuts down, and a little more, so that a fleet does not ask again in one moment. */
const SHUTDOWN_COOL: CoolRange = Object.freeze([30_000, 36_000] as const);
/** Five minutes for a certificate that cannot be trusted: nothing heals it but a person, or a clock that is set. */
const DISTRUST_COOL: CoolRange = Object.freeze([300_000, 360_000] as const);

function rows(kind: OutcomeKind, list: readonly Row[]): OutcomeRow[] {
  return list.map(([code, name, action, note, coolMs]) =>
    Object.freeze({ kind, code, name, action, ...(note ? { note } : {}), ...(coolMs ? { coolMs } : {}) }),
  );
}

/** The table. Sources: MQTT 5.0 tables 3-1 and 3-10, MQTT 3.1.1 table 3.1, requirements C2 and C3. */
export const OUTCOMES: readonly OutcomeRow[] = Object.freeze([
  ...rows('connack', [
    [0x00, 'Success', 'accept'],
    [0x80, 'Unspecified error', 'cool', 'some brokers say so when a session cannot be opened'],
    [0x81, 'Malformed Packet', 'cool', 'a middlebox, or us'],
    [0x82, 'Protocol Error', 'cool', 'a middlebox, or us'],
    [0x83, 'Implementation specific error', 'cool'],
    [0x84, 'Unsupported Protocol Version', 'unfit'],
    [0x85, 'Client Identifier not valid', 'fatal'],
    [0x86, 'Bad User Name or Password', 'reauth'],
    [0x87, 'Not authorized', 'reauth'],
    [0x88, 'Server unavailable', 'cool'],
    [0x89, 'Server busy', 'cool', 'full: tried last for a while; from two endpoints in one pass: all'],
    [0x8a, 'Banned', 'fatal'],
    [0x8b, 'Server shutting down', 'cool'],
    [0x8c, 'Bad authentication method', 'fatal'],
    [0x90, 'Topic Name invalid', 'fatal', 'the will topic'],
    [0x95, 'Packet too large', 'unfit'],
    [
      0x97,
      'Quota exceeded',
      'all',
      'from two endpoints in one pass; one alone is full: tried last for a while',
    ],
    [0x99, 'Payload format invalid', 'fatal', 'the will payload'],
    [0x9a, 'Retain not supported', 'unfit', 'the will'],
    [0x9b, 'QoS not supported', 'unfit', 'the will'],
    [0x9c, 'Use another server', 'redirect'],
    [0x9d, 'Server moved', 'redirect'],
    [0x9f, 'Connection rate exceeded', 'cool', 'full: tried last for a while', RATE_COOL],
  ]),
  ...rows('connack-v3', [
    [0, 'Connection accepted', 'accept'],
    [1, 'Unacceptable protocol version', 'cool', 'brokers also fold other errors into it'],
    [2, 'Identifier rejected', 'fatal'],
    [3, 'Server unavailable', 'cool', 'brokers fold busy, quota and use-another-server into it'],
    [4, 'Bad user name or password', 'reauth'],
    [
      5,
      'Not authorized',
      'reauth',
      'some brokers say so when they are busy: other endpoints are tried first',
    ],
  ]),
  ...rows('disconnect', [
    [0x00, 'Normal disconnection', 'same'],
    [0x80, 'Unspecified error', 'same'],
    [0x81, 'Malformed Packet', 'operation'],
    [0x82, 'Protocol Error', 'operation'],
    [0x83, 'Implementation specific error', 'same'],
    [0x87, 'Not authorized', 'reauth'],
    [0x89, 'Server busy', 'cool', 'full: tried last for a while'],
    [0x8b, 'Server shutting down', 'cool', undefined, SHUTDOWN_COOL],
    [0x8d, 'Keep Alive timeout', 'same', 'we were silent'],
    [0x8e, 'Session taken over', 'yield'],
    [0x8f, 'Topic Filter invalid', 'operation'],
    [0x90, 'Topic Name invalid', 'operation'],
    [0x93, 'Receive Maximum exceeded', 'operation'],
    [0x94, 'Topic Alias invalid', 'operation'],
    [0x95, 'Packet too large', 'operation'],
    [0x96, 'Message rate too high', 'same'],
    [0x97, 'Quota exceeded', 'same'],
    [
      0x98,
      'Administrative action',
      'same',
      'a client that was kicked must not hop to another endpoint at once; three times in ten minutes: the slow lane, and event `security`',
    ],
    [0x99, 'Payload format invalid', 'operation'],
    [0x9a, 'Retain not supported', 'operation'],
    [0x9b, 'QoS not supported', 'operation'],
    [0x9c, 'Use another server', 'redirect'],
    [0x9d, 'Server moved', 'redirect'],
    [0x9e, 'Shared Subscriptions not supported', 'operation'],
    [0x9f, 'Connection rate exceeded', 'cool', 'full: tried last for a while', RATE_COOL],
    [0xa0, 'Maximum connect time', 'same', 'with fresh credentials, where they are asked for'],
    [0xa1, 'Subscription Identifiers not supported', 'operation'],
    [0xa2, 'Wildcard Subscriptions not supported', 'operation'],
  ]),
  ...rows('websocket', [
    [1000, 'Normal closure', 'same'],
    [1001, 'Going away', 'next'],
    [1002, 'Protocol error', 'operation'],
    [1003, 'Unsupported data', 'operation'],
    [1006, 'Abnormal closure', 'cool'],
    [1007, 'Invalid payload data', 'operation'],
    [1008, 'Policy violation', 'reauth'],
    [1009, 'Message too big', 'operation'],
    [1011, 'Internal error', 'cool'],
    [1012, 'Service restart', 'next'],
    [1013, 'Try again later', 'cool'],
    [1015, 'TLS handshake failed', 'cool'],
  ]),
  ...rows('http', [
    [401, 'Unauthorized', 'reauth'],
    [403, 'Forbidden', 'reauth'],
    [404, 'Not Found', 'unfit'],
    [426, 'Upgrade Required', 'unfit'],
    [429, 'Too Many Requests', 'cool', 'for as long as Retry-After says, in Node'],
    [503, 'Service Unavailable', 'cool', 'for as long as Retry-After says, in Node'],
  ]),
  ...rows('tls', [
    [
      'CERT_HAS_EXPIRED',
      'Certificate expired',
      'cool',
      'a wrong clock of the device may heal; event `security`, as for every certificate that fails the check',
      DISTRUST_COOL,
    ],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'Certificate for another name',
      'cool',
      'event `security`',
      DISTRUST_COOL,
    ],
  ]),
  ...rows('socket', [
    ['ECONNREFUSED', 'Connection refused', 'cool'],
    ['ECONNRESET', 'Connection reset', 'cool'],
    ['EPIPE', 'Broken pipe', 'cool'],
    ['ETIMEDOUT', 'Connection timed out', 'cool'],
    ['EHOSTUNREACH', 'Host unreachable', 'cool'],
    ['ENETUNREACH', 'Network unreachable', 'all', 'no route of our own'],
    ['ENETDOWN', 'Network down', 'all'],
    ['EADDRNOTAVAIL', 'No local address left', 'all'],
    ['EMFILE', 'Too many open files', 'all'],
    ['ENFILE', 'Too many open files in the system', 'all'],
    ['ENOBUFS', 'No buffer space', 'all'],
    ['ENOMEM', 'No memory', 'all'],
    ['ENOTFOUND', 'Name not found', 'cool'],
    ['EAI_AGAIN', 'Name service unavailable', 'cool', 'perhaps ours, perhaps theirs'],
  ]),
  ...rows('link', [
    ['transport-timeout', 'No transport in time', 'cool'],
    ['connack-timeout', 'No CONNACK in time', 'cool'],
    ['closed-before-connack', 'Accepted, then closed before CONNACK', 'cool'],
    ['no-credentials', 'The application gave no credentials', 'all'],
    ['silent', 'No byte within the liveness deadline', 'cool'],
    ['malformed', 'Malformed data from the broker', 'cool'],
    ['closed', 'Closed without a reason', 'same'],
  ]),
]);

const BY_OUTCOME: ReadonlyMap<string, OutcomeRow> = new Map(OUTCOMES.map((row) => [key(row), row]));

function key({ kind, code }: Outcome): string {
  return `${kind} ${code}`;
}

/**
 * The action for an outcome; pure.
 *
 * What the table does not name is `cool`: unknown codes from 0x80 on, reserved return codes, other TLS and socket
 * errors, other HTTP statuses. The endpoint did something that we cannot use.
 */
export function classify(outcome: Outcome): Action {
  return BY_OUTCOME.get(key(outcome))?.action ?? 'cool';
}

/** How long an endpoint is left alone at once for an outcome, before failures are counted; pure. */
export function coolRangeOf(outcome: Outcome): CoolRange | undefined {
  return isDistrust(outcome) ? DISTRUST_COOL : BY_OUTCOME.get(key(outcome))?.coolMs;
}

/**
 * Whether the endpoint's certificate failed our check: its chain, its dates or its name. A handshake that broke off, or
 * a certificate of ours that was turned away, is no such thing (C3).
 */
export function isDistrust({ kind, code }: Outcome): boolean {
  return kind === 'tls' && /^ERR_TLS_CERT_|^(?!ERR_|EPROTO)/.test(`${code}`);
}

/** Errors of OpenSSL's certificate checks have names of their own; all concern TLS. */
const TLS_CODE =
  /^ERR_(TLS|SSL)_|CERT|CRL|^UNABLE_TO_|_SIGNED_|^EPROTO$|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$|^HOSTNAME_MISMATCH$/;

/**
 * Reads a platform's error as an outcome: `code` of Node's socket, DNS and TLS errors, `httpStatus` of a refused
 * WebSocket upgrade, `closeCode` of a WebSocket.
 *
 * @param fallback - What it was if the error says nothing of itself.
 */
export function outcomeOf(error: unknown, fallback: Outcome): Outcome {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // One per address of the endpoint: it is our network only if it is for each of them, and who got further than to
    // a socket speaks for the endpoint.
    const outcomes = error.errors.map((each) => outcomeOf(each, fallback));
    const theirs = outcomes.filter((each) => classify(each) !== 'all');
    const answered = (wanted: OutcomeKind) => theirs.find(({ kind }) => kind === wanted);
    return (
      answered('http') ?? answered('websocket') ?? answered('tls') ?? theirs[0] ?? (outcomes[0] as Outcome)
    );
  }
  if (typeof error !== 'object' || error === null) return fallback;
  const { code, httpStatus, closeCode } = error as {
    code?: unknown;
    httpStatus?: unknown;
    closeCode?: unknown;
  };
  if (typeof httpStatus === 'number') return { kind: 'http', code: httpStatus };
  if (typeof closeCode === 'number') return { kind: 'websocket', code: closeCode };
  if (typeof code !== 'string') return fallback;
  return { kind: TLS_CODE.test(code) ? 'tls' : 'socket', code };
}
