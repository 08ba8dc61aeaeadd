/** Other systems' lists: each golden file is what that system answers, and becomes what is written here. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readDocument } from '../../../../src/discovery/registry/document.js';
import { rangeEnd } from '../../../../src/discovery/registry/mappings/etcd.js';
import { recognise } from '../../../../src/discovery/registry/mappings/recognise.js';
import { readTargets } from '../../../../src/discovery/registry/target.js';

function golden(name: string): any {
  return JSON.parse(readFileSync(new URL(`../../../golden/registry/${name}.json`, import.meta.url), 'utf8'));
}

/** Kind, then one line for each node: id, urls, and what it says besides. */
function mapped(json: unknown, fragment = ''): string[] {
  const [target] = readTargets(`https://h/${fragment}`, { allowInsecure: false });
  const { kind, document } = recognise(json, target!.reach);
  const { nodes, skipped, revision, spreadMs } = readDocument(document);
  return [
    [kind, revision, spreadMs].filter((each) => each !== undefined).join(' '),
    ...nodes.map(
      ({ id, urls, ...rest }) => `${id} ${urls.join(' ')} ${JSON.stringify(rest).replaceAll('"', '')}`,
    ),
    ...skipped,
  ];
}

describe('the answer of', () => {
  test('Consul: address, weight by check, scheme by tag or metadata', () => {
    assert.deepEqual(mapped(golden('consul')), [
      'consul',
      'worker-1/mqtt mqtts://10.1.10.12:8883 {priority:1,weight:10,zone:eu-1a,state:up}',
      'worker-2/mqtt wss://10.1.10.13:8084/mqtt {weight:2,state:up}',
      'worker-3/mqtt mqtts://[fd00::3]:8883 {weight:1,state:down}',
    ]);
    assert.deepEqual(mapped([]), ['consul']);
  });

  test('etcd: nodes of a document, or just URLs, by key', () => {
    assert.deepEqual(mapped(golden('etcd')), [
      'etcd 12',
      'n1 mqtts://n1.example.com:8883 {weight:3,zone:eu-1a}',
      'second wss://n2.example.com/mqtt {state:draining}',
      'n3 mqtts://n3.example.com {}',
      'nodes[3]: urls must be given',
    ]);
    assert.deepEqual(mapped({ header: { revision: '3' } }), ['etcd 3']);
  });

  test('Kubernetes: slices merged, state by conditions, a URL for each port that is known', () => {
    assert.deepEqual(mapped(golden('kubernetes')), [
      'kubernetes 41882',
      'mqtt-0 mqtts://10.1.2.3:8883 wss://10.1.2.3:8084 mqtts://[fd00::3]:8883 {zone:us-west2-a,state:up}',
      'mqtt-1 mqtts://10.1.2.4:8883 wss://10.1.2.4:8084 {zone:us-west2-b,state:draining}',
      'mqtt-2 mqtts://10.1.2.5:8883 wss://10.1.2.5:8084 {state:down}',
    ]);
    const [first, second] = golden('kubernetes').items;
    // A slice that lags says that a terminating pod is ready: the other one is right.
    second.endpoints[0].targetRef.name = 'mqtt-1';
    assert.match(
      mapped({ kind: 'EndpointSliceList', items: [second, first] })[1]!,
      /^mqtt-1 .*state:draining/,
    );
    assert.match(mapped({ ...first, kind: 'EndpointSlice' })[1]!, /^mqtt-0 .*:8883 .*state:up/);
    const bare = {
      kind: 'EndpointSlice',
      endpoints: [{ addresses: ['10.0.0.1'] }],
      ports: [{ name: '', port: 1 }],
    };
    assert.deepEqual(mapped(bare), ['kubernetes', '10.0.0.1 mqtts://10.0.0.1:1 {state:up}']);
  });

  test('EMQX: members by the host in their name', () => {
    assert.deepEqual(mapped(golden('emqx')), [
      'emqx',
      'emqx@node1.emqx.example mqtts://node1.emqx.example {state:up}',
      'emqx@node2.emqx.example mqtts://node2.emqx.example {state:up}',
      'emqx@node3.emqx.example mqtts://node3.emqx.example {state:down}',
    ]);
    const [, first] = mapped({ data: golden('emqx') }, '#scheme=wss&port=8084&path=/mqtt');
    assert.equal(first, 'emqx@node1.emqx.example wss://node1.emqx.example:8084/mqtt {state:up}');
  });

  test('Eureka: instances, also where a list of one has no brackets', () => {
    const lines = [
      'eureka',
      'n1:mqtt:8883 mqtts://n1.example.com:8883 {weight:3,zone:eu-1a,state:up}',
      'n2:mqtt:8084 wss://n2.example.com:8084/mqtt {state:draining}',
      'n3:mqtt:8883 mqtts://n3.example.com:8883 {state:down}',
    ];
    assert.deepEqual(mapped(golden('eureka')), lines);
    assert.deepEqual(mapped({ application: golden('eureka').applications.application }), lines);
  });

  test('Envoy: EDS in both spellings, degraded one tier later, overload as a wider spread', () => {
    const lines = [
      'envoy 7 10000',
      '10.0.0.1:8883 mqtts://10.0.0.1:8883 {priority:0,weight:5,zone:eu-1a,state:up}',
      '10.0.0.2:8883 mqtts://10.0.0.2:8883 {priority:0,zone:eu-1a,state:draining}',
      '10.0.0.3:8883 mqtts://10.0.0.3:8883 {priority:1,zone:eu-1a,state:up}',
      '10.0.1.1:8883 mqtts://10.0.1.1:8883 {priority:1,zone:eu-1b,state:up}',
      '10.0.1.2:8883 mqtts://10.0.1.2:8883 {priority:1,zone:eu-1b,state:down}',
    ];
    assert.deepEqual(mapped(golden('envoy')), lines);
    const camel = JSON.stringify(golden('envoy')).replace(/"([a-z]+(?:_[a-z]+)+)":/g, (_, name: string) => {
      return `"${name.replace(/_([a-z])/g, (__, letter: string) => letter.toUpperCase())}":`;
    });
    assert.deepEqual(mapped(JSON.parse(camel)), lines);
  });

  test('nobody that is known is refused', () => {
    for (const json of [{}, 'x', 5, null, [1], [{}], { nodes: [] }, { resources: [] }, { header: {} }])
      assert.throws(() => recognise(json, {}), {
        message: /neither a document of schema "mqtt-nodes\/1" nor/,
      });
  });

  test('anybody never throws otherwise and is never changed', () => {
    const names = ['consul', 'etcd', 'kubernetes', 'emqx', 'eureka', 'envoy'];
    const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom('__proto__', 'constructor', '-1', 'HUNDRED'));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(60), leaf, (name, index, value) => {
        const json = golden(name);
        const places: [any, string][] = [];
        const walk = (at: any) => {
          for (const key of Object.keys(at)) {
            places.push([at, key]);
            if (typeof at[key] === 'object' && at[key] !== null) walk(at[key]);
          }
        };
        walk(json);
        const [at, key] = places[index % places.length]!;
        at[key] = value;
        const text = JSON.stringify(json);
        try {
          readDocument(recognise(json, {}).document);
        } catch (error) {
          assert.match((error as Error).message, /^the (document is refused|answer is neither)/);
        }
        assert.equal(JSON.stringify(json), text);
      }),
      { numRuns: 600 },
    );
  });
});

describe('a registry URL', () => {
  const read = (url: string, allowInsecure = false) => readTargets(url, { allowInsecure });
  const refusal = (url: string) => {
    try {
      read(url);
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };

  test('may name several hosts, which share path and query', () => {
    assert.deepEqual(
      read('https://a.test,b.test:8443,[::1]/nodes.json?t=1').map(({ url, shown }) => [url, shown]),
      [
        ['https://a.test/nodes.json?t=1', 'https://a.test/nodes.json'],
        ['https://b.test:8443/nodes.json?t=1', 'https://b.test:8443/nodes.json'],
        ['https://[::1]/nodes.json?t=1', 'https://[::1]/nodes.json'],
      ],
    );
  });

  test('is plain HTTP only on this machine or with allowInsecure (R51)', () => {
    for (const host of ['localhost', 'x.localhost:8080', '127.0.0.1', '127.9.9.9:1', '[::1]:80'])
      assert.equal(read(`http://${host}/n`).length, 1);
    for (const host of [
      'example.com',
      '127.0.0.1.example.com',
      '10.0.0.1',
      'localhost.example.com',
      'localhost,example.com',
    ])
      assert.match(refusal(`http://${host}/n`), /plain HTTP needs `allowInsecure: true`/);
    assert.equal(read('http://example.com/n', true).length, 1);
  });

  test('has no user info, and no error shows its query', () => {
    const refused = refusal('https://user:hunter2@h/n?token=hunter2');
    assert.match(refused, /give credentials in `discovery.registry.headers`/);
    for (const text of [
      refused,
      refusal('http://h/n?token=hunter2'),
      refusal('https://h:99999/?token=hunter2'),
    ])
      assert.doesNotMatch(text, /hunter2|accepted/);
  });

  test('names every host before the path: what stands in the path is none', () => {
    for (const text of [
      'https:///evil.example/n',
      'https://a.example,/evil.example/n',
      'https:///[x]@evil.example',
    ])
      assert.match(refusal(text), /a registry URL such as registry\+https:\/\/host\/nodes\.json/);
  });

  test('names a hundred hosts at most', () => {
    const hosts = (count: number) => Array.from({ length: count }, (_, n) => `h${n}`).join();
    assert.equal(read(`https://${hosts(100)}/n`).length, 100);
    assert.match(refusal(`https://${hosts(101)}/n`), /100 registry hosts at most, got 101/);
  });

  test('of etcd becomes a POST of a range, and a watch of the same', () => {
    const [target] = read('http://127.0.0.1:2379/v3/kv/range?prefix=/mqtt/nodes/');
    const range = { key: btoa('/mqtt/nodes/'), range_end: btoa('/mqtt/nodes0') };
    assert.deepEqual([target!.url, JSON.parse(target!.body!)], ['http://127.0.0.1:2379/v3/kv/range', range]);
    assert.deepEqual(
      [target!.watch!.url, JSON.parse(target!.watch!.body)],
      ['http://127.0.0.1:2379/v3/watch', { create_request: range }],
    );
    assert.deepEqual(JSON.parse(read('https://e/v3/kv/range')[0]!.body!), { key: 'AA==', range_end: 'AA==' });
    assert.equal(rangeEnd('é'), btoa('\u00c3\u00aa'));
  });

  test('may say in its fragment how nodes are reached, and nothing else', () => {
    assert.deepEqual(read('https://h/n#scheme=tls&port=8883&path=/m')[0]!.reach, {
      scheme: 'mqtts',
      port: 8883,
      path: '/m',
    });
    assert.equal(read('https://h/n?a=1#port=1')[0]!.url, 'https://h/n?a=1');
    for (const fragment of ['port=0', 'port=99999', 'scheme=http', 'host=x'])
      assert.match(refusal(`https://h/n#${fragment}`), /scheme=, port= and path=/);
  });
});
