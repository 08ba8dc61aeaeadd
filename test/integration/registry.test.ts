/**
 * Clients whose brokers are named by a registry, on real sockets: what a good registry is worth, and that a bad one
 * harms nobody.
 *
 * The world: a registry over HTTP and a few brokers on 127.0.0.1. Only what is about minutes is on the virtual clock,
 * in the unit tests.
 */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { createGzip, gzipSync } from 'node:zlib';
import { createRegistryResolver } from '../../src/discovery/registry/create-registry-resolver.js';
import type { FailoverClient, FailoverEvents } from '../../src/index.js';
import { nodePlatform } from '../../src/platform/node.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { RegistryServer } from '../support/registry-server.js';
import { client, hurriedClock } from './world.js';

const documentOf = (brokers: Iterable<{ url: string; id?: string | undefined }>, fields: object = {}) => ({
  schema: 'mqtt-nodes/1',
  nodes: [...brokers].map(({ url, id = url }) => ({ id, urls: [url] })),
  ...fields,
});
const current = (made: FailoverClient) => made.status().current;

/** A resolver over Node's own fetch. */
function resolverOf(url: string, given: { headers?: Record<string, string>; hurry?: number } = {}) {
  const { fetch, random, network } = nodePlatform;
  return createRegistryResolver(url.slice('registry+'.length), {
    headers: given.headers,
    pollMs: undefined,
    push: undefined,
    allowInsecure: false,
    fetch,
    httpCache: false,
    clock: given.hurry === undefined ? nodePlatform.clock : hurriedClock(given.hurry),
    random,
    schemes: network.schemes,
  });
}

/** The message of the failure of one question. */
async function refusal(url: string, given: Parameters<typeof resolverOf>[1] = {}): Promise<string> {
  const abort = new AbortController();
  try {
    await resolverOf(url, given).resolve(abort.signal);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  } finally {
    abort.abort();
  }
}

describe('a client of a registry', () => {
  test('connects, follows the list by polling, and costs one 304 while nothing changes', async () => {
    await using brokers = await aedesCluster(2);
    const [first, second] = [...brokers];
    await using registry = await RegistryServer.open(
      documentOf([{ id: 'one', url: first!.url }], { revision: '1' }),
    );
    await using made = client(registry.url, { discovery: { registry: { pollMs: 1_000 } } });
    await once(made, 'connect');
    assert.equal(current(made), 'one');
    assert.deepEqual(
      { ...made.status().discovery, updatedAt: 0 },
      { source: 'registry', revision: '1', updatedAt: 0, error: null },
    );
    await until(() => registry.requests.some(({ status }) => status() === 304), { what: 'a 304' });
    const topology = once<[FailoverEvents['topology']]>(made, 'topology');
    registry.publish(documentOf([{ id: 'two', url: second!.url }], { revision: '2' }));
    const [{ added, removed, source, revision }] = await topology;
    assert.deepEqual(
      { added, removed, source, revision },
      { added: ['two'], removed: ['one'], source: 'registry', revision: '2' },
    );
    await first!.kill();
    await until(() => current(made) === 'two', { what: 'the move to two' });
  });

  test('follows a pushed list at once, resumes the stream after a cut, and polls meanwhile', async () => {
    await using brokers = await aedesCluster(2);
    const [first, second] = [...brokers];
    await using registry = await RegistryServer.open(documentOf([{ id: 'one', url: first!.url }]));
    await using made = client(registry.url, { discovery: { registry: { pollMs: 60_000, push: true } } });
    await once(made, 'connect');
    await until(() => registry.streams === 1, { what: 'the event stream' });
    const topology = once(made, 'topology');
    const pushedAt = performance.now();
    registry.publish(documentOf([...brokers].map(({ url }, i) => ({ id: ['one', 'two'][i]!, url }))));
    await topology;
    const tookMs = performance.now() - pushedAt;
    assert.ok(tookMs >= 200 && tookMs < 30_000, `${tookMs} ms`);
    const errors = collect<FailoverEvents['discovery-error']>(made, 'discovery-error');
    registry.cut();
    await until(() => errors.length > 0, { what: 'word of the cut' });
    await until(() => registry.streams === 1, { what: 'the stream again' });
    assert.match(errors[0]!.error.message, /^Discovery failed: push: /);
    const resumed = registry.requests.at(-1)!.headers;
    assert.equal(resumed['last-event-id'], '2');
    registry.publish(documentOf([{ id: 'two', url: second!.url }]));
    await first!.kill();
    await until(() => current(made) === 'two', { what: 'the move to two' });
  });

  test('keeps its brokers when the registry goes bad, and says so', async () => {
    await using brokers = await aedesCluster(1);
    await using registry = await RegistryServer.open(documentOf(brokers));
    await using made = client(registry.url, { discovery: { registry: { pollMs: 1_000 } } });
    await once(made, 'connect');
    const node = (id: string) => JSON.stringify({ id, urls: ['mqtt://h.evil.test:1'] });
    const foreign = `{"schema":"mqtt-nodes/1","nodes":[${node('a')}]}`;
    const tooMany = `{"schema":"mqtt-nodes/1","nodes":[${Array(1_001).fill('{}').join()}]}`;
    const million = `{"schema":"mqtt-nodes/1","nodes":[${Array(1_000_000).fill('{}').join()}]}`;
    const bad = ['{"schema":"mqtt-nodes/2","nodes":[]}', '[]', '{', foreign, tooMany, million];
    for (const body of bad) {
      const failed = once<[FailoverEvents['discovery-error']]>(made, 'discovery-error', 15_000);
      registry.handler = (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      };
      const [{ error }] = await failed;
      assert.equal(error.code, 'ERR_DISCOVERY');
      assert.ok(error.message.length < 1_000);
      assert.equal(made.status().state, 'connected');
      assert.equal(made.status().endpoints.length, 1);
      registry.handler = undefined;
      await until(() => made.status().discovery.error === null, { what: 'recovery', timeoutMs: 20_000 });
    }
  });

  test('with a wrong URL or option is told before any I/O', () => {
    assert.throws(() => client('registry+http://example.com/n'), {
      code: 'ERR_OPTION',
      message: /plain HTTP needs/,
    });
    assert.throws(
      () => client('registry+https://u:hunter2@h/n'),
      (error: Error) => {
        assert.doesNotMatch(error.message, /hunter2/);
        return /discovery\.registry\.headers/.test(error.message);
      },
    );
    const headers = { authorization: 'hunter2\n\u0000' };
    assert.throws(() => client('registry+https://h/n', { discovery: { registry: { headers } } }), {
      code: 'ERR_OPTION',
      message:
        'Option `discovery.registry.headers` must be an object of HTTP headers or a function that gives one, got an object',
    });
  });
});

describe('a hostile registry', () => {
  const answering = async (handler: (response: ServerResponse) => void) => {
    const registry = await RegistryServer.open({});
    registry.handler = (_, response) => handler(response);
    return registry;
  };
  const JSON_TYPE = { 'content-type': 'application/json' };

  test('cannot lead headers elsewhere by a redirect (R55)', async () => {
    await using other = await RegistryServer.open(documentOf([{ id: 'x', url: 'mqtt://x' }]));
    await using registry = await answering((response) => {
      response.writeHead(302, { location: other.url.slice('registry+'.length) }).end();
    });
    const headers = { authorization: 'Bearer t', 'x-consul-token': 't' };
    assert.match(await refusal(registry.url, { headers }), /redirect/);
    assert.equal(registry.requests[0]!.headers['x-consul-token'], 't');
    assert.equal(other.requests.length, 0);
  });

  test('is cut when it drips (R56)', async () => {
    await using registry = await answering((response) => {
      response.writeHead(200, JSON_TYPE);
      const drip = setInterval(() => response.write('['), 100);
      response.on('close', () => clearInterval(drip));
    });
    assert.match(await refusal(registry.url, { hurry: 10 }), /no complete answer within 5000 ms/);
  });

  test('cannot fill the memory: a gzip bomb and a body of 100 MB are cut early (R57)', async () => {
    const zeros = Buffer.alloc(1 << 20, ' ');
    await using bomb = await answering((response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' });
      const gzip = createGzip();
      gzip.on('error', () => {});
      gzip.pipe(response);
      let sent = 0;
      const more = () => {
        while (sent < 2_000 && !response.destroyed) {
          sent += 1;
          if (!gzip.write(zeros)) {
            gzip.once('drain', more);
            return;
          }
        }
        gzip.end();
      };
      response.on('close', () => gzip.destroy());
      more();
    });
    await using long = await answering((response) => {
      response.writeHead(200, JSON_TYPE);
      response.write('"');
      const text = Buffer.alloc(1 << 20, 'x');
      let sent = 0;
      const more = () => {
        while (sent < 100 && !response.destroyed) {
          sent += 1;
          if (!response.write(text)) {
            response.once('drain', more);
            return;
          }
        }
        response.end('"');
      };
      more();
    });
    for (const registry of [bomb, long]) {
      const before = process.memoryUsage().heapUsed;
      assert.match(await refusal(registry.url), /the body is longer than 262144 bytes/);
      const grown = process.memoryUsage().heapUsed - before;
      assert.ok(grown < 50 * 2 ** 20, `${grown} bytes more`);
    }
  });

  test('gets nowhere with pages, depth, or other statuses', async () => {
    const cases: [(response: ServerResponse) => void, RegExp][] = [
      [(r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>'), /captive portal/],
      [(r) => r.writeHead(200, JSON_TYPE).end('['.repeat(100_000)), /nests deeper than 16/],
      [
        (r) =>
          r.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync('[]').subarray(0, 9)),
        /terminated|aborted|unexpected|Z_BUF|JSON/i,
      ],
      [(r) => r.writeHead(200, JSON_TYPE).end(Buffer.from([0x22, 0xff, 0x22])), /not UTF-8/],
      [(r) => r.writeHead(304).end(), /HTTP 304 to an unconditional request/],
      [
        (r) => r.writeHead(200, { ...JSON_TYPE, 'content-length': '10' }).end('[]'),
        /terminated|closed|socket|PARSER|JSON/i,
      ],
      [(r) => r.destroy(), /UND_ERR_SOCKET|ECONNRESET|other side closed/],
      [(r) => r.writeHead(403).end(), /HTTP 403: the registry refuses us/],
    ];
    for (const [handler, reason] of cases) {
      await using registry = await answering(handler);
      assert.match(await refusal(registry.url), reason);
    }
  });
});

test('two of three registry hosts may be down (R61)', async () => {
  await using brokers = await aedesCluster(1);
  await using registry = await RegistryServer.open(documentOf(brokers));
  await using made = client(`registry+http://127.0.0.1:1,127.0.0.1:2,127.0.0.1:${registry.port}/nodes.json`);
  await once(made, 'connect');
  assert.equal(made.status().discovery.error, null);
});
