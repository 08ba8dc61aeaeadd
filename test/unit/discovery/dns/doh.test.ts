/** DNS over HTTPS: a request that a page may make, and an answer that is read for what it is (RFC 8484). */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { loadDecoder } from '../../../../src/discovery/dns/decode.js';
import { DohResolver } from '../../../../src/discovery/dns/doh.js';
import { encodeReply, type Reply, readQuery, soa, srv } from '../../../support/dns-messages.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

const NAME = '_mqtt._tcp.example.test';
const URL_ = 'https://dns.test/secret-token/dns-query';
const found: Reply = { answers: [srv(NAME, 'a.example.test', { ttl: 60 })], authorities: [soa('x', 40, 40)] };
const TYPE = { 'content-type': 'application/dns-message' };

before(loadDecoder);

function world(respond: (query: Uint8Array) => Response | Promise<Response>, url = URL_) {
  const clock = new VirtualClock();
  const requests: { url: string; init: RequestInit }[] = [];
  const resolver = new DohResolver({
    url: new URL(url),
    clock,
    fetch: async (target, init = {}) => {
      requests.push({ url: target, init });
      const query = init.body ?? Buffer.from(new URL(target).searchParams.get('dns') ?? '', 'base64url');
      return respond(query as Uint8Array);
    },
  });
  const abort = new AbortController();
  return { clock, requests, abort, ask: () => resolver.query(NAME, abort.signal) };
}

const answering = (reply: Reply, headers: object = {}, status = 200) =>
  world(
    (query) =>
      new Response(encodeReply(query, reply) as BodyInit, { status, headers: { ...TYPE, ...headers } }),
  );

describe('a question over HTTPS', () => {
  test('is a GET that needs no preflight, with id 0 (R36)', async () => {
    const { ask, requests } = answering(found);
    const { exists, server, records } = await ask();
    assert.deepEqual([exists, server, records.length], [true, 'https://dns.test', 1]);
    const [{ url, init }] = requests as [(typeof requests)[number]];
    const [path, dns = ''] = url.split('?dns=');
    assert.equal(path, URL_);
    assert.match(dns, /^[A-Za-z0-9_-]+$/);
    assert.deepEqual(readQuery(Buffer.from(dns, 'base64url')), {
      id: 0,
      name: NAME,
      type: 'SRV',
      edns: undefined,
    });
    assert.deepEqual(init.headers, { accept: 'application/dns-message' });
    assert.deepEqual(
      [init.method, init.body, init.redirect, init.credentials, init.cache],
      [undefined, undefined, 'error', 'omit', 'no-store'],
    );
  });

  test('keeps a query that the URL has', async () => {
    const { ask, requests } = world(
      (query) => new Response(encodeReply(query, found) as BodyInit, { headers: TYPE }),
      `${URL_}?a=b`,
    );
    await ask();
    assert.ok(requests[0]?.url.startsWith(`${URL_}?a=b&dns=`));
  });

  test('is a POST where the URL would be longer than 2048 characters', async () => {
    const url = `${URL_}/${'x'.repeat(2_000)}`;
    const { ask, requests } = world(
      (query) => new Response(encodeReply(query, found) as BodyInit, { headers: TYPE }),
      url,
    );
    await ask();
    const { url: target, init } = requests[0]!;
    assert.deepEqual([target, init.method], [url, 'POST']);
    assert.deepEqual(init.headers, {
      accept: 'application/dns-message',
      'content-type': 'application/dns-message',
    });
  });
});

describe('an answer over HTTPS', () => {
  test('is what any 2xx carries, NXDOMAIN included (R37)', async () => {
    assert.equal((await answering(found, {}, 203).ask()).exists, true);
    assert.equal((await answering({ rcode: 3 }).ask()).exists, false);
    const parameters = { 'content-type': 'Application/DNS-Message; x=y' };
    assert.equal((await answering(found, parameters).ask()).exists, true);
  });

  test('is older by its Age, and no cache of HTTP makes it live longer (R38)', async () => {
    const ttls = async (headers: object) => {
      const { records, negativeTtlMs } = await answering(found, headers).ask();
      return [records[0]?.ttlMs, negativeTtlMs];
    };
    assert.deepEqual(await ttls({ age: '50', 'cache-control': 'max-age=9999' }), [10_000, 0]);
    assert.deepEqual(await ttls({ age: '61' }), [0, 0]);
    for (const age of ['-5', 'x', '1e9', '99999999999'])
      assert.deepEqual(await ttls({ age }), [60_000, 40_000], age);
  });

  const failures: Record<string, [ReturnType<typeof world>, string, RegExp]> = {
    'has another status': [answering(found, {}, 503), 'doh-http', /answered with HTTP status 503$/],
    'has another content type': [
      answering(found, { 'content-type': 'text/html' }),
      'doh-http',
      /content type "text\/html"$/,
    ],
    'has a content type of 16 KiB': [
      answering(found, { 'content-type': 'x'.repeat(16_000) }),
      'doh-http',
      /content type "x{80}"$/,
    ],
    'breaks off': [
      world(() => new Response(broken(), { headers: TYPE })),
      'network',
      /^https:\/\/dns\.test broke off its answer$/,
    ],
    'has no content type': [world(() => new Response(new Uint8Array(9))), 'doh-http', /content type "none"$/],
    'is SERVFAIL': [answering({ rcode: 2 }), 'rcode', /answered SERVFAIL$/],
    'is to another question': [answering({ question: { name: 'x' } }), 'malformed', /another question$/],
    'is truncated': [answering({ truncated: true }), 'truncated', /truncated answer$/],
    'is empty': [world(() => new Response(null, { headers: TYPE })), 'malformed', /another question$/],
    'has no end': [
      world(() => new Response(endless(), { headers: TYPE })),
      'doh-too-large',
      /more than 65536 bytes$/,
    ],
    'cannot be had, for CORS or the network': [
      world(() => Promise.reject(new TypeError('Failed to fetch'))),
      'doh-cors-or-network',
      /could not be reached, redirected, or does not allow this page \(doh-cors-or-network\)$/,
    ],
  };
  for (const [what, [{ ask, clock }, reason, message]] of Object.entries(failures)) {
    test(`that ${what} is a failure of its own kind, without the path (R37, R39)`, async () => {
      await assert.rejects(ask(), (error: Error & { reason?: string }) => {
        assert.equal(error.reason, reason);
        assert.match(error.message, /^https:\/\/dns\.test /);
        assert.match(error.message, message);
        assert.ok(!error.message.includes('secret'));
        return true;
      });
      assert.equal(clock.pending, 0);
    });
  }

  test('is waited for five seconds', async () => {
    const { ask, clock, requests } = world(() => new Promise(() => {}));
    const rejected = assert.rejects(ask(), {
      reason: 'timeout',
      message: 'https://dns.test did not answer within 5000 ms',
    });
    await clock.advance(5_000);
    await rejected;
    assert.ok(requests[0]?.init.signal?.aborted);
    assert.equal(clock.pending, 0);
  });

  test('is not waited for once nobody wants it', async () => {
    const { ask, clock, abort, requests } = world(() => new Promise(() => {}));
    const rejected = assert.rejects(ask(), { message: 'enough' });
    await settle();
    abort.abort(new Error('enough'));
    await rejected;
    assert.deepEqual([requests[0]?.init.signal?.aborted, clock.pending], [true, 0]);
  });
});

/** As `fetch` gives a body whose connection was reset. */
function broken(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.error(new TypeError('terminated')) });
}

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(8_192)) });
}
