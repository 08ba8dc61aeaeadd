/**
 * One table says what every failure means; a row that changes by accident sends a fleet to the wrong place.
 *
 * World: the table as it was reviewed, written down once more, and errors as Node, `ws` and OpenSSL make them,
 * with the fields that theirs carry.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OUTCOMES } from '../../../src/health/outcome-table.js';
import {
  type Action,
  classify,
  type Outcome,
  type OutcomeKind,
  outcomeOf,
} from '../../../src/health/outcomes.js';

/** Requirements C2 and C3 as decided; a change here is a change of behaviour and belongs into the changelog. */
const EXPECTED: Record<OutcomeKind, Record<string | number, Action>> = {
  connack: {
    0: 'accept',
    128: 'cool',
    129: 'cool',
    130: 'cool',
    131: 'cool',
    132: 'unfit',
    133: 'fatal',
    134: 'reauth',
    135: 'reauth',
    136: 'cool',
    137: 'cool',
    138: 'fatal',
    139: 'cool',
    140: 'fatal',
    144: 'fatal',
    149: 'unfit',
    151: 'all',
    153: 'fatal',
    154: 'unfit',
    155: 'unfit',
    156: 'redirect',
    157: 'redirect',
    159: 'cool',
  },
  'connack-v3': {
    0: 'accept',
    1: 'cool',
    2: 'fatal',
    3: 'cool',
    4: 'reauth',
    5: 'reauth',
  },
  disconnect: {
    0: 'same',
    128: 'same',
    129: 'operation',
    130: 'operation',
    131: 'same',
    135: 'reauth',
    137: 'cool',
    139: 'cool',
    141: 'same',
    142: 'yield',
    143: 'operation',
    144: 'operation',
    147: 'operation',
    148: 'operation',
    149: 'operation',
    150: 'same',
    151: 'same',
    152: 'same',
    153: 'operation',
    154: 'operation',
    155: 'operation',
    156: 'redirect',
    157: 'redirect',
    158: 'operation',
    159: 'cool',
    160: 'same',
    161: 'operation',
    162: 'operation',
  },
  websocket: {
    1000: 'same',
    1001: 'next',
    1002: 'operation',
    1003: 'operation',
    1006: 'cool',
    1007: 'operation',
    1008: 'reauth',
    1009: 'operation',
    1011: 'cool',
    1012: 'next',
    1013: 'cool',
    1015: 'cool',
  },
  http: {
    401: 'reauth',
    403: 'reauth',
    404: 'unfit',
    426: 'unfit',
    429: 'cool',
    503: 'cool',
  },
  tls: {
    CERT_HAS_EXPIRED: 'cool',
    ERR_TLS_CERT_ALTNAME_INVALID: 'cool',
  },
  socket: {
    ECONNREFUSED: 'cool',
    ECONNRESET: 'cool',
    EPIPE: 'cool',
    ETIMEDOUT: 'cool',
    EHOSTUNREACH: 'cool',
    ENETUNREACH: 'all',
    ENETDOWN: 'all',
    EADDRNOTAVAIL: 'all',
    EMFILE: 'all',
    ENFILE: 'all',
    ENOBUFS: 'all',
    ENOMEM: 'all',
    ENOTFOUND: 'cool',
    EAI_AGAIN: 'cool',
  },
  link: {
    'transport-timeout': 'cool',
    'connack-timeout': 'cool',
    'closed-before-connack': 'cool',
    'no-credentials': 'all',
    silent: 'cool',
    malformed: 'cool',
    closed: 'same',
  },
};

/** MQTT 5.0, table 3-1 and section 3.2.2.2. */
const CONNACK_CODES = [
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
  0x9b, 0x9c, 0x9d, 0x9f,
];
/** MQTT 5.0, section 3.14.2.1: those that a server may send. */
const DISCONNECT_CODES = [
  0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
  0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];

const FALLBACK: Outcome = { kind: 'link', code: 'closed-before-connack' };

function numbersOf(kind: OutcomeKind): Set<unknown> {
  return new Set(OUTCOMES.filter((row) => row.kind === kind).map(({ code }) => code));
}

describe('the table of outcomes', () => {
  it('says what was decided, row by row, and nothing else', () => {
    const actual: Record<string, Record<string, Action>> = {};
    for (const { kind, code, action } of OUTCOMES) {
      actual[kind] ??= {};
      actual[kind][code] = action;
    }
    assert.deepEqual(actual, EXPECTED);
  });

  it('has one row for each outcome, with a name of its own', () => {
    const keys = OUTCOMES.map(({ kind, code }) => `${kind} ${code}`);
    assert.equal(new Set(keys).size, keys.length);
    for (const kind of Object.keys(EXPECTED)) {
      const names = OUTCOMES.filter((row) => row.kind === kind).map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, kind);
      assert.ok(names.every((name) => name.length > 3));
    }
  });

  it('names every code that is not like an unknown one', () => {
    for (const kind of Object.keys(EXPECTED) as OutcomeKind[]) {
      for (let code = 0; code < 5_000; code += 1) {
        if (classify({ kind, code }) !== 'cool') assert.ok(EXPECTED[kind][code], `${kind} ${code}`);
      }
    }
  });

  it('cannot be changed by those who read it', () => {
    assert.ok(Object.isFrozen(OUTCOMES));
    assert.deepEqual(
      OUTCOMES.filter((row) => !Object.isFrozen(row)),
      [],
    );
  });

  it('has every CONNACK code of MQTT 5', () => {
    const known = numbersOf('connack');
    assert.deepEqual(
      CONNACK_CODES.filter((code) => !known.has(code)),
      [],
    );
  });

  it('has every DISCONNECT code of MQTT 5 that a server may send', () => {
    const known = numbersOf('disconnect');
    assert.deepEqual(
      DISCONNECT_CODES.filter((code) => !known.has(code)),
      [],
    );
  });

  it('has every CONNACK return code of MQTT 3.1.1', () => {
    assert.deepEqual([...numbersOf('connack-v3')], [0, 1, 2, 3, 4, 5]);
  });

  it('accepts success only, and never calls a refusal one', () => {
    const accepted = OUTCOMES.filter(({ action }) => action === 'accept');
    assert.deepEqual(
      accepted.map(({ kind, code }) => [kind, code]),
      [
        ['connack', 0],
        ['connack-v3', 0],
      ],
    );
  });

  it('stops for a wrong configuration that a broker named, and for nothing that could pass', () => {
    const fatal = OUTCOMES.filter(({ action }) => action === 'fatal');
    assert.ok(fatal.every(({ kind }) => kind === 'connack' || kind === 'connack-v3'));
  });
});

describe('classify', () => {
  it('reads the table', () => {
    for (const row of OUTCOMES) assert.equal(classify({ kind: row.kind, code: row.code }), row.action);
  });

  it('leaves an endpoint alone for a while whose code from 0x80 on nobody knows', () => {
    for (const kind of ['connack', 'disconnect'] as const) {
      const known = numbersOf(kind);
      for (let code = 0x80; code <= 0xff; code += 1)
        if (!known.has(code)) assert.equal(classify({ kind, code }), 'cool', `${kind} ${code}`);
    }
  });

  it('does so for reserved return codes of MQTT 3.1.1', () => {
    for (let code = 6; code <= 255; code += 1) assert.equal(classify({ kind: 'connack-v3', code }), 'cool');
  });

  it('does so for other HTTP statuses, close codes, TLS and socket errors', () => {
    for (const outcome of [
      { kind: 'http', code: 500 },
      { kind: 'http', code: 200 },
      { kind: 'websocket', code: 4_000 },
      { kind: 'tls', code: 'ERR_SSL_WRONG_VERSION_NUMBER' },
      { kind: 'socket', code: 'EPROTONOSUPPORT' },
    ] as const)
      assert.equal(classify(outcome), 'cool');
  });

  it('does not mix up the kinds: 1 is no protocol version in MQTT 5, and 0x86 no return code', () => {
    assert.deepEqual(
      [classify({ kind: 'connack-v3', code: 0x86 }), classify({ kind: 'disconnect', code: 0x86 })],
      ['cool', 'cool'],
    );
  });

  it('does not fall for names that every object has', () => {
    for (const code of ['constructor', '__proto__', 'toString'])
      assert.equal(classify({ kind: 'socket', code }), 'cool');
  });
});

/** As Node makes them: an Error with a code. */
function coded(code: unknown, details: object = {}): Error {
  return Object.assign(new Error(`something about ${String(code)}`), { code, ...details });
}

describe('outcomeOf', () => {
  it('reads the code of a socket or DNS error', () => {
    const codes = Object.keys(EXPECTED.socket);
    for (const code of codes) {
      const error = coded(code, { errno: -1, syscall: 'connect', address: '127.0.0.1', port: 1883 });
      assert.deepEqual(outcomeOf(error, FALLBACK), { kind: 'socket', code });
    }
  });

  for (const code of [
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_UNTRUSTED',
    'CERT_CHAIN_TOO_LONG',
    'CERT_REJECTED',
    'CRL_HAS_EXPIRED',
    'PATH_LENGTH_EXCEEDED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'HOSTNAME_MISMATCH',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_TLS_HANDSHAKE_TIMEOUT',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'EPROTO',
  ]) {
    it(`reads ${code} as an error of TLS`, () => {
      assert.deepEqual(outcomeOf(coded(code), FALLBACK), { kind: 'tls', code });
    });
  }

  it('reads the first of several addresses, as happy eyeballs report them', () => {
    const error = new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')], '');
    assert.deepEqual(outcomeOf(error, FALLBACK), { kind: 'socket', code: 'ECONNREFUSED' });
  });

  it('does not say that we have no network when only one of the addresses has no route', () => {
    const error = new AggregateError([coded('ENETUNREACH'), coded('ECONNREFUSED')], '');
    assert.notEqual(classify(outcomeOf(error, FALLBACK)), 'all');
  });

  it('says that we have no network when none of the addresses has a route', () => {
    const error = new AggregateError([coded('ENETUNREACH'), coded('ENETUNREACH')], '');
    assert.equal(classify(outcomeOf(error, FALLBACK)), 'all');
  });

  it('looks into an AggregateError within another', () => {
    const error = new AggregateError([new AggregateError([coded('EMFILE')])]);
    assert.deepEqual(outcomeOf(error, FALLBACK), { kind: 'socket', code: 'EMFILE' });
  });

  it('reads the HTTP status of a refused WebSocket upgrade, and the code of a WebSocket that closed', () => {
    const refused = Object.assign(new Error('Unexpected server response: 401'), { httpStatus: 401 });
    const closed = Object.assign(new Error('closed'), { closeCode: 1_008 });
    assert.deepEqual(outcomeOf(refused, FALLBACK), { kind: 'http', code: 401 });
    assert.deepEqual(outcomeOf(closed, FALLBACK), { kind: 'websocket', code: 1_008 });
  });

  it('prefers what the broker said over how the socket ended', () => {
    assert.deepEqual(outcomeOf(coded('ECONNRESET', { httpStatus: 503 }), FALLBACK), {
      kind: 'http',
      code: 503,
    });
  });

  it('falls back where the error says nothing of itself', () => {
    for (const error of [new Error('odd'), coded(42), new AggregateError([]), 'text', null, undefined, 7])
      assert.equal(outcomeOf(error, FALLBACK), FALLBACK);
  });
});
