/** Asking a registry: what is sent, what is believed, how long it rests, and that nothing secret shows. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createRegistryResolver,
  type RegistryWorld,
} from '../../../../src/discovery/registry/create-registry-resolver.js';
import type { EndpointSet } from '../../../../src/discovery/resolver.js';
import { fixedRandom } from '../../../support/seeded-random.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';
import {
  type Answer,
  bare,
  documentOf,
  json,
  registryWorld,
  ScriptedFetch,
  type SeenRequest,
} from '../../fakes/registry-world.js';

const never = new AbortController().signal;
const URL_ = 'https://h.test/nodes.json?token=hunter2';

function world(answer: (request: SeenRequest) => Answer, given: Partial<RegistryWorld> = {}, url = URL_) {
  const clock = new VirtualClock();
  const net = new ScriptedFetch(clock, answer);
  const resolver = createRegistryResolver(url, registryWorld({ clock, fetch: net.fetch, ...given }));
  /** The ids, or the message of the failure. */
  const ask = async (): Promise<string> => {
    const asked = resolver.resolve(never).then(idsOf, (error: Error) => error.message);
    await settle();
    return Promise.race([asked, settle().then(() => 'pending')]);
  };
  return { clock, net, resolver, ask };
}

const idsOf = (set: EndpointSet) => set.endpoints.map(({ id }) => id).join();
const LIST = documentOf(['a', 'b'], { ttl: 60 });

/** Answers one after another, the last one for ever. */
function inTurn(...answers: (() => Answer)[]): () => Answer {
  let next = 0;
  return () => (answers[Math.min(next++, answers.length - 1)] as () => Answer)();
}

describe('a question', () => {
  test('goes without redirects, cookies or referrer, and with the headers of the user', async () => {
    const { net, ask } = world(() => json(LIST), { headers: { authorization: 'Bearer hunter2' } });
    assert.equal(await ask(), 'a,b');
    const { url, init, headers } = net.requests[0]!;
    assert.equal(url, URL_);
    assert.deepEqual(
      [init.redirect, init.credentials, init.referrerPolicy, init.method, init.cache],
      ['error', 'omit', 'no-referrer', undefined, undefined],
    );
    assert.deepEqual(
      [...headers],
      [
        ['accept', 'application/json'],
        ['authorization', 'Bearer hunter2'],
      ],
    );
  });

  test('is conditional from the second time on; 304 keeps the list with a new life (R52)', async () => {
    const { clock, net, resolver, ask } = world(
      inTurn(
        () => json(LIST, { etag: '"1"', 'cache-control': 'max-age=20' }),
        () => bare(304, { 'cache-control': 'max-age=40' }),
      ),
    );
    assert.equal((await resolver.resolve(never)).ttlMs, 20_000);
    await clock.advance(20_000);
    assert.equal(await ask(), 'a,b');
    assert.deepEqual(
      net.requests.map(({ headers }) => headers.get('if-none-match')),
      [null, '"1"'],
    );
    await clock.advance(40_000);
    assert.equal((await resolver.resolve(never)).ttlMs, 40_000);
  });

  test('of a browser leaves that to its cache, and adds no header of its own', async () => {
    const { clock, net, ask } = world(() => json(LIST, { etag: '"1"' }), { httpCache: true });
    await ask();
    await clock.advance(60_000);
    await ask();
    for (const { init, headers } of net.requests)
      assert.deepEqual([init.cache, [...headers.keys()]], ['no-cache', ['accept']]);
    assert.equal(net.requests.length, 2);
  });

  test('whose answer is 304 without a list in hand has failed, and the next one is unconditional', async () => {
    const { clock, net, ask } = world(
      inTurn(
        () => bare(304),
        () => json(LIST),
      ),
    );
    assert.match(await ask(), /HTTP 304 to an unconditional request/);
    await clock.advance(2_000);
    assert.equal(await ask(), 'a,b');
    assert.ok(net.requests.every(({ headers }) => !headers.has('if-none-match')));
  });

  test('has five seconds for headers, and the same five for the body (R56)', async () => {
    for (const answer of [
      () => new Promise<Response>(() => {}),
      () =>
        new Response(
          new ReadableStream({ start: (body) => body.enqueue(new Uint8Array([91])) }),
          JSON_HEADERS,
        ),
    ]) {
      const { clock, resolver } = world(answer);
      const asked = assert.rejects(resolver.resolve(never), {
        message: /h\.test\/nodes\.json: no complete answer within 5000 ms$/,
      });
      await clock.advance(4_999);
      assert.equal(clock.pending, 1);
      await clock.advance(1);
      await asked;
      assert.equal(clock.pending, 0);
    }
  });

  test('takes 256 KiB and not a byte more, however it comes (R57)', async () => {
    const text = (length: number) => JSON.stringify(LIST).padEnd(length);
    assert.equal(await world(() => json(text(262_144))).ask(), 'a,b');
    let pulled = 0;
    const endless = new ReadableStream({
      pull: (body) => {
        pulled += 1;
        body.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    const { clock, resolver } = world(() => new Response(endless, JSON_HEADERS));
    await assert.rejects(resolver.resolve(never), { message: /the body is longer than 262144 bytes/ });
    assert.ok(pulled < 10, `${pulled} pieces were taken`);
    assert.equal(clock.pending, 0);
    assert.match(await world(() => json(text(262_145))).ask(), /longer than 262144/);
  });

  test('takes JSON alone (R58)', async () => {
    const typed = (type: string) => world(() => json(LIST, { 'content-type': type })).ask();
    for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.x+json'])
      assert.equal(await typed(type), 'a,b', type);
    for (const type of [
      'text/html',
      'text/plain',
      'application/json5',
      'text/x+json',
      'application/xml;a=application/json',
    ])
      assert.match(await typed(type), /captive portal/, type);
    assert.match(
      await world(() => json(new TextDecoder('latin1').decode(new Uint8Array([255])))).ask(),
      /not JSON/,
    );
  });

  test('leads to plain connections only where the user wrote so (R189)', async () => {
    const plain = { schema: 'mqtt-nodes/1', nodes: [{ id: 'p', urls: ['mqtt://p', 'ws://p'] }] };
    const used = (url: string, given: Partial<RegistryWorld> = {}) =>
      world(() => json(plain), given, url).ask();
    assert.match(await used('https://h/n'), /no node that can be used: p/);
    assert.equal(await used('https://h/n', { allowInsecure: true }), 'p');
    assert.equal(await used('http://127.0.0.1/n'), 'p');
    assert.equal(await used('https://h/n#scheme=ws'), 'p');
    assert.match(
      await used('https://h/n#scheme=ws', { schemes: new Set(['wss']) }),
      /no node that can be used/,
    );
  });
});

const JSON_HEADERS = { headers: { 'content-type': 'application/json' } };

describe('the next question', () => {
  test('comes after the smallest of what document, headers and user say (R53)', async () => {
    const life = async (
      ttl: number | undefined,
      headers: Record<string, string>,
      given: Partial<RegistryWorld> = {},
    ) => {
      const { resolver } = world(
        () => json(documentOf(['a'], ttl === undefined ? {} : { ttl }), headers),
        given,
      );
      return (await resolver.resolve(never)).ttlMs;
    };
    assert.equal(await life(undefined, {}), 30_000);
    assert.equal(await life(90, {}), 90_000);
    assert.equal(await life(1, {}), 5_000);
    assert.equal(await life(1e9, {}), 3_600_000);
    assert.equal(await life(90, { 'cache-control': 'public, max-age=60' }), 60_000);
    assert.equal(await life(90, { 'cache-control': 'max-age=60', age: '40' }), 20_000);
    assert.equal(await life(90, { 'cache-control': 'max-age=60', age: '400' }), 5_000);
    assert.equal(await life(30, { 'cache-control': 'max-age=600' }), 30_000);
    assert.equal(await life(30, { 'cache-control': 'no-cache' }), 5_000);
    assert.equal(await life(30, { 'cache-control': 'max-age=x', age: '-3' }), 30_000);
    assert.equal(await life(90, {}, { pollMs: 10_000 }), 10_000);
    assert.equal(await life(2, {}, { pollMs: 1_000 }), 1_000);
    assert.equal(await life(2, {}, { pollMs: 60_000 }), 5_000);
    assert.equal(await life(1e9, {}, { push: true }), 500_000);
  });

  test('is answered from the last answer within five seconds', async () => {
    const { clock, net, ask } = world(() => json(LIST));
    for (const at of [0, 4_999, 5_000]) {
      await clock.advance(clock.now() === 1_000_000 ? at : at - (clock.now() - 1_000_000));
      assert.equal(await ask(), 'a,b');
    }
    assert.deepEqual(
      net.requests.map(({ at }) => at - 1_000_000),
      [0, 5_000],
    );
  });

  test('waits as Retry-After asks, within a second and an hour (R54)', async () => {
    const rest = async (status: number, headers: Record<string, string>) => {
      const { clock, resolver } = world(() => bare(status, headers));
      clock.shiftWall(Date.UTC(2026, 10, 21, 7) - clock.wallNow());
      const error = await resolver.resolve(never).catch((each) => each);
      return error.retryAfterMs;
    };
    for (const status of [429, 503]) {
      assert.equal(await rest(status, { 'retry-after': '7' }), 7_000);
      assert.equal(await rest(status, { 'retry-after': 'Sat, 21 Nov 2026 07:00:30 GMT' }), 30_000);
      assert.equal(await rest(status, { 'retry-after': 'Sat, 21 Nov 2020 07:00:30 GMT' }), 1_000);
      assert.equal(await rest(status, { 'retry-after': '0' }), 1_000);
      assert.equal(await rest(status, { 'retry-after': '1000000000' }), 3_600_000);
      assert.equal(await rest(status, { 'retry-after': 'soon' }), 1_500);
    }
    assert.equal(await rest(500, { 'retry-after': '7' }), 1_500);
  });

  test('is not sent while the registry rests; the rest grows, and is forgotten with success', async () => {
    let down = true;
    const { clock, net, ask } = world(() => (down ? bare(500) : json(LIST)), {
      random: fixedRandom(0.999_999),
    });
    for (let second = 0; second < 60; second++) {
      assert.equal(await ask(), 'https://h.test/nodes.json: HTTP 500');
      await clock.advance(1_000);
    }
    const gaps = net.requests.slice(1).map(({ at }, i) => Math.round((at - net.requests[i]!.at) / 1_000));
    assert.deepEqual(gaps, [2, 3, 5, 9, 17]);
    down = false;
    await clock.advance(60_000);
    assert.equal(await ask(), 'a,b');
    down = true;
    await clock.advance(60_000);
    await ask();
    const failed = net.requests.length;
    await clock.advance(2_000);
    await ask();
    assert.equal(net.requests.length, failed + 1);
  });
});

describe('a clock that shows 1970, and is set later', () => {
  const YEARS_MS = Date.UTC(2026, 10, 21, 7);
  const GENERATED = '2026-11-21T07:00:00Z';

  test('moves neither the next question nor a rest', async () => {
    let status = 200;
    const { clock, net, ask, resolver } = world(() =>
      status === 200 ? json(LIST, { 'cache-control': 'max-age=60' }) : bare(503, { 'retry-after': '30' }),
    );
    clock.shiftWall(-clock.wallNow());
    assert.equal((await resolver.resolve(never)).ttlMs, 60_000);
    clock.shiftWall(YEARS_MS);
    assert.equal(await ask(), 'a,b');
    assert.equal(net.requests.length, 1);
    status = 503;
    await clock.advance(5_000);
    clock.shiftWall(-YEARS_MS);
    assert.match(await ask(), /HTTP 503/);
    clock.shiftWall(YEARS_MS);
    await clock.advance(29_999);
    assert.match(await ask(), /HTTP 503/);
    assert.equal(net.requests.length, 2);
    status = 200;
    await clock.advance(1);
    assert.equal(await ask(), 'a,b');
  });

  test('does not make an hour of a Retry-After date that is half a minute away', async () => {
    const headers = {
      'retry-after': 'Sat, 21 Nov 2026 07:00:30 GMT',
      date: 'Sat, 21 Nov 2026 07:00:00 GMT',
    };
    const { clock, resolver } = world(() => bare(503, headers));
    clock.shiftWall(-clock.wallNow());
    assert.equal((await resolver.resolve(never).catch((error) => error)).retryAfterMs, 30_000);
  });

  test('is named where the certificate of the registry is not valid yet, and the list comes once it is set', async () => {
    const notYet = new TypeError('fetch failed', {
      cause: Object.assign(new Error('certificate is not yet valid'), { code: 'CERT_NOT_YET_VALID' }),
    });
    const { clock, ask } = world(() =>
      clock.wallNow() < YEARS_MS
        ? Promise.reject(notYet)
        : json(documentOf(['a'], { generatedAt: GENERATED })),
    );
    clock.shiftWall(-clock.wallNow());
    assert.equal(
      await ask(),
      'https://h.test/nodes.json: CERT_NOT_YET_VALID: does the clock of this machine show the right day?',
    );
    clock.shiftWall(YEARS_MS);
    await clock.advance(30_000);
    assert.equal(await ask(), 'a');
  });
});

describe('several registry URLs', () => {
  const THREE = 'https://a.test,b.test,c.test/n';
  const host = ({ url }: SeenRequest) => new URL(url).hostname[0];

  test('are tried from a random one on, and the one that answers stays (R61)', async () => {
    for (const [random, order] of [
      [0, 'abc'],
      [0.5, 'bc'],
      [0.9, 'c'],
    ] as const) {
      const answer = (request: SeenRequest) => (host(request) === 'c' ? json(LIST) : bare(500));
      const { clock, net, ask } = world(answer, { random: fixedRandom(random) }, THREE);
      assert.equal(await ask(), 'a,b');
      await clock.advance(60_000);
      assert.equal(await ask(), 'a,b');
      assert.equal(net.requests.map(host).join(''), `${order}c`);
    }
  });

  test('rest each by itself, and fail together with a reason for each', async () => {
    const answer = (request: SeenRequest) =>
      host(request) === 'a'
        ? bare(503, { 'retry-after': '100' })
        : Promise.reject(new TypeError('fetch failed'));
    const { clock, net, ask } = world(answer, { random: fixedRandom(0) }, THREE);
    assert.equal(
      await ask(),
      'https://a.test/n: HTTP 503; https://b.test/n: fetch failed; https://c.test/n: fetch failed',
    );
    await clock.advance(1_000);
    await ask();
    assert.equal(net.requests.map(host).join(''), 'abcbc');
    await clock.advance(99_000);
    await ask();
    assert.equal(net.requests.map(host).join(''), 'abcbcabc');
  });
});

describe('headers of the user', () => {
  test('are asked for at every request, and once more after 401 (R59)', async () => {
    const reasons: string[] = [];
    const headers = async ({ reason }: { reason: string }) => {
      reasons.push(reason);
      return { authorization: `Bearer ${reasons.length}` };
    };
    const accepts = (request: SeenRequest) => request.headers.get('authorization') === 'Bearer 2';
    const { clock, ask, net } = world((request) => (accepts(request) ? json(LIST) : bare(401)), { headers });
    assert.equal(await ask(), 'a,b');
    assert.deepEqual(reasons, ['attempt', 'refused']);
    await clock.advance(60_000);
    assert.match(await ask(), /HTTP 401: the registry refuses us/);
    assert.deepEqual(reasons, ['attempt', 'refused', 'attempt', 'refused']);
    // The slow lane: a minute at least.
    await clock.advance(59_999);
    await ask();
    assert.equal(net.requests.length, 4);
    await clock.advance(900_000);
    await ask();
    assert.equal(net.requests.length, 6);
  });

  test('that are fixed, or refused with 403, are not asked for again', async () => {
    for (const [status, headers] of [
      [401, { authorization: 'x' }],
      [403, async () => ({ authorization: 'x' })],
    ] as const) {
      const { clock, net, ask } = world(() => bare(status), { headers });
      await ask();
      await clock.advance(59_000);
      await ask();
      assert.equal(net.requests.length, 1);
    }
  });

  test('that cannot be had fail the question without showing them', async () => {
    const failing: RegistryWorld['headers'][] = [
      async () => {
        throw new Error('vault is sealed');
      },
      () => ({ authorization: 'hunter2\n' + '\u0000' }),
      () => 'hunter2' as never,
    ];
    for (const headers of failing) {
      const { net, resolver } = world(() => json(LIST), { headers });
      const error = await resolver.resolve(never).catch((each) => each);
      assert.match(error.message, /option `discovery.registry.headers`/);
      assert.doesNotMatch(`${error.stack}${error.cause}`, /hunter2/);
      assert.equal(net.requests.length, 0);
    }
    const { clock, resolver } = world(() => json(LIST), { headers: () => new Promise(() => {}) });
    const asked = assert.rejects(resolver.resolve(never), /no complete answer within 5000 ms/);
    await clock.advance(5_000);
    await asked;
  });
});

test('an abandoned question leaves no timer and costs the registry no rest', async () => {
  const { clock, net, resolver, ask } = world(
    inTurn(
      () => new Promise<Response>(() => {}),
      () => json(LIST),
    ),
  );
  const abort = new AbortController();
  const asked = assert.rejects(resolver.resolve(abort.signal), { message: 'enough' });
  await settle();
  abort.abort(new Error('enough'));
  await asked;
  assert.deepEqual([clock.pending, net.requests[0]!.init.signal!.aborted], [0, true]);
  assert.equal(await ask(), 'a,b');
});

test('no-store is passed on to whoever keeps lists', async () => {
  const { resolver } = world(() => json(LIST, { 'cache-control': 'no-store' }));
  assert.equal((await resolver.resolve(never)).storable, false);
});
