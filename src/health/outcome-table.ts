/**
 * The table of outcomes for people: names, and where an action needs a reason. Apart from `outcomes.ts`, which decides, as
 * clients in a page have no use for it. `docs/outcomes.md` is generated from it.
 */
import {
  type Action,
  type CoolRange,
  classify,
  coolRangeOf,
  type Outcome,
  type OutcomeKind,
} from './outcomes.js';

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

type Named = readonly [code: number | string, name: string, note?: string];

/** Names and notes by code. */
const NAMES: Readonly<Record<OutcomeKind, readonly Named[]>> = {
  connack: [
    [0x00, 'Success'],
    [0x80, 'Unspecified error', 'some brokers say so when a session cannot be opened'],
    [0x81, 'Malformed Packet', 'a middlebox, or us'],
    [0x82, 'Protocol Error', 'a middlebox, or us'],
    [0x83, 'Implementation specific error'],
    [0x84, 'Unsupported Protocol Version'],
    [0x85, 'Client Identifier not valid'],
    [0x86, 'Bad User Name or Password'],
    [0x87, 'Not authorized'],
    [0x88, 'Server unavailable'],
    [0x89, 'Server busy', 'full: tried last for a while; from two endpoints in one pass: all'],
    [0x8a, 'Banned'],
    [0x8b, 'Server shutting down'],
    [0x8c, 'Bad authentication method'],
    [0x90, 'Topic Name invalid', 'the will topic'],
    [0x95, 'Packet too large'],
    [0x97, 'Quota exceeded', 'from two endpoints in one pass; one alone is full: tried last for a while'],
    [0x99, 'Payload format invalid', 'the will payload'],
    [0x9a, 'Retain not supported', 'the will'],
    [0x9b, 'QoS not supported', 'the will'],
    [0x9c, 'Use another server'],
    [0x9d, 'Server moved'],
    [0x9f, 'Connection rate exceeded', 'full: tried last for a while'],
  ],
  'connack-v3': [
    [0, 'Connection accepted'],
    [1, 'Unacceptable protocol version', 'brokers also fold other errors into it'],
    [2, 'Identifier rejected'],
    [3, 'Server unavailable', 'brokers fold busy, quota and use-another-server into it'],
    [4, 'Bad user name or password'],
    [5, 'Not authorized', 'some brokers say so when they are busy: other endpoints are tried first'],
  ],
  disconnect: [
    [0x00, 'Normal disconnection'],
    [0x80, 'Unspecified error'],
    [0x81, 'Malformed Packet'],
    [0x82, 'Protocol Error'],
    [0x83, 'Implementation specific error'],
    [0x87, 'Not authorized'],
    [0x89, 'Server busy', 'full: tried last for a while'],
    [0x8b, 'Server shutting down'],
    [0x8d, 'Keep Alive timeout', 'we were silent'],
    [0x8e, 'Session taken over'],
    [0x8f, 'Topic Filter invalid'],
    [0x90, 'Topic Name invalid'],
    [0x93, 'Receive Maximum exceeded'],
    [0x94, 'Topic Alias invalid'],
    [0x95, 'Packet too large'],
    [0x96, 'Message rate too high'],
    [0x97, 'Quota exceeded'],
    [
      0x98,
      'Administrative action',
      'a client that was kicked must not hop to another endpoint at once; three times in ten minutes: the slow lane, and event `security`',
    ],
    [0x99, 'Payload format invalid'],
    [0x9a, 'Retain not supported'],
    [0x9b, 'QoS not supported'],
    [0x9c, 'Use another server'],
    [0x9d, 'Server moved'],
    [0x9e, 'Shared Subscriptions not supported'],
    [0x9f, 'Connection rate exceeded', 'full: tried last for a while'],
    [0xa0, 'Maximum connect time', 'with fresh credentials, where they are asked for'],
    [0xa1, 'Subscription Identifiers not supported'],
    [0xa2, 'Wildcard Subscriptions not supported'],
  ],
  websocket: [
    [1000, 'Normal closure'],
    [1001, 'Going away'],
    [1002, 'Protocol error'],
    [1003, 'Unsupported data'],
    [1006, 'Abnormal closure'],
    [1007, 'Invalid payload data'],
    [1008, 'Policy violation'],
    [1009, 'Message too big'],
    [1011, 'Internal error'],
    [1012, 'Service restart'],
    [1013, 'Try again later'],
    [1015, 'TLS handshake failed'],
  ],
  http: [
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'Not Found'],
    [426, 'Upgrade Required'],
    [429, 'Too Many Requests', 'for as long as Retry-After says, in Node'],
    [503, 'Service Unavailable', 'for as long as Retry-After says, in Node'],
  ],
  tls: [
    [
      'CERT_HAS_EXPIRED',
      'Certificate expired',
      'a wrong clock of the device may heal; event `security`, as for every certificate that fails the check',
    ],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Certificate for another name', 'event `security`'],
  ],
  socket: [
    ['ECONNREFUSED', 'Connection refused'],
    ['ECONNRESET', 'Connection reset'],
    ['EPIPE', 'Broken pipe'],
    ['ETIMEDOUT', 'Connection timed out'],
    ['EHOSTUNREACH', 'Host unreachable'],
    ['ENETUNREACH', 'Network unreachable', 'no route of our own'],
    ['ENETDOWN', 'Network down'],
    ['EADDRNOTAVAIL', 'No local address left'],
    ['EMFILE', 'Too many open files'],
    ['ENFILE', 'Too many open files in the system'],
    ['ENOBUFS', 'No buffer space'],
    ['ENOMEM', 'No memory'],
    ['ENOTFOUND', 'Name not found'],
    ['EAI_AGAIN', 'Name service unavailable', 'perhaps ours, perhaps theirs'],
  ],
  link: [
    ['transport-timeout', 'No transport in time'],
    ['connack-timeout', 'No CONNACK in time'],
    ['closed-before-connack', 'Accepted, then closed before CONNACK'],
    ['no-credentials', 'The application gave no credentials'],
    ['silent', 'No byte within the liveness deadline'],
    ['malformed', 'Malformed data from the broker'],
    ['closed', 'Closed without a reason'],
  ],
};

/** The table. Sources: MQTT 5.0 tables 3-1 and 3-10, MQTT 3.1.1 table 3.1, requirements C2 and C3. */
export const OUTCOMES: readonly OutcomeRow[] = /* @__PURE__ */ table();

function table(): readonly OutcomeRow[] {
  const rows = Object.entries(NAMES).flatMap(([kind, list]) =>
    list.map(([code, name, note]) => {
      const outcome = { kind: kind as OutcomeKind, code };
      const coolMs = coolRangeOf(outcome);
      const row = { ...outcome, name, action: classify(outcome) };
      return Object.freeze({ ...row, ...(note ? { note } : {}), ...(coolMs ? { coolMs } : {}) });
    }),
  );
  return Object.freeze(rows);
}
