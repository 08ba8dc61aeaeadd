/** Who may be dialed: what an attacker could put into DNS, a registry or a topic, and what operators really do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BrokersInput } from '../../../src/brokers/input.js';
import { parseBrokers } from '../../../src/brokers/parse.js';
import { Authorisation, type AuthorisationRules } from '../../../src/discovery/authorisation.js';
import { createEndpoint, type Origin, type Scheme } from '../../../src/endpoint.js';
import { addressScope } from '../../../src/platform/node-address-scope.js';

function rules(brokers: BrokersInput, more: Partial<AuthorisationRules> = {}): Authorisation {
  return new Authorisation({
    brokers: parseBrokers(brokers),
    allowedHosts: undefined,
    allowInsecure: false,
    dnsHosts: [],
    addressScope,
    ...more,
  });
}

function from(origin: Origin, authority: string, scheme: Scheme = 'mqtts') {
  return createEndpoint({ scheme, authority, origin }, 'test');
}

const SRV = 'mqtts+srv://iot.example.com';
const REGISTRY = 'registry+https://registry.example.com/nodes.json';

describe('hosts', () => {
  test('that the user wrote, or whose code returned them, are authorised whatever they are', () => {
    const judge = rules(['mqtt://10.0.0.1'], { allowedHosts: ['nothing.example.com'] });
    for (const origin of ['static', 'function', 'resolver'] as const) {
      assert.equal(judge.refusal(from(origin, '169.254.169.254', 'mqtt')), undefined);
    }
  });

  test('that a broker named must be in allowedHosts, whatever domain they are of', () => {
    const named = from('redirect', 'n1.example.com');
    for (const brokers of [SRV, REGISTRY, ['mqtts://seed.example.com']])
      assert.match(rules(brokers).refusal(named) ?? '', /named by a broker alone/);
    const allowing = rules(SRV, { allowedHosts: ['*.example.com'] });
    assert.equal(allowing.refusal(named), undefined);
    assert.match(allowing.refusal(from('redirect', 'n1.example.com', 'mqtt')) ?? '', /not encrypted/);
    const inside = [{ address: '127.0.0.1' }, { address: '10.0.0.1' }, { address: '203.0.113.5' }];
    assert.deepEqual(allowing.admitted(named, inside), inside.slice(1));
  });

  for (const [brokers, origin, good, bad] of [
    [SRV, 'srv', ['n1.iot.example.com', 'n1.example.com'], ['evil.com', 'example.com', 'n1.badexample.com']],
    [
      REGISTRY,
      'registry',
      ['n1.example.com', 'registry.example.com'],
      ['evil.com', 'n1.other.com', '1.2.3.4'],
    ],
    ['registry+https://10.0.0.5/n', 'registry', ['10.0.0.5'], ['10.0.0.6', '1.0.0.5']],
    [
      'registry+http://127.0.0.1:8080/n',
      'registry',
      ['127.0.0.1', '127.0.0.2', 'localhost', '[::1]'],
      ['10.0.0.5'],
    ],
    [
      'registry+https://[2001:db8::1],r.example.com/n',
      'registry',
      ['[2001:db8::1]', 'n.example.com'],
      ['x.org'],
    ],
    [['mqtts://seed.example.com'], 'topic', ['seed.example.com', 'n1.example.com'], ['evil.com']],
  ] as const) {
    test(`from ${JSON.stringify(brokers)} must belong to it`, () => {
      const judge = rules(brokers as BrokersInput);
      for (const host of good) assert.equal(judge.refusal(from(origin, host)), undefined, host);
      for (const host of bad)
        assert.match(String(judge.refusal(from(origin, host))), /does not belong to/, host);
    });
  }

  test('are judged by allowedHosts alone where that is given', () => {
    const judge = rules(SRV, { allowedHosts: ['*.trusted.net', 'one.example.org'] });
    for (const host of ['a.trusted.net', 'one.example.org'])
      assert.equal(judge.refusal(from('srv', host)), undefined);
    for (const host of ['n1.iot.example.com', 'trusted.net', 'two.example.org'])
      assert.match(String(judge.refusal(from('srv', host))), /allowedHosts/);
  });

  test('of one source are not vouched for by another', () => {
    const judge = rules({ sources: [SRV, 'registry+https://reg.other.net/n'] });
    assert.equal(judge.refusal(from('srv', 'n.iot.example.com')), undefined);
    assert.match(String(judge.refusal(from('srv', 'n.other.net'))), /does not belong/);
    assert.match(String(judge.refusal(from('registry', 'n.iot.example.com'))), /does not belong/);
  });
});

describe('schemes', () => {
  test('are never weaker than what was asked for', () => {
    for (const [brokers, origin, host] of [
      [SRV, 'srv', 'n1.iot.example.com'],
      [REGISTRY, 'registry', 'n1.example.com'],
      [['mqtts://seed.example.com'], 'topic', 'n1.example.com'],
    ] as const) {
      for (const scheme of ['mqtt', 'ws'] as const) {
        const endpoint = from(origin, host, scheme);
        assert.match(String(rules(brokers as BrokersInput).refusal(endpoint)), /not encrypted/);
        assert.equal(rules(brokers as BrokersInput, { allowInsecure: true }).refusal(endpoint), undefined);
      }
    }
  });

  test('may be plain where the source was asked for that, and on this machine', () => {
    assert.equal(
      rules('mqtt+srv://iot.example.com').refusal(from('srv', 'n.iot.example.com', 'mqtt')),
      undefined,
    );
    assert.equal(
      rules(['mqtt://seed.example.com']).refusal(from('topic', 'n.example.com', 'mqtt')),
      undefined,
    );
    const asked = rules('registry+https://r.example.com/v1#scheme=mqtt');
    assert.equal(asked.refusal(from('registry', 'n.example.com', 'mqtt')), undefined);
    const local = rules('registry+http://127.0.0.1:8080/n');
    assert.equal(local.refusal(from('registry', '127.0.0.1', 'mqtt')), undefined);
  });
});

describe('addresses', () => {
  const EVERYWHERE = ['127.0.0.1', '10.0.0.1', '8.8.8.8', '169.254.169.254', '::1', 'fe80::1'];
  const admitted = (judge: Authorisation, endpoint: ReturnType<typeof from>) =>
    judge
      .admitted(
        endpoint,
        EVERYWHERE.map((address) => ({ address })),
      )
      .map(({ address }) => address);

  test('of what the user named are not looked at', () => {
    assert.deepEqual(admitted(rules(['mqtt://a']), from('static', 'a')), EVERYWHERE);
  });

  for (const [what, brokers, origin, host, more, expected] of [
    ['a public registry', REGISTRY, 'registry', 'n.example.com', {}, ['8.8.8.8']],
    ['a registry inside', 'registry+https://reg.lan/n', 'registry', 'n.reg.lan', {}, ['10.0.0.1', '8.8.8.8']],
    ['SRV by the system', SRV, 'srv', 'n.iot.example.com', {}, ['10.0.0.1', '8.8.8.8']],
    [
      'SRV by a public DoH server',
      SRV,
      'srv',
      'n.iot.example.com',
      { dnsHosts: ['dns.example.net'] },
      ['8.8.8.8'],
    ],
    [
      'SRV by a DNS server of this machine',
      SRV,
      'srv',
      'n.iot.example.com',
      { dnsHosts: ['127.0.0.1'] },
      ['127.0.0.1', '10.0.0.1', '8.8.8.8', '::1'],
    ],
    [
      'a host that is allowed by its own name',
      SRV,
      'srv',
      'localhost',
      { allowedHosts: ['localhost'] },
      ['127.0.0.1', '10.0.0.1', '8.8.8.8', '::1'],
    ],
    [
      'a host that is allowed by a suffix only',
      REGISTRY,
      'registry',
      'n.example.com',
      { allowedHosts: ['*.example.com'] },
      ['10.0.0.1', '8.8.8.8'],
    ],
  ] as const) {
    test(`of ${what} reach no further inwards than it does`, () => {
      assert.deepEqual(admitted(rules(brokers, more), from(origin, host)), expected);
    });
  }

  test('are not judged where the runtime does not see them', () => {
    const judge = rules(REGISTRY, { addressScope: undefined });
    assert.deepEqual(admitted(judge, from('registry', 'n.example.com')), EVERYWHERE);
  });
});
