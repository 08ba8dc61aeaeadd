/** Options: the defaults are those of the contract, and a mistake is named before any I/O. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isFailoverError } from '../../../src/errors.js';
import { GROUP_NAMES } from '../../../src/options/groups.js';
import { checkClientId } from '../../../src/options/mqtt-options.js';
import type { FailoverOptions } from '../../../src/options/options.js';
import { resolveOptions } from '../../../src/options/resolve.js';

const defaults = { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 };
const resolve = (options: object = {}) => resolveOptions(options as FailoverOptions, defaults);

/** The message of the ERR_OPTION that `options` throws. */
function refusal(options: object): string {
  try {
    resolve(options);
  } catch (error) {
    assert.ok(isFailoverError(error), `${error} is not a FailoverError`);
    assert.equal(error.code, 'ERR_OPTION');
    return error.message;
  }
  assert.fail(`accepted ${JSON.stringify(options)}`);
}

describe('defaults', () => {
  test('are those of the contract', () => {
    const {
      selection,
      zone,
      dial,
      backoff,
      liveness,
      health,
      failback,
      outbox,
      reconnect,
      attemptTimeoutMs,
      mqtt,
    } = resolve();
    assert.deepEqual(
      {
        selection,
        zone,
        dial,
        backoff,
        liveness,
        health,
        failback,
        outbox,
        reconnect,
        attemptTimeoutMs,
        mqtt,
      },
      {
        selection: 'client-id',
        zone: undefined,
        dial: { staggerMs: 250, race: 3, transportTimeoutMs: 5_000, connackTimeoutMs: 10_000 },
        backoff: { minMs: 1_000, baseMs: 2_000, maxMs: 30_000, resetAfterMs: 30_000, spreadMs: 100 },
        liveness: { suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 },
        health: { failures: 2, ejectMs: 30_000, maxEjectMs: 300_000, panicAbove: 0.5, probeMs: 10_000 },
        failback: { mode: 'auto', healthyMs: 60_000, probes: 3, windowMs: 60_000, dwellMs: 300_000 },
        outbox: {
          maxMessages: 10_000,
          maxBytes: 16 * 1024 * 1024,
          maxAgeMs: Number.POSITIVE_INFINITY,
          overflow: 'reject-new',
          store: undefined,
          codec: undefined,
          dedupId: false,
          qos2: 'republish',
          concurrency: 100,
          perSecond: Number.POSITIVE_INFINITY,
        },
        reconnect: true,
        attemptTimeoutMs: Number.POSITIVE_INFINITY,
        mqtt: {},
      },
    );
  });

  test('of the outbox depend on the runtime', () => {
    const { outbox } = resolveOptions({}, { maxMessages: 1_000, maxBytes: 1024 * 1024 });
    assert.deepEqual([outbox.maxMessages, outbox.maxBytes], [1_000, 1024 * 1024]);
  });

  test('stand field by field, and undefined counts as absent', () => {
    const { dial, backoff, outbox } = resolve({
      dial: { race: 1, staggerMs: undefined },
      backoff: undefined,
      outbox: {
        maxAgeMs: 5,
        replay: { concurrency: undefined, perSecond: 3 },
        overflow: undefined,
        nope: undefined,
      },
      health: {},
      zone: undefined,
    });
    assert.deepEqual(dial, { staggerMs: 250, race: 1, transportTimeoutMs: 5_000, connackTimeoutMs: 10_000 });
    assert.equal(backoff.maxMs, 30_000);
    assert.deepEqual(
      [outbox.concurrency, outbox.perSecond, outbox.maxAgeMs, outbox.overflow],
      [100, 3, 5, 'reject-new'],
    );
  });

  test('of the battery profile wait longer, unless maxMs is given', () => {
    assert.equal(resolve({ backoff: { profile: 'battery' } }).backoff.maxMs, 120_000);
    assert.equal(resolve({ backoff: { profile: 'battery', maxMs: 9_000 } }).backoff.maxMs, 9_000);
    assert.equal(resolve({ backoff: { profile: 'default' } }).backoff.maxMs, 30_000);
  });
});

describe("MQTT.js's own options", () => {
  test('reconnectPeriod becomes backoff.minMs, which wins where both are given', () => {
    assert.equal(resolve({ reconnectPeriod: 700 }).backoff.minMs, 700);
    assert.equal(resolve({ reconnectPeriod: 700, backoff: { minMs: 50 } }).backoff.minMs, 50);
  });

  test('reconnectPeriod 0 means never reconnect', () => {
    const { reconnect, backoff } = resolve({ reconnectPeriod: 0 });
    assert.equal(reconnect, false);
    assert.equal(backoff.minMs, 1_000);
  });

  test('a reconnectPeriod of a minute raises the longest wait with it', () => {
    const { minMs, maxMs } = resolve({ reconnectPeriod: 60_000 }).backoff;
    assert.equal(minMs, 60_000);
    assert.ok(maxMs >= minMs);
  });

  test('connectTimeout caps an attempt as a whole', () => {
    assert.equal(resolve({ connectTimeout: 4_000 }).attemptTimeoutMs, 4_000);
  });

  test('are passed on, those that name a broker and our groups taken out', () => {
    const will = { topic: 't', payload: 'x' };
    const { mqtt } = resolve({
      clientId: 'c',
      will,
      keepalive: 5,
      username: undefined,
      host: 'h',
      port: 1,
      protocol: 'mqtt',
      path: '/p',
      servers: [],
      zone: 'z',
      dial: {},
      brokers: ['mqtt://a'],
    });
    assert.deepEqual(mqtt, { clientId: 'c', will, keepalive: 5 });
    assert.equal(mqtt.will, will);
  });

  test('may hold an object that refers to itself', () => {
    const wsOptions: Record<string, unknown> = { agent: {} };
    wsOptions.self = wsOptions;
    assert.equal(resolve({ wsOptions }).mqtt.wsOptions, wsOptions);
  });

  test('that would take the state away from the outbox are refused', () => {
    assert.match(
      refusal({ incomingStore: {} }),
      /^Option `incomingStore` cannot be used .* use `outbox\.store`$/,
    );
    assert.match(
      refusal({ outgoingStore: {} }),
      /^Option `outgoingStore` cannot be used .* use `outbox\.store`$/,
    );
    assert.match(refusal({ messageIdProvider: {} }), /^Option `messageIdProvider` cannot be used/);
    assert.match(refusal({ socksProxy: 'socks5://127.0.0.1:1080' }), /^Option `socksProxy` cannot be used/);
  });

  test('are refused with a wrong type', () => {
    const wrong: [object, string][] = [
      [{ reconnectPeriod: -1 }, 'Option `reconnectPeriod` must be a number >= 0, got -1 (number)'],
      [{ reconnectPeriod: Number.NaN }, 'Option `reconnectPeriod` must be a number >= 0, got NaN (number)'],
      [{ connectTimeout: '5' }, 'Option `connectTimeout` must be a number >= 0, got "5" (string)'],
      [{ keepalive: null }, 'Option `keepalive` must be a number >= 0, got null'],
      [{ protocolVersion: 6 }, 'Option `protocolVersion` must be 3, 4 or 5, got 6 (number)'],
      [{ clientId: 5 }, 'Option `clientId` must be a non-empty string, got 5 (number)'],
      [{ clientId: '' }, 'Option `clientId` must be a non-empty string, got "" (string)'],
      [{ clean: false }, 'Option `clientId` must be given when `clean` is false, got undefined'],
    ];
    for (const [options, message] of wrong) assert.equal(refusal(options), message);
  });

  test('clientId may be empty where placement does not use it', () => {
    assert.equal(resolve({ clientId: '', selection: 'random' }).mqtt.clientId, '');
    assert.equal(resolve({ clientId: '', selection: 'ordered' }).mqtt.clientId, '');
  });

  test('clientId has no U+0000 and at most 65535 bytes', () => {
    assert.throws(() => checkClientId('a\u0000b', false), /free of U\+0000/);
    checkClientId('é'.repeat(32_767), false);
    assert.throws(() => checkClientId('é'.repeat(32_768), false), /at most 65535 bytes/);
    checkClientId(undefined, false);
  });
});

describe('discovery over DNS', () => {
  const dns = (group: object) => ({ discovery: { dns: group } });

  test('takes servers as people write them', () => {
    const servers = ['127.0.0.1:5353', '[::1]:53', '192.0.2.1', '::1', 'fe80::1%eth0', 'consul', 'a.b:8600'];
    assert.deepEqual(
      resolve(dns({ servers })).discovery.servers?.map(({ host, port }) => [host, port]),
      [
        ['127.0.0.1', 5353],
        ['::1', 53],
        ['192.0.2.1', 53],
        ['::1', 53],
        ['fe80::1%eth0', 53],
        ['consul', 53],
        ['a.b', 8600],
      ],
    );
    assert.equal(resolve().discovery.servers, undefined);
  });

  test('refuses what is no server, by its place in the list', () => {
    for (const wrong of ['', 'a:0', 'a:65536', 'a:b', 'udp://a', '[::1', 'a b', 'a:1:2', 'u@h']) {
      assert.match(
        refusal(dns({ servers: ['192.0.2.1', wrong] })),
        /^Option `discovery\.dns\.servers\[1\]` must be a DNS server such as 192\.0\.2\.53, /,
        wrong,
      );
    }
    assert.match(refusal(dns({ servers: [] })), /`discovery\.dns\.servers` must be .*, not an empty one/);
  });

  test('takes a DoH URL: https, or http on this machine', () => {
    for (const url of [
      'https://dns.test/dns-query',
      'http://127.0.0.1:80/q',
      'http://localhost/q',
      'http://[::1]/q',
    ])
      assert.equal(resolve(dns({ doh: url })).discovery.doh?.href, new URL(url).href);
    for (const url of [
      'http://dns.test/q',
      'ftp://a',
      'dns.test',
      '',
      'https://u:secret@dns.test/',
      'http://localhost.evil/q',
    ]) {
      const message = refusal(dns({ doh: url }));
      assert.match(message, /^Option `discovery\.dns\.doh` must be /, url);
      assert.ok(!message.includes('secret'));
    }
  });

  test('reads allowedHosts into A-labels, and refuses whole public suffixes (R25)', () => {
    const allowedHosts = ['Broker.Example.COM.', '*.bücher.example', '*.lan', '192.0.2.7'];
    assert.deepEqual(resolve({ discovery: { allowedHosts } }).discovery.allowedHosts, [
      'broker.example.com',
      '*.xn--bcher-kva.example',
      '*.lan',
      '192.0.2.7',
    ]);
    for (const wrong of ['*.com', '*.co.uk', '*.com.au', '*.io'])
      assert.match(
        refusal({ discovery: { allowedHosts: [wrong] } }),
        /allowedHosts\[0\]` must not allow all/,
        wrong,
      );
    for (const wrong of ['', '*', '*.', 'a:1883', 'mqtt://a', 'a/b', '*.*.com', 'a b'])
      assert.match(
        refusal({ discovery: { allowedHosts: [wrong] } }),
        /allowedHosts\[0\]` must be a host/,
        wrong,
      );
    assert.match(refusal({ discovery: { allowedHosts: [] } }), /`discovery\.allowedHosts` must be /);
  });
});

describe('our groups', () => {
  test('refuse an unknown key and name the known ones', () => {
    for (const group of ['dial', 'backoff', 'liveness', 'health', 'failback', 'outbox', 'discovery']) {
      assert.match(
        refusal({ [group]: { nope: 1 } }),
        new RegExp(`^Option \`${group}\\.nope\` is unknown; known here: [a-zA-Z0-9]+, `),
      );
    }
    assert.equal(
      refusal({ outbox: { replay: { rate: 1 } } }),
      'Option `outbox.replay.rate` is unknown; known here: concurrency, perSecond',
    );
    assert.equal(
      refusal({ discovery: { dns: { server: 'x' } } }),
      'Option `discovery.dns.server` is unknown; known here: servers, doh',
    );
  });

  test('refuse a wrong value with its name, what was expected and what came', () => {
    const wrong: [object, string][] = [
      [{ dial: { race: 0 } }, 'Option `dial.race` must be an integer >= 1, got 0 (number)'],
      [{ dial: { race: 1.5 } }, 'Option `dial.race` must be an integer >= 1, got 1.5 (number)'],
      [
        { dial: { staggerMs: 'soon' } },
        'Option `dial.staggerMs` must be a number of milliseconds >= 10, got "soon" (string)',
      ],
      [
        { backoff: { minMs: Number.NaN } },
        'Option `backoff.minMs` must be a number of milliseconds >= 0, got NaN (number)',
      ],
      [
        { backoff: { spreadMs: Number.POSITIVE_INFINITY } },
        'Option `backoff.spreadMs` must be a number of milliseconds >= 0, got Infinity (number)',
      ],
      [
        { backoff: { profile: 'eco' } },
        "Option `backoff.profile` must be 'default' or 'battery', got \"eco\" (string)",
      ],
      [
        { backoff: { minMs: 9, maxMs: 5 } },
        'Option `backoff.minMs` must be a number of milliseconds <= backoff.maxMs (5), got 9 (number)',
      ],
      [
        { health: { panicAbove: 2 } },
        'Option `health.panicAbove` must be a number from 0 to 1, got 2 (number)',
      ],
      [
        { outbox: { replay: { perSecond: 0 } } },
        'Option `outbox.replay.perSecond` must be a number > 0, got 0 (number)',
      ],
      [
        { discovery: { registry: { pollMs: 999 } } },
        'Option `discovery.registry.pollMs` must be a number of milliseconds >= 1000, got 999 (number)',
      ],
      [
        { discovery: { refreshMs: 999 } },
        'Option `discovery.refreshMs` must be a number of milliseconds >= 1000, got 999 (number)',
      ],
      [{ dial: 5 }, 'Option `dial` must be an object, got 5 (number)'],
      [{ dial: null }, 'Option `dial` must be an object, got null'],
      [{ outbox: [] }, 'Option `outbox` must be an object, got an array of 0'],
      [{ zone: '' }, 'Option `zone` must be a string of 1 to 64 characters, got "" (string)'],
      [
        { selection: 'best' },
        "Option `selection` must be 'client-id', 'random', 'ordered' or an object with a `rank` function, got \"best\" (string)",
      ],
      [{ overrides: {} }, 'Option `overrides` must be a function, got an object'],
      [{ allowInsecure: 1 }, 'Option `allowInsecure` must be true or false, got 1 (number)'],
      [{ tabs: 'x' }, "Option `tabs` must be 'separate' or 'shared', got \"x\" (string)"],
    ];
    for (const [options, message] of wrong) assert.equal(refusal(options), message);
  });

  test('refuse a zone longer than the 64 characters that an endpoint may have', () => {
    assert.equal(resolve({ zone: 'z'.repeat(64) }).zone?.length, 64);
    assert.match(refusal({ zone: 'z'.repeat(65) }), /^Option `zone` must be a string of 1 to 64 characters/);
  });

  test('take a selector of the user', () => {
    const selection = { rank: () => [] };
    assert.equal(resolve({ selection }).selection, selection);
  });

  test('are complete in the list that turns a plain client into a managed one', () => {
    assert.deepEqual(
      [...GROUP_NAMES].sort(),
      [
        ...['allowInsecure', 'backoff', 'brokers', 'credentials', 'dial', 'discovery', 'failback', 'health'],
        ...['liveness', 'outbox', 'overrides', 'selection', 'sessions', 'tabs', 'zone'],
      ].sort(),
    );
  });

  test('of the store need what makes them work', () => {
    const store = { open() {}, close() {}, sublevel() {} };
    const codec = { encode() {}, decode() {} };
    for (const [options, name] of [
      [{ outbox: { store: 'x' } }, 'clientId'],
      [{ outbox: { store: '' }, clientId: 'c' }, 'outbox.store'],
      [{ outbox: { store: {} }, clientId: 'c' }, 'outbox.store'],
      [{ outbox: { codec } }, 'outbox.store'],
      [{ outbox: { store, codec: { encode() {} } }, clientId: 'c' }, 'outbox.codec'],
      [{ outbox: { dedupId: true }, protocolVersion: 4 }, 'protocolVersion'],
    ] as const)
      assert.match(refusal(options), new RegExp(`^Option \`${name}\` must be `));
    const { outbox } = resolve({ clientId: 'c', outbox: { store, codec } as never });
    assert.deepEqual([outbox.store, outbox.codec], [store, codec]);
  });

  test('never show a secret in a message', () => {
    for (const options of [
      { zone: { password: 'secret' } },
      { dial: 'mqtt://u:secret@h' },
      { selection: ['secret'] },
    ])
      assert.ok(!refusal(options).includes('secret'));
  });
});
