/**
 * What every way of failing means: MQTT reason codes, WebSocket closes, HTTP upgrade answers, TLS, DNS and socket errors
 * have one action each (R70).
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

/** Milliseconds at least and at most. */
export type CoolRange = readonly [least: number, most: number];

/** One to ten seconds for a broker that takes no more connections just now (C2). */
const RATE_COOL: CoolRange = Object.freeze([1_000, 10_000] as const);
/** Half a minute for a broker that shuts down, and a little more, so that a fleet does not ask again in one moment. */
const SHUTDOWN_COOL: CoolRange = Object.freeze([30_000, 36_000] as const);
/** Five minutes for a certificate that cannot be trusted: nothing heals it but a person, or a clock that is set. */
const DISTRUST_COOL: CoolRange = Object.freeze([300_000, 360_000] as const);

type Codes = Readonly<Partial<Record<Action, readonly (number | string)[]>>>;

/**
 * What is not `cool`. Sources: MQTT 5.0 tables 3-1 and 3-10, MQTT 3.1.1 table 3.1, requirements C2 and C3. Names and reasons
 * of all codes: `outcome-table.ts`.
 */
const ACTIONS: Readonly<Record<OutcomeKind, Codes>> = {
  connack: {
    accept: [0x00],
    unfit: [0x84, 0x95, 0x9a, 0x9b],
    fatal: [0x85, 0x8a, 0x8c, 0x90, 0x99],
    reauth: [0x86, 0x87],
    all: [0x97],
    redirect: [0x9c, 0x9d],
  },
  'connack-v3': { accept: [0], fatal: [2], reauth: [4, 5] },
  disconnect: {
    same: [0x00, 0x80, 0x83, 0x8d, 0x96, 0x97, 0x98, 0xa0],
    operation: [0x81, 0x82, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x99, 0x9a, 0x9b, 0x9e, 0xa1, 0xa2],
    reauth: [0x87],
    yield: [0x8e],
    redirect: [0x9c, 0x9d],
  },
  websocket: { same: [1000], next: [1001, 1012], operation: [1002, 1003, 1007, 1009], reauth: [1008] },
  http: { reauth: [401, 403], unfit: [404, 426] },
  tls: {},
  socket: { all: ['ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] },
  link: { all: ['no-credentials'], same: ['closed'] },
};

/** The actions by `kind code`. */
const BY_OUTCOME: ReadonlyMap<string, Action> = new Map(
  Object.entries(ACTIONS).flatMap(([kind, actions]) =>
    Object.entries(actions).flatMap(([action, codes]) =>
      codes.map((code): [string, Action] => [`${kind} ${code}`, action as Action]),
    ),
  ),
);

const COOL: Readonly<Record<string, CoolRange>> = {
  'connack 159': RATE_COOL,
  'disconnect 159': RATE_COOL,
  'disconnect 139': SHUTDOWN_COOL,
};

function key({ kind, code }: Outcome): string {
  return `${kind} ${code}`;
}

/**
 * The action for an outcome; pure.
 *
 * What is not listed is `cool`: unknown codes from 0x80 on, reserved return codes, other TLS and socket
 * errors, other HTTP statuses. The endpoint did something that we cannot use.
 */
export function classify(outcome: Outcome): Action {
  return BY_OUTCOME.get(key(outcome)) ?? 'cool';
}

/** How long an endpoint is left alone at once for an outcome, before failures are counted; pure. */
export function coolRangeOf(outcome: Outcome): CoolRange | undefined {
  return isDistrust(outcome) ? DISTRUST_COOL : COOL[key(outcome)];
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
