/**
 * What tells us of brokers is outside data: DNS, registries in every format and by every way, topics, files.
 *
 * However it is damaged, it is read or refused with an error that was meant, nothing of it is dialed that the
 * configuration does not vouch for, and it costs bounded time and memory. World: the real parsers; nothing is opened.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe } from 'node:test';
import { parseBrokers } from '../../../src/brokers/parse.js';
import { Authorisation } from '../../../src/discovery/authorisation.js';
import { type DecodeMessage, finalAnswer, loadDecoder } from '../../../src/discovery/dns/decode.js';
import { DnsFailure } from '../../../src/discovery/dns/dns-failure.js';
import { DohResolver } from '../../../src/discovery/dns/doh.js';
import { compareReply, encodeQuery } from '../../../src/discovery/dns/message.js';
import { parseResolvConf } from '../../../src/discovery/dns/resolv-conf.js';
import { parseDnsServer, showDnsServer } from '../../../src/discovery/dns/server-address.js';
import { srvEndpoints } from '../../../src/discovery/dns/srv-endpoints.js';
import { srvName } from '../../../src/discovery/dns/srv-name.js';
import { checkAllowedHosts, isUnder, matches } from '../../../src/discovery/host-policy.js';
import { LastKnownGood } from '../../../src/discovery/last-known-good.js';
import { etcdWatch } from '../../../src/discovery/registry/etcd-watch.js';
import { eventStream } from '../../../src/discovery/registry/event-stream.js';
import { freshness, pollAfterMs } from '../../../src/discovery/registry/freshness.js';
import { RegistryHttp } from '../../../src/discovery/registry/http.js';
import { longPoll } from '../../../src/discovery/registry/long-poll.js';
import type { Channel } from '../../../src/discovery/registry/push.js';
import { readTopology } from '../../../src/discovery/registry/read-topology.js';
import { RegistrySource } from '../../../src/discovery/registry/registry-source.js';
import { readTargets } from '../../../src/discovery/registry/target.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { createEndpoint, type Endpoint, type Scheme } from '../../../src/endpoint.js';
import type { Fetch } from '../../../src/platform/ports.js';
import { parseRetryAfter } from '../../../src/platform/retry-after.js';
import { cname, encodeReply, soa, srv } from '../../support/dns-messages.js';
import {
  fuzz,
  isOptionError,
  keepsSecret,
  MESSAGE_LENGTH,
  type Mutator,
  refusable,
  type Verdict,
} from '../../support/fuzz.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const DOMAIN = 'example.test';
const NAME = `_secure-mqtt._tcp.${DOMAIN}`;
const SCHEMES: ReadonlySet<Scheme> = new Set(['mqtt', 'mqtts', 'ws', 'wss']);
const SECURE: ReadonlySet<Scheme> = new Set(['mqtts', 'wss']);

const golden = (name: string) =>
  readFileSync(new URL(`../../golden/registry/${name}.json`, import.meta.url), 'utf8');
const DOCUMENT = {
  schema: 'mqtt-nodes/1',
  revision: '841',
  generatedAt: '2026-11-21T07:00:00Z',
  ttl: 30,
  staleFor: 604_800,
  spreadMs: 5_000,
  nodes: [
    {
      id: 'n1',
      urls: [`mqtts://n1.${DOMAIN}:8883`, `wss://n1.${DOMAIN}/mqtt`],
      priority: 2,
      weight: 100,
      zone: 'eu-1a',
      state: 'draining',
      load: 0.42,
      since: '2026-11-20T12:00:00Z',
      drainBy: '2026-11-21T07:10:00Z',
      limits: { maxQoS: 2 },
    },
    { id: 'n2', urls: [`mqtts://n2.${DOMAIN}`] },
    { id: 'n3', urls: ['mqtt://evil.example', 'mqtts://[2001:db8::1]:8883'] },
  ],
};
const ANSWERS: readonly object[] = [
  DOCUMENT,
  ...['consul', 'etcd', 'kubernetes', 'emqx', 'eureka', 'envoy'].map((name) => JSON.parse(golden(name))),
];
const ANSWER_TEXTS = ANSWERS.map((each) => JSON.stringify(each));

/** An answer in one of the formats, damaged as text or as what the text means. */
function answerText(mutator: Mutator): string {
  return mutator.chance(0.5) ? mutator.text(ANSWER_TEXTS) : (JSON.stringify(mutator.value(ANSWERS)) ?? '');
}

/** What of `endpoints` may be dialed is what an independent reading of the configuration vouches for. */
function assertAuthorised(endpoints: readonly Endpoint[], brokers: string, vouched = [DOMAIN]): void {
  const authorisation = new Authorisation({
    brokers: parseBrokers(brokers),
    allowedHosts: undefined,
    allowInsecure: false,
    dnsHosts: [],
    addressScope: undefined,
  });
  assert.ok(endpoints.length <= 2_048, `${endpoints.length} endpoints`);
  assert.equal(new Set(endpoints.map(({ id }) => id)).size, endpoints.length, 'ids are distinct');
  for (const endpoint of endpoints) {
    const { host, port, scheme, url, priority, weight } = endpoint;
    assert.ok(Number.isInteger(port) && port >= 1 && port <= 65_535, `port ${port}`);
    assert.ok(Number.isInteger(priority) && priority >= 0 && weight >= 0 && weight <= 65_535);
    assert.deepEqual(endpoint.options, {}, 'what a stranger says is no option of MQTT.js');
    // What was judged is what would be dialed: no two readers of the name disagree.
    const read = new URL(url.replace(/^[a-z]+/, 'http'));
    assert.equal(read.hostname.replace(/^\[|\]$/g, ''), host, 'one reading of the host');
    assert.equal(Number(read.port || 80), port);
    if (authorisation.refusal(endpoint) !== undefined) continue;
    assert.ok(
      vouched.some((each) => host === each || host.endsWith(`.${each}`)),
      `${host} may be dialed`,
    );
    assert.ok(SECURE.has(scheme), `${scheme} to ${host} may be dialed`);
  }
}

let decode: DecodeMessage;
before(async () => {
  decode = await loadDecoder();
});

const QUERY = encodeQuery(0, NAME, false);
const REPLIES: readonly Uint8Array[] = [
  encodeReply(QUERY, { answers: [srv(NAME, `a.${DOMAIN}`), srv(NAME, 'a.evil.example', { port: 1 })] }),
  encodeReply(QUERY, {
    answers: [cname(NAME, 'b.test'), srv('b.test', `c.${DOMAIN}`), srv('b.test', `d.${DOMAIN}`)],
  }),
  encodeReply(QUERY, { rcode: 3, authorities: [soa(DOMAIN, 9, 9)] }),
  encodeReply(QUERY, {
    answers: [{ type: 'TXT', name: NAME, data: ['x', 'y'] }, srv(NAME, `e.${DOMAIN}`)],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 9, flags: 0, options: [] } as never],
  }),
  encodeReply(QUERY, { answers: [srv(NAME, '.')] }),
];

const isDnsFailure = (error: unknown) => error instanceof DnsFailure;

describe('damaged DNS', () => {
  fuzz('messages', (mutator) => {
    const message = mutator.bytes(REPLIES);
    compareReply(QUERY, message);
    return refusable(
      () => decode(message),
      (error) => error instanceof DnsFailure && error.reason === 'malformed',
    );
  });

  fuzz('messages become authorised endpoints', (mutator) => {
    const message = mutator.bytes(REPLIES);
    return refusable(() => {
      const answer = finalAnswer(decode(message), 'server');
      const source = { name: NAME, scheme: 'mqtts', path: '' } as const;
      const { endpoints, ttlMs } = srvEndpoints(source, answer, (host) => isUnder(DOMAIN, host));
      assert.ok(ttlMs >= 0 && ttlMs < 2 ** 31 * 1_000);
      assertAuthorised(endpoints, `mqtts+srv://${DOMAIN}`);
      for (const { host } of endpoints) assert.ok(host.endsWith(`.${DOMAIN}`), host);
    }, isDnsFailure);
  });

  fuzz(
    'answers over HTTPS',
    (mutator) => {
      const doh = new DohResolver({
        url: new URL('https://dns.test/q'),
        fetch: async () => response(mutator, mutator.bytes(REPLIES), DOH_HEADERS),
        clock: new VirtualClock(),
      });
      return refusable(async () => {
        const { records, negativeTtlMs = 0 } = await doh.query(NAME, new AbortController().signal);
        for (const { ttlMs } of records) assert.ok(ttlMs >= 0 && Number.isFinite(ttlMs));
        assert.ok(negativeTtlMs >= 0);
      }, isDnsFailure);
    },
    { cost: 2 },
  );

  fuzz('questions are what was asked, for any domain', (mutator) => {
    const domain = mutator.text([
      'example.test',
      'a.b.example.test',
      'bücher.example',
      'xn--bcher-kva.example',
    ]);
    return refusable(() => {
      const name = srvName('secure-mqtt', domain);
      const query = encodeQuery(mutator.below(65_536), name, mutator.chance(0.5));
      assert.equal(compareReply(query, encodeReply(query, {})), 'exact');
    }, isOptionError);
  });

  fuzz(
    'resolv.conf',
    (mutator) => {
      const { servers, timeoutMs, attempts } = parseResolvConf(mutator.text(RESOLV_CONFS));
      assert.ok(servers.length >= 1 && servers.length <= 3);
      assert.ok(timeoutMs >= 1_000 && timeoutMs <= 30_000 && attempts >= 1 && attempts <= 5);
      for (const server of servers) assert.deepEqual(parseDnsServer(showDnsServer(server), 'x'), server);
      return 'taken';
    },
    { refusesNothing: true },
  );

  fuzz('addresses of servers', (mutator) =>
    refusable(() => {
      const server = parseDnsServer(mutator.text(SERVERS), 'discovery.dns.servers');
      assert.deepEqual(parseDnsServer(showDnsServer(server), 'x'), server, 'it reads what it shows');
    }, isOptionError),
  );

  fuzz('allowed hosts', (mutator) =>
    refusable(() => {
      const [entry = ''] = checkAllowedHosts([
        mutator.text(['broker.example.com', '*.example.com', '[::1]']),
      ]);
      assert.doesNotMatch(entry, /[\s/?#@\\]/);
      assert.ok(!matches([entry], 'evil.test') || /evil\.test$|^\*\.test$/.test(entry), entry);
    }, isOptionError),
  );
});

const DOH_HEADERS = { 'content-type': ['application/dns-message'], age: ['0', '17', '999999999'] };
const RESOLV_CONFS = [
  'nameserver 192.0.2.53\nnameserver 2001:db8::53\noptions timeout:2 attempts:3 rotate\nsearch example.com\n',
  '# made by hand\nnameserver fe80::1%eth0\r\noptions ndots:5 timeout:99 edns0\n',
];
const SERVERS = [
  '192.0.2.53',
  '192.0.2.53:5353',
  '[2001:db8::53]:53',
  '2001:db8::53',
  'fe80::1%eth0',
  'dns:5353',
];

/** Stands for the platform's error when a connection breaks. */
class Terminated extends Error {}

/** An answer of HTTP with damaged headers, its body in pieces. */
function response(
  mutator: Mutator,
  body: Uint8Array,
  samples: Readonly<Record<string, readonly string[]>>,
  status = mutator.pick([200, 200, 200, 200, 204, 304, 404, 429, 500, 503]),
): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(samples)) {
    if (mutator.chance(0.1)) continue;
    try {
      headers.set(name, mutator.chance(0.7) ? mutator.pick(values) : mutator.text(values));
    } catch {
      // Not even a server could send it.
    }
  }
  const pieces = mutator.pieces(body);
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else if (mutator.chance(0.95)) controller.close();
      else controller.error(new Terminated());
    },
  });
  return new Response(status === 204 || status === 304 ? null : stream, { status, headers });
}

const JSON_HEADERS = {
  'content-type': ['application/json', 'application/json; charset=utf-8', 'text/html'],
  'cache-control': ['max-age=60', 'no-store', 'private, max-age="5", must-revalidate', 'no-cache'],
  age: ['0', '30', '9999999999'],
  etag: ['"x"', 'W/"y"'],
  'retry-after': ['120', 'Sat, 21 Nov 2026 07:28:00 GMT'],
  'x-consul-index': ['7', '18446744073709551615'],
};

const REGISTRY = `registry+https://registry.${DOMAIN}/nodes.json`;
const FRAGMENTS = ['', '#scheme=mqtts&port=8883', '#scheme=wss&path=/mqtt'] as const;

/** A registry source that is answered by `fetch`. */
function sourceOf(fetch: Fetch, clock: VirtualClock, fragment: string) {
  const http = new RegistryHttp({ fetch, clock, httpCache: false, headers: undefined });
  const bounds = { pollMs: undefined, maxMs: 3_600_000 };
  const [target] = readTargets(`${REGISTRY.slice('registry+'.length)}${fragment}`, { allowInsecure: false });
  const world = { http, clock, random: fixedRandom(0.5), bounds, schemes: SECURE };
  return { http, source: new RegistrySource({ target: target as never, ...world }) };
}

function assertSound(set: EndpointSet, brokers: string): void {
  const { endpoints, ttlMs, skipped = [], loads = new Map(), revision, generatedAt } = set;
  assert.ok(endpoints.length <= 1_000);
  assertAuthorised(endpoints, brokers);
  assert.ok(ttlMs === undefined || (ttlMs >= 0 && Number.isFinite(ttlMs)), `ttl ${ttlMs}`);
  assert.ok(generatedAt === undefined || Number.isFinite(generatedAt), `generated at ${generatedAt}`);
  assert.ok(revision === undefined || revision.length <= 256);
  for (const load of loads.values()) assert.ok(load >= 0 && load <= 1);
  for (const reason of skipped) assert.ok(reason.length < MESSAGE_LENGTH);
}

describe('a damaged registry', () => {
  fuzz(
    'answer',
    async (mutator) => {
      const clock = new VirtualClock();
      const text = () => new TextEncoder().encode(answerText(mutator));
      const answer: Fetch = async () => response(mutator, text(), JSON_HEADERS);
      const { source } = sourceOf(answer, clock, mutator.pick(FRAGMENTS));
      const ask = () =>
        refusable(async () => {
          const set = await source.ask(new AbortController().signal, false);
          assert.ok(set.ttlMs !== undefined && set.ttlMs >= 5_000 && set.ttlMs <= 3_600_000, `${set.ttlMs}`);
          assertSound(set, REGISTRY);
        });
      const [first, second] = [await ask(), await ask()];
      assert.ok(source.restMs >= 0 && source.restMs <= 3_600_000 && source.error.length < MESSAGE_LENGTH);
      return first === 'taken' ? first : second;
    },
    { cost: 4 },
  );

  fuzz('URL', (mutator) => {
    const text = mutator.text(REGISTRY_URLS);
    return refusable(
      () => {
        const parsed = parseBrokers(text);
        assert.ok(parsed.kind === 'registry' || parsed.kind === 'static');
        if (parsed.kind !== 'registry') return;
        for (const { url, shown } of readTargets(parsed.url, { allowInsecure: false })) {
          const { protocol, hostname, username, password } = new URL(url);
          assert.ok(
            protocol === 'https:' || /^(localhost|.*\.localhost|127\..*|\[::1\])$/.test(hostname),
            url,
          );
          assert.deepEqual([username, password], ['', '']);
          assert.ok(!shown.includes('?'), 'a token in the query is not shown');
        }
      },
      (error) => isOptionError(error) && keepsSecret(text, error as Error),
    );
  });

  fuzz(
    'event stream, however it is cut',
    async (mutator) => {
      const body = new TextEncoder().encode(mutator.text(EVENT_STREAMS));
      const [first, second] = [
        await streamed(mutator, body, eventStream),
        await streamed(mutator, body, eventStream),
      ];
      assert.deepEqual(first, second, 'where the pieces end makes no difference');
      return first.lists > 0 ? 'taken' : 'refused';
    },
    { cost: 4, slowestMs: 500 },
  );

  fuzz(
    'watch of etcd, however it is cut',
    async (mutator) => {
      const body = new TextEncoder().encode(mutator.text(WATCHES));
      const [first, second] = [
        await streamed(mutator, body, etcdWatch),
        await streamed(mutator, body, etcdWatch),
      ];
      assert.deepEqual(first, second);
      return first.offers > 0 ? 'taken' : 'refused';
    },
    { cost: 4 },
  );

  fuzz(
    'long poll',
    async (mutator) => {
      const clock = new VirtualClock();
      let asked = 0;
      const answer: Fetch = async () => {
        asked += 1;
        const text = new TextEncoder().encode(answerText(mutator));
        return response(mutator, text, JSON_HEADERS, asked <= 2 ? 200 : 500);
      };
      const { source, http } = sourceOf(answer, clock, '');
      const memory = { lastEventId: undefined, retryMs: 1_000 };
      let verdict: Verdict = 'refused';
      const offer = (read: () => EndpointSet | Promise<EndpointSet>) => {
        void refusable(async () => assertSound(await read(), REGISTRY)).catch((error) => {
          violation ??= error;
        });
        verdict = 'taken';
      };
      let violation: unknown;
      const { signal } = new AbortController();
      const polled = refusable(() => longPoll({ source, http, clock, memory, signal, offer }));
      await clock.advance(3_000, () => new Promise((resolve) => setImmediate(resolve)));
      assert.equal(await polled, 'refused', 'it ends by failing');
      if (violation) throw violation;
      return verdict;
    },
    { cost: 4, slowestMs: 200 },
  );

  fuzz('set of headers', (mutator) => {
    const given = (samples: readonly string[]) => mutator.text(samples);
    const values = {
      'cache-control': given(JSON_HEADERS['cache-control']),
      age: given(JSON_HEADERS.age),
      'retry-after': given(JSON_HEADERS['retry-after']),
      date: given(JSON_HEADERS['retry-after']),
    };
    const headers = { get: (name: keyof typeof values) => values[name] } as unknown as Headers;
    const wall = mutator.pick([0, 1_795_000_000_000, -1, 8.64e15]);
    const { maxAgeMs } = freshness(headers);
    assert.ok(maxAgeMs === undefined || (maxAgeMs >= 0 && Number.isFinite(maxAgeMs)));
    const poll = pollAfterMs(undefined, maxAgeMs, { pollMs: undefined, maxMs: 3_600_000 });
    assert.ok(poll >= 5_000 && poll <= 3_600_000);
    const ms = parseRetryAfter(values['retry-after'], values.date, wall);
    assert.ok(ms === undefined || (ms >= 1_000 && ms <= 3_600_000), `${ms}`);
    return ms === undefined ? 'refused' : 'taken';
  });

  fuzz('document of a topic', (mutator) => {
    const payload = mutator.chance(0.5)
      ? new TextEncoder().encode(mutator.text(ANSWER_TEXTS.slice(0, 1)))
      : mutator.bytes([new TextEncoder().encode(ANSWER_TEXTS[0])]);
    return refusable(() => assertSound(readTopology(payload, SCHEMES), `mqtts://seed.${DOMAIN}`));
  });
});

const REGISTRY_URLS = [
  `registry+https://registry.${DOMAIN}/nodes.json?token=canary`,
  'registry+https://a.example,b.example:8443/v3/kv/range?prefix=/mqtt/',
  'registry+http://127.0.0.1:8500/v1/health/service/mqtt#scheme=wss&port=443&path=/mqtt',
  'registry+https://[2001:db8::1]/x',
];
const PUSHED = JSON.stringify(DOCUMENT);
const EVENT_STREAMS = [
  `: hello\n\nid: 7\ndata: ${PUSHED}\n\nretry: 2000\nevent: ping\ndata: x\n\ndata: ${PUSHED}\n\n`,
  `data: ${JSON.stringify(DOCUMENT, undefined, 1).replaceAll('\n', '\r\ndata: ')}\r\n\r\nid\r\nretry: 99999999\r\n\r\n`,
];
const WATCHES = [
  '{"result":{"header":{"revision":"5"},"created":true}}\n{"result":{"events":[{"type":"PUT"}]}}\n',
  '{"result":{"header":{},"created":true}}\n\n{"result":{"canceled":true}}\n{"error":{"grpc_code":11}}\n',
];

/** What came of one stream: how it ended, and what was offered. */
async function streamed(mutator: Mutator, body: Uint8Array, channel: Channel) {
  const clock = new VirtualClock();
  const pieces = mutator.pieces(body);
  const type = channel === eventStream ? 'text/event-stream' : 'application/json';
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
  const answer: Fetch = async () => new Response(stream, { headers: { 'content-type': type } });
  const { http } = sourceOf(answer, clock, '');
  const url = `https://registry.${DOMAIN}/v3/kv/range?prefix=/mqtt/`;
  const [target] = readTargets(channel === eventStream ? REGISTRY.slice('registry+'.length) : url, {
    allowInsecure: false,
  });
  const bounds = { pollMs: undefined, maxMs: 3_600_000 };
  const world = { http, clock, random: fixedRandom(0.5), bounds, schemes: SECURE };
  const source = new RegistrySource({ target: target as never, ...world });
  const memory = { lastEventId: undefined as string | undefined, retryMs: 1_000 };
  const { signal } = new AbortController();
  const seen = { offers: 0, lists: 0, ended: 'refused' };
  const reads: (() => EndpointSet | Promise<EndpointSet>)[] = [];
  seen.ended = await refusable(() =>
    channel({ source, http, clock, memory, signal, offer: (read) => void reads.push(read) }),
  );
  seen.offers = reads.length;
  if (channel === eventStream) {
    for (const read of reads)
      if ((await refusable(async () => assertSound(await read(), REGISTRY))) === 'taken') seen.lists += 1;
  }
  assert.ok(memory.retryMs >= 1_000 && memory.retryMs <= 300_000);
  // It goes into a header of the next request.
  if (memory.lastEventId !== undefined) new Headers({ 'last-event-id': memory.lastEventId });
  assert.equal(clock.pending, 0, 'no deadline is left');
  return { ...seen, ...memory };
}

describe('a damaged last known good list', () => {
  const WALL = 1_795_000_000_000;

  fuzz(
    'is no list',
    async (mutator) => {
      const text = mutator.text(await recordTexts());
      const store = { read: async () => text, write: async () => {} };
      const set = await new LastKnownGood(store, 'key', new VirtualClock(0, WALL)).load();
      if (!set) return 'refused';
      assertSound(set, REGISTRY);
      return 'taken';
    },
    { cost: 2 },
  );

  fuzz(
    'comes back as it was written, when it is whole',
    async (mutator): Promise<Verdict> => {
      let text: string | undefined;
      const write = async (_: string, given: string) => {
        text = given;
      };
      const kept = new LastKnownGood({ read: async () => text, write }, 'key', new VirtualClock(0, WALL));
      const endpoints = Array.from({ length: 1 + mutator.below(4) }, (_, n) =>
        createEndpoint(
          {
            id: `${n}${mutator.pick(['', ' ', '"', 'ü', '__proto__', '😀'])}`,
            scheme: mutator.pick(['mqtt', 'mqtts', 'ws', 'wss'] as const),
            authority: mutator.pick([
              'a.example.test',
              '[2001:db8::1]:1884',
              '192.0.2.1:65535',
              'bücher.test',
            ]),
            path: mutator.pick(['', '/mqtt', '/a/b']),
            priority: mutator.below(65_536),
            weight: mutator.below(65_536),
            zone: mutator.pick([undefined, 'z']),
            state: mutator.pick(['up', 'draining', 'down'] as const),
            since: mutator.pick([undefined, WALL]),
            origin: mutator.pick(['srv', 'registry', 'topic', 'function'] as const),
          },
          'test',
        ),
      );
      await kept.save({ endpoints, source: 'registry', revision: '7' });
      assert.deepEqual((await kept.load())?.endpoints, endpoints);
      return 'taken';
    },
    { refusesNothing: true },
  );

  async function recordTexts(): Promise<string[]> {
    const texts: string[] = [];
    const write = async (_: string, text: string) => void texts.push(text);
    const kept = new LastKnownGood({ read: async () => undefined, write }, 'key', new VirtualClock(0, WALL));
    const init = { scheme: 'wss', origin: 'registry', zone: 'z', since: WALL } as const;
    const endpoints = ['a', 'b'].map((id) =>
      createEndpoint({ ...init, id, authority: `${id}.${DOMAIN}`, path: '/mqtt' }, 'test'),
    );
    await kept.save({ endpoints, source: 'registry', revision: '7' });
    await kept.save({ endpoints: endpoints.slice(0, 1), source: 'registry' });
    return texts;
  }
});
