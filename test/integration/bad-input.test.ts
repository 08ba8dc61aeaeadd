/**
 * A mistake in the arguments is told at once, by name, and before anything is opened.
 *
 * The world: none. A client that got as far as opening a socket would show up among the open handles.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connect, connectAsync, FailoverError, isFailoverError } from '../../src/index.js';
import { expectNoNewHandles, type HandleSnapshot, openHandles } from '../support/handles.js';

const LIST = ['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'];

/** What it is, the arguments of `connect`, and what the message must say: the option, what was expected, what came. */
const CASES: [what: string, args: unknown[], ...says: (string | RegExp)[]][] = [
  ['no argument', [], '`brokers`', 'undefined'],
  ['undefined', [undefined], '`brokers`', 'undefined'],
  ['null', [null], '`brokers`', /null|undefined/],
  ['an empty list', [[]], '`brokers`', 'at least one', 'array of 0'],
  ['an empty string', [''], '`brokers`', 'at least one', '""'],
  ['blanks', ['  '], '`brokers`', 'at least one'],
  ['empty options', [{}], '`brokers`', 'undefined'],
  ['an empty list among options', [{ brokers: [] }], '`brokers`', 'at least one'],
  ['a number', [5], '`brokers`', '5 (number)'],
  ['true', [true], '`brokers`', 'true (boolean)'],
  ['an item that is a number', [['mqtt://a', 7]], '`brokers[1]`', '7 (number)'],
  ['an item without a URL', [[{ id: 'a' }]], '`brokers[0].url`', 'undefined'],
  ['an empty item', [['mqtt://a', '']], '`brokers[1]`', '""'],
  ['a URL without a scheme', [['a.example:1883']], '`brokers[0]`', 'mqtts://host:8883', 'a.example:1883'],
  ['a URL without a host', [['mqtt://']], '`brokers[0]`', /host/],
  ['a host that is none', [['mqtt://a b:1']], '`brokers[0]`', /host/],
  ['a port that is none', [['mqtt://a:x']], '`brokers[0]`', /host:port/],
  ['port 0', [['mqtt://a:0']], '`brokers[0]`', '65535'],
  ['a port beyond 65535', [['mqtt://a:65536']], '`brokers[0]`', '65535'],
  ['an unknown scheme', [['http://a']], '`brokers[0]`', 'mqtts', 'http://a'],
  ['an unknown scheme for one broker', ['http://a'], '`brokers', 'mqtts', 'http://a'],
  ['user info for one host of several', ['mqtt://a,u:canary@b'], '`brokers', 'user info'],
  ['user info twice', ['mqtt://u:canary@a,v:canary@b'], '`brokers', 'user info'],
  ['user info badly encoded', [['mqtt://u:canary%zz@a']], '`brokers[0]`', 'percent-encoded'],
  ['the same broker twice', [['mqtt://a', 'mqtt://a:1883']], '`brokers`', 'distinct', 'a:1883'],
  [
    'the same id twice',
    [
      [
        { url: 'mqtt://a', id: 'x' },
        { url: 'mqtt://b', id: 'x' },
      ],
    ],
    '`brokers`',
    'distinct',
    '"x"',
  ],
  ['an empty id', [[{ url: 'mqtt://a', id: '' }]], '`brokers[0].id`', 'characters'],
  ['weight NaN', [[{ url: 'mqtt://a', weight: Number.NaN }]], '`brokers[0].weight`', '65535', 'NaN'],
  ['a negative weight', [[{ url: 'mqtt://a', weight: -1 }]], '`brokers[0].weight`', '65535', '-1'],
  ['a weight in words', [[{ url: 'mqtt://a', weight: '5' }]], '`brokers[0].weight`', '"5" (string)'],
  ['an infinite weight', [[{ url: 'mqtt://a', weight: Infinity }]], '`brokers[0].weight`', 'Infinity'],
  [
    'a fractional priority',
    [[{ url: 'mqtt://a', priority: 1.5 }]],
    '`brokers[0].priority`',
    'integer',
    '1.5',
  ],
  ['an empty zone', [[{ url: 'mqtt://a', zone: '' }]], '`brokers[0].zone`', '64'],
  ['a client id for one endpoint', [[{ url: 'mqtt://a', clientId: 'x' }]], '`brokers[0].clientId`', 'client'],
  ['servers that are no list', [{ servers: 'a' }], '`servers`', 'array'],
  ['sources without sources', [{ sources: [] }], '`brokers.sources`', 'at least one'],
  ['an unknown mode of sources', [{ sources: ['mqtt://a'], mode: 'x' }], '`brokers.mode`', 'fallback', '"x"'],
  ['an SRV URL with a port', ['mqtt+srv://a:1'], '`brokers`', 'port'],
  ['a WebSocket SRV URL without a service', ['ws+srv://a'], '`brokers`', 'srv='],
  ['options that are a string', [LIST, 'x'], '`options`', 'object', '"x"'],
  ['options that are an array', [LIST, []], '`options`', 'object'],
  ['options that are null', [LIST, null], '`options`', 'object', 'null'],
  ['an unknown key of a group', [LIST, { dial: { stagger: 5 } }], '`dial.stagger`', 'unknown', 'staggerMs'],
  [
    'an unknown key of an inner group',
    [LIST, { outbox: { replay: { rate: 5 } } }],
    '`outbox.replay.rate`',
    'unknown',
    'perSecond',
  ],
  ['a group that is a number', [LIST, { backoff: 5 }], '`backoff`', 'object', '5 (number)'],
  [
    'a time that is NaN',
    [LIST, { backoff: { minMs: Number.NaN } }],
    '`backoff.minMs`',
    'milliseconds',
    'NaN',
  ],
  ['a negative time', [LIST, { dial: { connackTimeoutMs: -1 } }], '`dial.connackTimeoutMs`', '-1'],
  ['an infinite time', [LIST, { backoff: { maxMs: Infinity } }], '`backoff.maxMs`', 'Infinity'],
  ['a time in words', [LIST, { dial: { staggerMs: '250' } }], '`dial.staggerMs`', '"250" (string)'],
  ['minMs beyond maxMs', [LIST, { backoff: { minMs: 50, maxMs: 10 } }], '`backoff.minMs`', '10', '50'],
  ['half a message', [LIST, { outbox: { maxMessages: 1.5 } }], '`outbox.maxMessages`', 'integer', '1.5'],
  [
    'an unknown overflow policy',
    [LIST, { outbox: { overflow: 'drop' } }],
    '`outbox.overflow`',
    'reject-new',
    '"drop"',
  ],
  ['an unknown selection', [LIST, { selection: 'best' }], '`selection`', 'client-id', '"best"'],
  ['a selection without rank', [LIST, { selection: {} }], '`selection`', 'rank'],
  ['a share above 1', [LIST, { health: { panicAbove: 2 } }], '`health.panicAbove`', '0 to 1', '2'],
  ['an unknown failback mode', [LIST, { failback: { mode: 'x' } }], '`failback.mode`', 'auto', '"x"'],
  ['overrides that are no function', [LIST, { overrides: {} }], '`overrides`', 'function'],
  ['an empty client id', [LIST, { clientId: '' }], '`clientId`', 'non-empty'],
  ['a client id with U+0000', [LIST, { clientId: 'a\u0000b' }], '`clientId`', 'U+0000'],
  [
    'a client id with U+0000 for one broker',
    ['mqtt://127.0.0.1:1', { clientId: 'a\u0000b' }],
    '`clientId`',
    'U+0000',
  ],
  ['a client id that is a number', [LIST, { clientId: 5 }], '`clientId`', '5 (number)'],
  ['a client id of 65536 bytes', [LIST, { clientId: 'ü'.repeat(32_768) }], '`clientId`', '65535'],
  ['a lasting session without a client id', [LIST, { clean: false }], '`clientId`', 'clean'],
  ['a keepalive that is a string', [LIST, { keepalive: 'x' }], '`keepalive`', '"x"'],
  ['a negative reconnectPeriod', [LIST, { reconnectPeriod: -1 }], '`reconnectPeriod`', '-1'],
  ['protocol version 6', [LIST, { protocolVersion: 6 }], '`protocolVersion`', '6'],
  ['an own outgoing store', [LIST, { outgoingStore: {} }], '`outgoingStore`', 'outbox.store'],
  ['an own incoming store', [LIST, { incomingStore: {} }], '`incomingStore`', 'outbox.store'],
];

describe('connect() with', () => {
  let before: HandleSnapshot;
  beforeEach(() => {
    before = openHandles();
  });
  afterEach(() => expectNoNewHandles(before));

  for (const [what, args, ...says] of CASES) {
    test(`${what} throws ERR_OPTION, named and explained`, async () => {
      const error = thrownBy(() => (connect as (...args: unknown[]) => unknown)(...args));
      assert.equal(error.code, 'ERR_OPTION');
      assert.equal(error.retryable, false);
      for (const text of says) {
        if (typeof text === 'string')
          assert.ok(error.message.includes(text), `${error.message} — lacks ${text}`);
        else assert.match(error.message, text);
      }
      assert.doesNotMatch(`${error.stack} ${error.cause}`, /canary/);
      // The promise says the same, and does not throw.
      const rejected = await (connectAsync as (...args: unknown[]) => Promise<unknown>)(...args).catch(
        (reason: FailoverError) => reason,
      );
      assert.equal((rejected as FailoverError).message, error.message);
    });
  }
});

function thrownBy(act: () => unknown): FailoverError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof FailoverError, `${error}`);
    assert.ok(isFailoverError(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}
