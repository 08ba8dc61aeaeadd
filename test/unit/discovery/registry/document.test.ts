/** The document of a registry: outside data, so anything may come, and the published schema says the same as the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readDocument } from '../../../../src/discovery/registry/document.js';
import { toEndpointSet } from '../../../../src/discovery/registry/endpoint-set.js';
import { parseJson } from '../../../../src/discovery/registry/json.js';
import type { Scheme } from '../../../../src/endpoint.js';
import { rank } from '../../../../src/selection/rank.js';
import { documentOf } from '../../fakes/registry-world.js';

const ALL: ReadonlySet<Scheme> = new Set(['mqtt', 'mqtts', 'ws', 'wss']);
const SECURE: ReadonlySet<Scheme> = new Set(['mqtts', 'wss']);
const setOf = (json: unknown, schemes = SECURE) =>
  toEndpointSet(readDocument(json), { schemes, ttlMs: 1, origin: 'registry' });

const EXAMPLE = {
  schema: 'mqtt-nodes/1',
  revision: '841',
  generatedAt: '2026-11-21T07:00:00Z',
  ttl: 30,
  staleFor: 604_800,
  topology: 'cluster',
  spreadMs: 5_000,
  nodes: [
    {
      id: 'n1',
      urls: ['mqtts://n1.example.com:8883', 'wss://n1.example.com/mqtt'],
      priority: 2,
      weight: 100,
      zone: 'eu-1a',
      state: 'draining',
      load: 0.42,
      since: '2026-11-20T12:00:00Z',
      drainBy: '2026-11-21T07:10:00Z',
      limits: { maxQoS: 2, maxPacketSize: 1_048_576 },
    },
    { id: 'n2', urls: ['mqtts://n2.example.com'] },
  ],
};

describe('a registry document', () => {
  test('becomes an endpoint set, field by field', () => {
    const set = setOf(EXAMPLE);
    const [first, second] = set.endpoints;
    const { id, url, priority, weight, zone, state, since, drainBy } = first!;
    assert.deepEqual(
      { id, url, priority, weight, zone, state, since, drainBy },
      {
        id: 'n1',
        url: 'mqtts://n1.example.com:8883',
        priority: 2,
        weight: 100,
        zone: 'eu-1a',
        state: 'draining',
        since: Date.UTC(2026, 10, 20, 12),
        drainBy: Date.UTC(2026, 10, 21, 7, 10),
      },
    );
    assert.deepEqual(
      [second!.url, second!.priority, second!.weight, second!.zone, second!.state],
      ['mqtts://n2.example.com:8883', 0, 1, undefined, 'up'],
    );
    assert.deepEqual(
      [set.source, set.revision, set.generatedAt, set.spreadMs, [...set.loads!]],
      ['registry', '841', Date.UTC(2026, 10, 21, 7), 5_000, [['n1', 0.42]]],
    );
    assert.equal(readDocument(EXAMPLE).ttl, 30);
  });

  test('is refused as a whole for another major, a bad field of its own, or one id twice', () => {
    const refused = (json: unknown, what: RegExp) =>
      assert.throws(() => readDocument(json), { message: what });
    refused(
      { ...EXAMPLE, schema: 'mqtt-nodes/2' },
      /^the document is refused: schema must be "mqtt-nodes\/1"/,
    );
    refused({ ...EXAMPLE, schema: 'mqtt-nodes/10' }, /schema/);
    refused({ ...EXAMPLE, ttl: '30' }, /ttl must be a number/);
    refused({ ...EXAMPLE, generatedAt: 'yesterday' }, /generatedAt must be an RFC 3339 time/);
    refused({ schema: 'mqtt-nodes/1' }, /nodes must be given/);
    refused([], /schema must be given/);
    refused('x', /it must be an object/);
    refused({ ...EXAMPLE, nodes: [EXAMPLE.nodes[0], { ...EXAMPLE.nodes[1], id: 'n1' }] }, /the same id/);
    refused({ ...EXAMPLE, nodes: [EXAMPLE.nodes[0], { id: 'n1', weight: 'x' }] }, /the same id/);
    refused({ ...EXAMPLE, nodes: Array.from({ length: 1_001 }, (_, i) => ({ id: `${i}` })) }, /at most 1000/);
    assert.equal(readDocument({ ...EXAMPLE, schema: 'mqtt-nodes/1.7', of: 'a later minor' }).nodes.length, 2);
  });

  test('loses a bad node, with a reason, and keeps the others', () => {
    const good = { id: 'good', urls: ['mqtts://good'] };
    const bad = [
      [{ weight: '5' }, 'weight must be a number from 0 to 65535'],
      [{ weight: -1 }, 'weight must be a number from 0 to 65535'],
      [{ weight: Number.NaN }, 'weight must be a number from 0 to 65535'],
      [{ priority: 0.5 }, 'priority must be an integer'],
      [{ priority: 65_536 }, 'priority must be a number from 0 to 65535'],
      [{ load: 1.1 }, 'load must be a number from 0 to 1'],
      [{ urls: [] }, 'urls must be 1 to 8 URLs'],
      [{ urls: Array(9).fill('mqtts://a') }, 'urls must be 1 to 8 URLs'],
      [{ urls: [`mqtts://${'a'.repeat(2_048)}`] }, 'urls.0 must be a string of 1 to 2048 characters'],
      [{ id: '' }, 'id must be a string of 1 to 128 characters'],
      [{ id: 'i'.repeat(129) }, 'id must be a string of 1 to 128 characters'],
      [{ id: 'a\nb' }, 'id must be free of control characters'],
      [{ zone: 'z'.repeat(65) }, 'zone must be a string of 1 to 64 characters'],
      [{ since: 7 }, 'since must be an RFC 3339 time'],
      [{ id: undefined }, 'id must be a string of 1 to 128 characters'],
    ] as const;
    for (const [fields, reason] of bad) {
      const document = readDocument(
        documentOf([], { nodes: [{ id: 'x', urls: ['mqtts://x'], ...fields }, good] }),
      );
      assert.deepEqual(
        [document.nodes.map(({ id }) => id), document.skipped],
        [['good'], [`nodes[0]: ${reason}`]],
      );
    }
    assert.deepEqual(readDocument(documentOf([], { nodes: [5, null, good] })).nodes.length, 1);
  });

  test('uses the first URL of a node that the runtime and policy allow, and hashes its id (R44)', () => {
    const urls = (...list: string[]) => documentOf([], { nodes: [{ id: 'n', urls: list }] });
    const used = (json: unknown, schemes?: ReadonlySet<Scheme>) => setOf(json, schemes).endpoints[0]?.url;
    const both = urls('mqtt://a', 'mqtts://a', 'wss://a/mqtt?x=1');
    assert.equal(used(both), 'mqtts://a:8883');
    assert.equal(used(both, new Set(['wss'])), 'wss://a:443/mqtt');
    assert.equal(used(both, ALL), 'mqtt://a:1883');
    for (const unusable of [
      'mqtts://u:p@a',
      'mqtts://a,b',
      'mqtts://',
      'http://a',
      'a:1883',
      'mqtts://a:0',
      'mqtts://a\\b',
    ]) {
      assert.equal(used(urls(unusable, 'mqtts://z')), 'mqtts://z:8883', unusable);
      assert.throws(() => setOf(urls(unusable)), /no node that can be used: n: no URL/);
    }
    const document = documentOf([], {
      nodes: ['a', 'b', 'c', 'd'].map((id) => ({ id, urls: [`mqtts://${id}:1`, `wss://web-${id}/x`] })),
    });
    const order = (schemes: ReadonlySet<Scheme>) =>
      rank('pump-17', setOf(document, schemes).endpoints).map(({ id }) => id);
    assert.deepEqual(order(new Set(['wss'])), order(new Set(['mqtts'])));
  });

  test('reads a word for a state that it does not know as down', () => {
    const states = ['up', 'draining', 'down', 'resting', 'UP'];
    const nodes = states.map((state) => ({ id: state, urls: [`mqtts://${state}`], state }));
    assert.deepEqual(
      setOf(documentOf([], { nodes })).endpoints.map(({ state }) => state),
      ['up', 'draining', 'down', 'down', 'down'],
    );
  });

  test('may be empty only when it says so (R46)', () => {
    assert.throws(() => setOf(documentOf([])), { message: /does not say "empty": true/ });
    assert.deepEqual(setOf(documentOf([], { empty: true })).empty, true);
    assert.equal(setOf(documentOf(['a'], { empty: true })).empty, undefined);
  });

  test('with names of the language as ids is as harmless as any other (R192)', () => {
    const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const text = `{"schema":"mqtt-nodes/1","__proto__":{"ttl":1},"nodes":[${ids
      .map((id) => `{"id":"${id}","urls":["mqtts://h"],"load":0.5,"__proto__":{"weight":9,"polluted":1}}`)
      .join(',')}]}`;
    const document = readDocument(parseJson(text));
    const set = toEndpointSet(document, { schemes: SECURE, ttlMs: 1, origin: 'registry' });
    assert.deepEqual(
      set.endpoints.map(({ id, weight }) => [id, weight]),
      ids.map((id) => [id, 1]),
    );
    assert.deepEqual([...set.loads!.keys()], ids);
    assert.equal(document.ttl, undefined);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  test('nested too deep is refused before it is parsed; brackets in texts do not count', () => {
    assert.throws(() => parseJson('['.repeat(100_000)), { message: 'the JSON nests deeper than 16 levels' });
    assert.throws(() => parseJson(`${'['.repeat(17)}${']'.repeat(17)}`), /deeper/);
    assert.deepEqual(parseJson(`${'['.repeat(16)}${']'.repeat(16)}`) !== undefined, true);
    assert.equal(parseJson(`"${'['.repeat(50)}\\"${'{'.repeat(50)}"`), `${'['.repeat(50)}"${'{'.repeat(50)}`);
    assert.throws(() => parseJson('{"password":"hunter2"'), { message: 'the answer is not JSON' });
  });
});

/** What of JSON Schema the published one uses; everything else throws. */
function conforms(schema: any, value: any, root: any): boolean {
  const { $ref, type, required = [], properties = {}, items, pattern, ...bounds } = schema;
  if ($ref) return conforms(root.$defs[$ref.replace('#/$defs/', '')], value, root);
  const { minLength = 0, maxLength, minimum, maximum, minItems = 0, maxItems, ...rest } = bounds;
  for (const key of Object.keys(rest))
    assert.ok(['$schema', '$defs', 'title', 'description'].includes(key), `the test knows ${key}`);
  switch (type) {
    case 'object':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      return (
        required.every((key: string) => Object.hasOwn(value, key)) &&
        Object.entries(properties).every(
          ([key, of]) => !Object.hasOwn(value, key) || conforms(of, value[key], root),
        )
      );
    case 'array':
      if (!Array.isArray(value) || value.length < minItems || value.length > (maxItems ?? Infinity))
        return false;
      return value.every((item) => conforms(items, item, root));
    case 'string':
      if (typeof value !== 'string' || value.length < minLength || value.length > (maxLength ?? Infinity))
        return false;
      return pattern === undefined || new RegExp(pattern).test(value);
    case 'integer':
      if (!Number.isInteger(value)) return false;
      return value >= minimum && value <= maximum;
    case 'number':
      return typeof value === 'number' && value >= minimum && value <= maximum;
    case 'boolean':
      return typeof value === 'boolean';
    default:
      throw new Error(`the test does not know the type ${type}`);
  }
}

describe('docs/registry.schema.json', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../../../docs/registry.schema.json', import.meta.url), 'utf8'),
  );

  /** The document as a whole is accepted and no node is left out. */
  function accepted(json: unknown): boolean {
    try {
      return readDocument(json).skipped.length === 0;
    } catch {
      return false;
    }
  }

  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('', 'x'.repeat(300), -1, 0.5, 70_000, 2e9),
  );
  const time = fc.oneof(
    fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom(
      '2026-11-21',
      '2026-11-21T07:00:00',
      '2026-13-21T07:00:00Z',
      '2026-11-21T07:00:60Z',
      '2026-11-21T07:00:00+01:00',
    ),
  );
  const mostly = (good: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: anything });
  const node = fc.record(
    {
      id: mostly(fc.uuid()),
      urls: mostly(fc.array(mostly(fc.webUrl()), { maxLength: 9 })),
      priority: mostly(fc.integer({ min: -1, max: 65_536 })),
      weight: mostly(fc.double({ min: -1, max: 65_536, noNaN: true })),
      zone: mostly(fc.string({ maxLength: 66 })),
      state: mostly(fc.constantFrom('up', 'draining', 'down', 'x')),
      load: mostly(fc.double({ min: -0.1, max: 1.1, noNaN: true })),
      since: mostly(time),
      drainBy: mostly(time),
      other: anything,
    },
    { requiredKeys: ['id', 'urls'] },
  );
  const document = fc.record(
    {
      schema: mostly(fc.constantFrom('mqtt-nodes/1', 'mqtt-nodes/1', 'mqtt-nodes/1.2', 'mqtt-nodes/2')),
      revision: mostly(fc.string({ minLength: 1, maxLength: 8 })),
      generatedAt: mostly(time),
      ttl: mostly(fc.integer({ min: -1, max: 100_000 })),
      staleFor: mostly(fc.integer({ min: 0, max: 100_000 })),
      topology: mostly(fc.constant('cluster')),
      spreadMs: mostly(fc.integer({ min: 0, max: 100_000 })),
      empty: mostly(fc.boolean()),
      nodes: mostly(
        fc.array(fc.oneof({ weight: 20, arbitrary: node }, { weight: 1, arbitrary: anything }), {
          maxLength: 3,
        }),
      ),
    },
    { requiredKeys: ['schema', 'nodes'] },
  );

  test('is valid for exactly the documents that are accepted with every node', () => {
    const counts = { valid: 0, invalid: 0 };
    fc.assert(
      fc.property(document, (json) => {
        const frozen = JSON.stringify(json);
        const valid = conforms(schema, json, schema);
        counts[valid ? 'valid' : 'invalid'] += 1;
        assert.equal(accepted(json), valid, frozen);
        assert.equal(JSON.stringify(json), frozen);
      }),
      { numRuns: 4_000 },
    );
    assert.ok(counts.valid > 150 && counts.invalid > 150, JSON.stringify(counts));
  });

  test('is valid for the documented example', () => {
    assert.ok(conforms(schema, EXAMPLE, schema) && accepted(EXAMPLE));
  });
});
