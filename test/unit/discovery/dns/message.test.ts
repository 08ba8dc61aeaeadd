/** DNS messages from strangers: read when they are sound, refused with our own error when not, and never trusted. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { type DecodeMessage, loadDecoder } from '../../../../src/discovery/dns/decode.js';
import { DnsFailure } from '../../../../src/discovery/dns/dns-failure.js';
import { compareReply, encodeQuery, scanMessage } from '../../../../src/discovery/dns/message.js';
import { cname, encodeReply, readQuery, soa, srv } from '../../../support/dns-messages.js';

const NAME = '_mqtt._tcp.example.test';
const query = encodeQuery(0x1234, NAME, true);

let decode: DecodeMessage;
before(async () => {
  decode = await loadDecoder();
});

const malformed = (error: unknown) => error instanceof DnsFailure && error.reason === 'malformed';
const bytes = (...parts: (number | number[])[]) => Uint8Array.from(parts.flat());
/** Header of a response with so many questions, answers, authorities and additionals. */
const header = (...counts: number[]) => [0, 0, 0x80, 0, ...counts.flatMap((n) => [n >> 8, n & 0xff])];
const fixed = (type: number, klass: number, length: number) => [
  0,
  type,
  0,
  klass,
  0,
  0,
  0,
  9,
  length >> 8,
  length & 0xff,
];

describe('a question', () => {
  test('is what dns-packet reads: SRV of the name, recursion desired, EDNS0 of 1232 bytes or none (R30)', () => {
    assert.deepEqual(readQuery(query), { id: 0x1234, name: NAME, type: 'SRV', edns: 1232 });
    assert.equal(readQuery(encodeQuery(1, NAME, false)).edns, undefined);
    assert.ok(dnsPacket.decode(Buffer.from(query)).flag_rd);
  });
});

describe('a reply is one to our question', () => {
  const verdict = (reply: Parameters<typeof encodeReply>[1]) =>
    compareReply(query, encodeReply(query, reply));

  test('when id and question are the same, and not otherwise (R27)', () => {
    assert.equal(verdict({ answers: [srv(NAME, 'a.example.test')] }), 'exact');
    assert.equal(verdict({ idOffset: 1 }), 'no');
    assert.equal(verdict({ idOffset: 256 }), 'no');
    assert.equal(verdict({ question: { name: '_mqtt._tcp.example.tesu' } }), 'no');
    assert.equal(verdict({ question: { name: `${NAME}.evil` } }), 'no');
    assert.equal(verdict({ question: { type: 'A' } }), 'no');
    assert.equal(compareReply(query, query), 'no', 'a question is no reply');
    assert.equal(compareReply(query, new Uint8Array()), 'no');
    assert.equal(compareReply(query, bytes(0x12, 0x34, 0x80)), 'no');
  });

  test('in another letter case only by name (R29)', () => {
    assert.equal(verdict({ question: { name: NAME.toUpperCase() } }), 'case');
    const otherClass = Buffer.from(encodeReply(query, {}));
    otherClass[query.length - 12] = 0x21;
    assert.equal(compareReply(query, otherClass), 'no');
  });

  test('without a question only if it is a bare refusal of the format', () => {
    const bare = (rcode: number) => bytes(0x12, 0x34, 0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0);
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((rcode) => compareReply(query, bare(rcode))),
      ['no', 'exact', 'no', 'no', 'exact', 'no'],
    );
  });
});

describe('a sound reply', () => {
  test('gives its SRV records, aliases and the negative TTL, and nothing else (R8)', () => {
    const reply = encodeReply(query, {
      answers: [
        cname(NAME, '_mqtt._tcp.other.test', 60),
        srv('_mqtt._tcp.other.test', 'a.other.test', { ttl: 30, priority: 5, weight: 6, port: 7 }),
        { type: 'TXT', name: NAME, ttl: 9, class: 'IN', data: 'tls=false' },
        { type: 'A', name: NAME, ttl: 9, class: 'IN', data: '192.0.2.1' },
        { ...srv(NAME, 'chaos.test'), class: 'CH' } as never,
      ],
      authorities: [soa('example.test', 100, 40)],
      additionals: [srv(NAME, 'additional.example.test')],
    });
    assert.deepEqual(decode(reply), {
      rcode: 0,
      truncated: false,
      records: [
        { type: 'CNAME', name: NAME, ttlMs: 60_000, target: '_mqtt._tcp.other.test' },
        {
          ...{ type: 'SRV', name: '_mqtt._tcp.other.test', ttlMs: 30_000, priority: 5, weight: 6, port: 7 },
          target: 'a.other.test',
        },
      ],
      negativeTtlMs: 40_000,
    });
  });

  test('has its response code completed by EDNS, and its truncation told', () => {
    const opt = { type: 'OPT', name: '.', udpPayloadSize: 512, extendedRcode: 1, flags: 0, options: [] };
    const reply = encodeReply(query, { truncated: true, additionals: [opt as never] });
    assert.deepEqual([decode(reply).rcode, decode(reply).truncated], [16, true]);
    assert.equal(decode(encodeReply(query, { rcode: 3 })).rcode, 3);
  });

  test('with a TTL of 2^31 or more is worth nothing after now (RFC 2181 §8)', () => {
    const ttls = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    const { records } = decode(encodeReply(query, { answers: ttls.map((ttl) => srv(NAME, 'a', { ttl })) }));
    assert.deepEqual(
      records.map(({ ttlMs }) => ttlMs),
      [(2 ** 31 - 1) * 1_000, 0, 0],
    );
  });

  test('may hold a thousand records', () => {
    const answers = Array.from({ length: 1_000 }, (_, i) => srv('a', `n${i}.t`));
    assert.equal(decode(encodeReply(query, { answers })).records.length, 1_000);
  });
});

describe('an unsound reply (R34)', () => {
  const srvData = [0, 1, 0, 2, 0, 3];
  const cases: Record<string, Uint8Array> = {
    'is shorter than a header': bytes(0, 0, 0x80),
    'claims records that are not there': bytes(header(0, 5, 0, 0)),
    'claims 65535 records': bytes(header(0, 0xffff, 0, 0)),
    'claims records by the thousand in every section': bytes(header(0, 1_000, 1_000, 1_000)),
    'has two questions': bytes(header(2, 0, 0, 0), 0, 0, 33, 0, 1, 0, 0, 33, 0, 1),
    'has a name that points to itself': bytes(header(1, 0, 0, 0), 0xc0, 12, 0, 33, 0, 1),
    'has a name that points forwards': bytes(header(1, 0, 0, 0), 0xc0, 14, 0, 0, 33, 0, 1),
    'has a label type of the future': bytes(header(1, 0, 0, 0), 0x80, 1, 0, 0, 33, 0, 1),
    'has a name that ends in mid-air': bytes(header(1, 0, 0, 0), 5, 97, 98),
    'has a name of 256 bytes': bytes(
      header(1, 0, 0, 0),
      Array(4)
        .fill([63, ...Array(63).fill(97)])
        .flat(),
      0,
      0,
      33,
      0,
      1,
    ),
    'has a record cut off in its fixed part': bytes(header(0, 1, 0, 0), 0, 0, 33, 0, 1, 0, 0),
    'has a record cut off in its data': bytes(header(0, 1, 0, 0), 0, fixed(33, 1, 200), srvData),
    'has an SRV record without a target': bytes(header(0, 1, 0, 0), 0, fixed(33, 1, 6), srvData, 0),
    'has an SRV target that leaves its record': bytes(
      header(0, 1, 0, 0),
      0,
      fixed(33, 1, 7),
      srvData,
      1,
      97,
      0,
    ),
    'has an SRV record longer than its target': bytes(
      header(0, 1, 0, 0),
      0,
      fixed(33, 1, 9),
      srvData,
      0,
      0,
      0,
    ),
    'has an SOA record without its numbers': bytes(header(0, 0, 1, 0), 0, fixed(6, 1, 2), 0, 0),
  };
  for (const [what, message] of Object.entries(cases)) {
    test(`that ${what} is refused as malformed`, () => {
      assert.throws(() => scanMessage(message), malformed);
      assert.throws(() => decode(message), malformed);
    });
  }

  test('that makes names of names is given up after so many labels', () => {
    // One long name, and 2 000 aliases to it.
    const long = Array(120).fill([1, 97]).flat();
    const record = [0xc0, 12, ...fixed(5, 1, 2), 0xc0, 12];
    const message = bytes(header(1, 2_000, 0, 0), long, 0, 0, 33, 0, 1, Array(2_000).fill(record).flat());
    assert.throws(() => decode(message), malformed);
  });

  test('of more than 65535 bytes is refused', () => {
    assert.throws(() => scanMessage(new Uint8Array(65_536)), malformed);
  });

  test('is told from a sound one for any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (message) => {
        try {
          decode(message);
        } catch (error) {
          assert.ok(malformed(error), `${error}`);
        }
      }),
    );
  });
});
