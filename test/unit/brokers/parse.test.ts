/** Every form of `brokers` that the contract names, and every way of getting it wrong. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BrokersInput } from '../../../src/brokers/input.js';
import { parseBrokers } from '../../../src/brokers/parse.js';
import type { Endpoint } from '../../../src/endpoint.js';
import { isFailoverError } from '../../../src/errors.js';

fc.configureGlobal({ seed: 1 });

function endpoints(input: unknown, secure = false): readonly Endpoint[] {
  const parsed = parseBrokers(input as BrokersInput, { secure });
  assert.equal(parsed.kind, 'static');
  return parsed.kind === 'static' ? parsed.endpoints : [];
}

const urls = (input: unknown, secure = false) => endpoints(input, secure).map(({ url }) => url);

/** The message of the ERR_OPTION that `input` throws. */
function refusal(input: unknown): string {
  try {
    parseBrokers(input as BrokersInput);
  } catch (error) {
    assert.ok(isFailoverError(error), `${error} is not a FailoverError`);
    assert.equal(error.code, 'ERR_OPTION');
    return error.message;
  }
  assert.fail(`accepted ${JSON.stringify(input)}`);
}

describe('a URL', () => {
  test('names one broker', () => {
    const [only] = endpoints(' mqtt://a:1884 ');
    const { id, url, scheme, host, port, path, priority, weight, zone, options } = only!;
    assert.deepEqual(
      { id, url, scheme, host, port, path, priority, weight, zone, options },
      {
        id: 'a:1884',
        url: 'mqtt://a:1884',
        scheme: 'mqtt',
        host: 'a',
        port: 1884,
        path: '',
        priority: 0,
        weight: 1,
        zone: undefined,
        options: {},
      },
    );
  });

  test('may name several hosts, IPv6 among them, each with its own or the default port', () => {
    assert.deepEqual(urls('mqtts://a:1883,b , [::1]:1885,[2001:DB8::0]'), [
      'mqtts://a:1883',
      'mqtts://b:8883',
      'mqtts://[::1]:1885',
      'mqtts://[2001:db8::]:8883',
    ]);
  });

  test('takes tcp for mqtt, and ssl and tls for mqtts, in any case', () => {
    assert.deepEqual(
      ['tcp://a', 'TCP://a', 'ssl://a', 'tls://a', 'MQTTS://a', 'Ws://a', 'wss://a'].flatMap((url) =>
        urls(url),
      ),
      [
        'mqtt://a:1883',
        'mqtt://a:1883',
        'mqtts://a:8883',
        'mqtts://a:8883',
        'mqtts://a:8883',
        'ws://a:80/',
        'wss://a:443/',
      ],
    );
  });

  test('means the secure scheme when the client has a certificate', () => {
    assert.deepEqual(urls(['mqtt://a', 'ws://a:81', 'wss://b', 'mqtts://c'], true), [
      'mqtts://a:8883',
      'wss://a:81/',
      'wss://b:443/',
      'mqtts://c:8883',
    ]);
    assert.deepEqual(urls([{ url: 'mqtt://a', cert: 'c', key: 'k' }]), ['mqtts://a:8883']);
  });

  test('shares path, query and user info between its hosts', () => {
    const both = endpoints('wss://us%40er:p%2C%3A%2Fw@a,b:444/mq/tt?x=1#frag');
    assert.deepEqual(
      both.map(({ id, path, options, url }) => ({ id, path, options, url })),
      [
        {
          id: 'a:443',
          path: '/mq/tt?x=1',
          options: { username: 'us@er', password: 'p,:/w' },
          url: 'wss://a:443/mq/tt',
        },
        {
          id: 'b:444',
          path: '/mq/tt?x=1',
          options: { username: 'us@er', password: 'p,:/w' },
          url: 'wss://b:444/mq/tt',
        },
      ],
    );
    assert.equal(endpoints('ws://a?x=1')[0]?.path, '/?x=1');
  });

  test('may have a user name without a password, and a password that is empty', () => {
    assert.deepEqual(endpoints('mqtt://me@a')[0]?.options, { username: 'me' });
    assert.deepEqual(endpoints('mqtt://me:@a')[0]?.options, { username: 'me', password: '' });
  });

  test('has one id however the host is spelled', () => {
    for (const url of ['mqtt://BÜCHER.example', 'tcp://xn--bcher-kva.example.:1883', 'mqtt://bücher.Example'])
      assert.equal(endpoints(url)[0]?.id, 'xn--bcher-kva.example:1883');
  });

  test('is refused when it is empty, has no host, no known scheme, or a bad port', () => {
    for (const url of [
      '',
      '  ',
      'a',
      'a:1883',
      'mqtt:',
      'mqtt:a',
      'mqtt://',
      'mqtt://:1883',
      'mqtt://a,',
      'mqtt://a:0',
    ])
      assert.match(refusal(url), /^Option `brokers` must be /, url);
    assert.match(
      refusal('http://a'),
      /one of the schemes mqtt, tcp, mqtts, ssl, tls, ws, wss, got "http:\/\/a"/,
    );
    assert.match(refusal('mqtt+unix://a'), /schemes/);
  });

  test('is refused when user info stands before a later host, or is not percent-encoded', () => {
    for (const url of ['mqtt://a,u:p@b', 'mqtt://u:p@a,u:p@b', 'mqtt://u:p@w@a', 'mqtt://u:p,w@a'])
      assert.match(refusal(url), /user info stands once, before the first host/);
    assert.match(refusal('mqtt://u:%E0%A4@a'), /percent-encoded user info, got a malformed one/);
  });

  test('is refused when it names a host twice', () => {
    assert.match(refusal('mqtt://a,b,A.:1883'), /must have distinct ids, got "a:1883" \(string\) twice/);
  });
});

describe('a list', () => {
  test('mixes URLs and objects, with a place and options for each', () => {
    const wsOptions = { headers: { x: '1' } };
    const list = endpoints([
      'mqtt://a',
      {
        url: 'wss://u:p@b/x',
        id: 'B',
        weight: 2.5,
        priority: 1,
        zone: 'z',
        ca: 'pem',
        username: 'own',
        wsOptions,
      },
    ]);
    assert.deepEqual(
      list.map(({ id, weight, priority, zone, options }) => ({ id, weight, priority, zone, options })),
      [
        { id: 'a:1883', weight: 1, priority: 0, zone: undefined, options: {} },
        {
          id: 'B',
          weight: 2.5,
          priority: 1,
          zone: 'z',
          options: { username: 'own', password: 'p', ca: 'pem', wsOptions },
        },
      ],
    );
    assert.ok(Object.isFrozen(list));
  });

  test('takes the items of `servers` as MQTT.js does', () => {
    assert.deepEqual(
      urls([
        { host: 'a', port: 1, protocol: 'mqtts' },
        { hostname: '::1', port: 2 },
        { host: 'w', protocol: 'ws', path: 'mqtt' },
      ]),
      ['mqtts://a:1', 'mqtt://[::1]:2', 'ws://w:80/mqtt'],
    );
  });

  test('gives all hosts of one URL the place and options of the item', () => {
    assert.deepEqual(
      endpoints([{ url: 'mqtt://a,b', weight: 3, priority: 2, keepalive: 5 }]).map(
        ({ id, weight, priority, options }) => [id, weight, priority, options.keepalive],
      ),
      [
        ['a:1883', 3, 2, 5],
        ['b:1883', 3, 2, 5],
      ],
    );
    assert.match(refusal([{ url: 'mqtt://a,b', id: 'x' }]), /`brokers\[0\]\.id` must be left out/);
  });

  test('counts undefined as absent', () => {
    const spec = {
      url: 'mqtt://a',
      id: undefined,
      weight: undefined,
      priority: undefined,
      zone: undefined,
      path: undefined,
      clientId: undefined,
      reconnectPeriod: undefined,
    };
    assert.deepEqual(urls([spec]), ['mqtt://a:1883']);
  });

  test('takes endpoints that another resolver made', () => {
    const [made] = endpoints([{ url: 'wss://u:p@a/x?y=1', id: 'i', weight: 4, zone: 'z' }]);
    const [again] = endpoints([made]);
    assert.equal(again?.id, 'i');
    assert.equal(again?.weight, 4);
    assert.deepEqual(again?.options, made?.options);
    assert.equal(again?.path, '/x?y=1');
  });

  test('is refused when it is empty or holds something else', () => {
    assert.match(refusal([]), /`brokers` must be a list with at least one broker, got an array of 0/);
    for (const item of [5, null, undefined, [], true])
      assert.match(refusal([item]), /^Option `brokers\[0\]`/);
    assert.match(refusal(['mqtt://a', {}]), /`brokers\[1\]\.url` must be a broker URL, got undefined/);
    assert.match(refusal([{ url: 5 }]), /`brokers\[0\]\.url` must be a string, got 5 \(number\)/);
    assert.match(refusal([{ host: 'a', protocol: 'http' }]), /`brokers\[0\]\.protocol` must be one of/);
    assert.match(refusal(['mqtt+srv://a']), /`brokers\[0\]`/);
  });

  test('is refused when two ids are the same', () => {
    assert.match(refusal(['mqtt://a', { url: 'ws://b', id: 'a:1883' }]), /distinct ids, got "a:1883"/);
  });

  test('is refused with a weight, priority, zone or id out of its range', () => {
    const wrong: Record<string, unknown[]> = {
      weight: [Number.NaN, -1, Number.POSITIVE_INFINITY, 65_536, '1', null],
      priority: [Number.NaN, -1, 0.5, 65_536, Number.POSITIVE_INFINITY, '1', null],
      zone: ['', 'z'.repeat(65), 5, null],
      id: ['', 'i'.repeat(129), 'a\nb', 'a\u0000', 5, null],
    };
    for (const [field, values] of Object.entries(wrong)) {
      for (const value of values) {
        const message = refusal([{ url: 'mqtt://a', [field]: value }]);
        assert.match(
          message,
          new RegExp(`^Option \`brokers\\[0\\]\\.${field}\` must be `),
          `${field} ${value}`,
        );
      }
    }
  });

  test('is refused with an option that belongs to the one session', () => {
    for (const field of [
      'clientId',
      'incomingStore',
      'outgoingStore',
      'messageIdProvider',
      'reconnectPeriod',
      'manualConnect',
    ]) {
      assert.equal(
        refusal([{ url: 'mqtt://a', [field]: 'x' }]),
        `Option \`brokers[0].${field}\` must be given for the client, not for one endpoint`,
      );
    }
  });

  test('is refused, not crashed on, with a path or protocol that is no string', () => {
    assert.match(refusal([{ url: 'ws://a', path: 5 }]), /brokers\[0\]\.path/);
    assert.match(refusal([{ host: 'a', protocol: 5 }]), /brokers\[0\]\.protocol/);
  });
});

describe('an SRV URL', () => {
  const srv = (input: string) => {
    const { kind, ...rest } = parseBrokers(input);
    assert.equal(kind, 'srv');
    return rest;
  };

  test('asks for the registered service of its scheme', () => {
    assert.deepEqual(srv('mqtt+srv://Example.COM'), {
      scheme: 'mqtt',
      domain: 'example.com',
      service: 'mqtt',
      path: '/',
    });
    assert.deepEqual(srv('mqtts+srv://example.com'), {
      scheme: 'mqtts',
      domain: 'example.com',
      service: 'secure-mqtt',
      path: '/',
    });
  });

  test('asks for the service that srv= names, and keeps the rest of the query', () => {
    assert.deepEqual(srv('ws+srv://example.com/mqtt?a=1&srv=mqtt-ws&b=2'), {
      scheme: 'ws',
      domain: 'example.com',
      service: 'mqtt-ws',
      path: '/mqtt?a=1&b=2',
    });
    assert.deepEqual(srv('wss+srv://example.com?srv=mqtt-wss'), {
      scheme: 'wss',
      domain: 'example.com',
      service: 'mqtt-wss',
      path: '/',
    });
    assert.equal((srv('mqtts+srv://e.com?srv=mqtts') as { service: string }).service, 'mqtts');
  });

  test('needs srv= for WebSocket, of at most 15 letters (R3)', () => {
    for (const url of [
      'ws+srv://example.com/mqtt',
      'wss+srv://example.com',
      'ws+srv://e.com?srv=',
      'ws+srv://e.com?srv=_mqtt-ws',
      'ws+srv://e.com?srv=mqtt-',
      'ws+srv://e.com?srv=abcdefghijklmnop',
    ])
      assert.match(refusal(url), /names its service with \?srv=.*\(R3\)/, url);
    assert.equal((srv('ws+srv://e.com?srv=abcdefghijklmno') as { service: string }).service.length, 15);
  });

  test('has exactly one host and no port (R5)', () => {
    for (const url of [
      'mqtts+srv://a:1',
      'mqtt+srv://a,b',
      'mqtt+srv://',
      'mqtt+srv://[::1]',
      'mqtt+srv://u:p@a',
    ])
      assert.match(refusal(url), /exactly one domain name and no port \(R5\)/, url);
  });

  test('has a known scheme', () => {
    assert.match(refusal('http+srv://a'), /schemes/);
    assert.match(refusal('mqtt+foo://a'), /schemes/);
  });
});

describe('other forms', () => {
  test('a registry URL loses its prefix', () => {
    assert.deepEqual(parseBrokers('registry+https://host/nodes.json?x=1'), {
      kind: 'registry',
      url: 'https://host/nodes.json?x=1',
    });
    assert.deepEqual(parseBrokers('registry+http://localhost/n'), {
      kind: 'registry',
      url: 'http://localhost/n',
    });
    assert.match(refusal('registry+ftp://host/n'), /schemes/);
    assert.match(refusal('registry://host/n'), /schemes/);
  });

  test('functions and resolvers are handed through, uncalled', () => {
    const resolve = () => assert.fail('called');
    assert.deepEqual(parseBrokers(resolve as never), { kind: 'function', resolve });
    const resolver = { resolve };
    const parsed = parseBrokers(resolver as never);
    assert.ok(parsed.kind === 'resolver' && parsed.resolver === resolver);
  });

  test('sources nest, fall back by default, and name the one that is wrong', () => {
    const parsed = parseBrokers({
      sources: ['mqtt+srv://e.com', { sources: [['mqtt://a'], 'mqtt://b'], mode: 'union' }],
    });
    assert.ok(parsed.kind === 'composite');
    assert.equal(parsed.mode, 'fallback');
    assert.deepEqual(
      parsed.sources.map((s) =>
        s.kind === 'composite' ? [s.mode, s.sources.map(({ kind }) => kind)] : s.kind,
      ),
      ['srv', ['union', ['static', 'static']]],
    );
    assert.match(refusal({ sources: ['mqtt://a', 'nope'] }), /^Option `brokers\.sources\[1\]`/);
    assert.match(refusal({ sources: [] }), /`brokers\.sources` must be an array with at least one source/);
    assert.match(refusal({ sources: 'mqtt://a' }), /`brokers\.sources`/);
    assert.match(
      refusal({ sources: ['mqtt://a'], mode: 'x' }),
      /`brokers\.mode` must be 'fallback' or 'union'/,
    );
  });

  test('one object with url or host is a list of one', () => {
    assert.deepEqual(urls({ url: 'mqtt://a', weight: 2 }), ['mqtt://a:1883']);
    assert.deepEqual(urls({ host: 'a' }), ['mqtt://a:1883']);
  });

  test('anything else is refused', () => {
    for (const input of [undefined, null, 5, true, {}, Symbol('x'), { resolve: 5 }])
      assert.match(refusal(input), /^Option `brokers` must be a URL, an array of brokers, a function/);
  });
});

describe('whatever is written', () => {
  const pieces = fc.constantFrom(
    ...[
      'mqtt',
      'wss',
      'registry',
      '+srv',
      '+https',
      '://',
      '@',
      ',',
      ':',
      '/',
      '?srv=',
      '#',
      '[',
      ']',
      '%',
      '%E0',
      'a',
    ],
    ...['b.c', '::1', '1883', '99999', ' ', '\\', '\n', 'é', '\ud800', '.', '..', '0x1', 'xn--', '\u0000'],
  );
  const strings = fc.oneof(
    fc.array(pieces, { maxLength: 10 }).map((list) => list.join('')),
    fc.array(pieces, { maxLength: 8 }).map((list) => `mqtt://${list.join('')}`),
    fc.string({ unit: 'binary' }),
  );
  const parsesOrRefuses = (input: unknown) => {
    try {
      parseBrokers(input as BrokersInput);
    } catch (error) {
      assert.ok(isFailoverError(error) && error.code === 'ERR_OPTION', String(error));
    }
  };

  test('a string parses or is refused with ERR_OPTION', () => {
    fc.assert(fc.property(strings, parsesOrRefuses), { numRuns: 3_000 });
  });

  test('a list of objects parses or is refused with ERR_OPTION', () => {
    const value = fc.oneof(strings, fc.double(), fc.constantFrom(null, undefined, true, {}, []));
    const spec = fc.dictionary(
      fc.constantFrom(
        'url',
        'host',
        'hostname',
        'port',
        'protocol',
        'path',
        'id',
        'weight',
        'zone',
        'options',
      ),
      value,
    );
    fc.assert(fc.property(fc.array(fc.oneof(spec, value), { maxLength: 3 }), parsesOrRefuses), {
      numRuns: 3_000,
    });
  });

  test('a password never shows in a message', () => {
    const secret = 'sEcReT';
    const around = fc.string({ maxLength: 4 });
    fc.assert(
      fc.property(
        fc.constantFrom('mqtt', 'wss', 'http', 'mqtt+srv', 'ws+srv', 'x'),
        around,
        around,
        fc.constantFrom('a', 'a:99999', 'a b', 'a,b,a', '', 'a,u:p@b'),
        (scheme, before, after, hosts) => {
          const url = `${scheme}://user:${before}${secret}${after}@${hosts}`;
          for (const input of [url, [url], [{ url }]]) {
            try {
              parseBrokers(input);
            } catch (error) {
              const { message, cause } = error as Error;
              assert.ok(!message.includes(secret), `${url} → ${message}`);
              assert.ok(!String(cause).includes(secret), `${url} → cause ${cause}`);
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
