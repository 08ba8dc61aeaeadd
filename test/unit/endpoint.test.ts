/** One address, one identity: however it is spelled, clients are placed alike (R128). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createEndpoint, type Scheme, toScheme, urlToDial } from '../../src/endpoint.js';
import { isFailoverError } from '../../src/errors.js';

const idOf = (authority: string, scheme: Scheme = 'mqtt') =>
  createEndpoint({ scheme, authority }, 'brokers').id;

describe('createEndpoint', () => {
  test('gives every spelling of an address the same id', () => {
    const spellings: Record<string, string[]> = {
      'n1.example.com:1883': [
        'n1.example.com',
        'N1.Example.COM.',
        'n1.example.com:1883',
        'n1.example.com.:1883',
      ],
      'xn--bcher-kva.example:1883': ['bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example'],
      '[::1]:1883': ['[::1]', '[0:0:0:0:0:0:0:1]', '[::0001]:1883'],
      '[2001:db8::1]:1883': ['[2001:DB8:0:0:0:0:0:1]', '[2001:db8::1]'],
      '192.168.0.1:1883': ['192.168.0.1', '0xc0.0xa8.0.1'],
    };
    for (const [id, written] of Object.entries(spellings)) {
      assert.deepEqual(
        written.map((authority) => idOf(authority)),
        written.map(() => id),
      );
    }
  });

  test('knows the default port of each scheme', () => {
    assert.deepEqual(
      (['mqtt', 'mqtts', 'ws', 'wss'] as const).map((scheme) => idOf('h', scheme)),
      ['h:1883', 'h:8883', 'h:80', 'h:443'],
    );
  });

  test('has a path for WebSocket only, and shows it without the query', () => {
    const of = (scheme: Scheme, path?: string) => {
      const made = createEndpoint({ scheme, authority: 'h', ...(path === undefined ? {} : { path }) }, 'x');
      return [made.path, made.url];
    };
    assert.deepEqual(of('wss', '/mqtt?token=secret'), ['/mqtt?token=secret', 'wss://h:443/mqtt']);
    assert.equal(of('ws', '/a\n?x\n?token=secret')[1], 'ws://h:80/a\n');
    assert.deepEqual(of('ws'), ['/', 'ws://h:80/']);
    assert.deepEqual(of('mqtt', '/ignored'), ['', 'mqtt://h:1883']);
  });

  test('dials its own host, whatever the path is', () => {
    for (const [path, dialed] of Object.entries({
      '/$default/mqtt?x=$1&y=$&': 'wss://h:443/$default/mqtt?x=$1&y=$&',
      '@evil.example/x': 'wss://h:443/@evil.example/x',
      '.evil.example': 'wss://h:443/.evil.example',
      '?token=x': 'wss://h:443/?token=x',
      '': 'wss://h:443/',
    })) {
      const endpoint = createEndpoint({ scheme: 'wss', authority: 'h', path }, 'x');
      assert.equal(urlToDial(endpoint), dialed);
      assert.equal(new URL(endpoint.url).host, 'h');
    }
  });

  test('strips the brackets of IPv6 from the host, not from the URL', () => {
    const { host, port, url } = createEndpoint({ scheme: 'mqtts', authority: '[FE80::1]:99' }, 'x');
    assert.deepEqual({ host, port, url }, { host: 'fe80::1', port: 99, url: 'mqtts://[fe80::1]:99' });
  });

  test('fills in the defaults of placement and freezes everything', () => {
    const options = { username: 'u' };
    const made = createEndpoint({ scheme: 'mqtt', authority: 'h', options }, 'x');
    assert.deepEqual([made.priority, made.weight, made.zone], [0, 1, undefined]);
    assert.ok(Object.isFrozen(made) && Object.isFrozen(made.options));
    assert.notEqual(made.options, options);
    assert.ok(!Object.isFrozen(options));
  });

  test('refuses what is not one host with an optional port', () => {
    const wrong = [
      '',
      ':1883',
      'a:0',
      'a:65536',
      'a:x',
      'a:1:2',
      '::1',
      '[::1',
      '[zz]',
      'a b',
      '.',
      'a..',
      '[::1]x',
    ];
    for (const authority of wrong) {
      assert.throws(
        () => idOf(authority),
        (error) =>
          isFailoverError(error) && error.code === 'ERR_OPTION' && error.message.includes('`brokers`'),
        authority,
      );
    }
  });

  test('refuses a host that a URL parser would cut short', () => {
    for (const authority of ['a\\b', 'a/b', 'a?b', 'a#b', 'x@b', 'a\tb', 'a\nb']) {
      assert.throws(() => idOf(authority), { code: 'ERR_OPTION' }, JSON.stringify(authority));
    }
  });
});

describe('toScheme', () => {
  test('reads aliases in any case, with or without a colon', () => {
    const names = ['mqtt', 'TCP', 'mqtts:', 'ssl', 'Tls:', 'ws', 'WSS', 'http', '', 'mqtt::'];
    assert.deepEqual(names.map(toScheme), [
      'mqtt',
      'mqtt',
      'mqtts',
      'mqtts',
      'mqtts',
      'ws',
      'wss',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the short way for plain names', () => {
  test('gives what the URL parser gives', () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,8}$/);
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(
        fc.oneof(name, fc.constantFrom('a', 'localhost', '1', '0x7f', 'xn--a', 'a..b', '.a', 'a.1')),
        (host) => {
          let expected: string | undefined;
          try {
            expected = new URL(`http://${host}`).hostname.replace(/\.$/, '');
          } catch {
            // No host; neither is it one for us.
          }
          let given: string | undefined;
          try {
            given = createEndpoint({ scheme: 'mqtt', authority: host }, 'test').host;
          } catch {
            // As above.
          }
          assert.equal(given, expected || undefined);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
