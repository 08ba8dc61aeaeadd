/**
 * The stub resolver: what it asks whom, what it believes, and when it gives up.
 *
 * World: scripted servers behind the transport port, the virtual clock, dns-packet. Fake: sockets, resolv.conf.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { loadDecoder } from '../../../../src/discovery/dns/decode.js';
import type { DnsAnswer } from '../../../../src/discovery/dns/dns-query.js';
import { StubResolver } from '../../../../src/discovery/dns/stub-resolver.js';
import { type Reply, soa, srv } from '../../../support/dns-messages.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';
import { FakeDns, type Script, type Sent } from '../../fakes/fake-dns.js';

const NAME = '_mqtt._tcp.example.test';
const found: Reply = { answers: [srv(NAME, 'a.example.test')] };
const REFUSED = 5;

before(loadDecoder);

function world(servers?: readonly string[]) {
  const dns = new FakeDns();
  const clock = new VirtualClock();
  const given = servers?.map((host) => ({ host, port: 53 }));
  const stub = new StubResolver({ dns, clock, servers: given });
  const abort = new AbortController();
  const ask = () => {
    const outcome: { answer?: DnsAnswer; error?: Error & { reason?: string } } = {};
    const done = stub.query(NAME, abort.signal).then(
      (answer) => void Object.assign(outcome, { answer }),
      (error) => void Object.assign(outcome, { error }),
    );
    return { outcome, done };
  };
  return { dns, clock, stub, ask, abort };
}

const asked = ({ sent }: FakeDns) => sent.map(({ server }) => server.replace(':53', ''));

describe('a question', () => {
  test('is one question for one absolute name, whatever search and ndots say (R6)', async () => {
    const { dns, ask } = world();
    dns.conf = 'nameserver 192.0.2.9\nsearch evil.test\noptions ndots:5\n';
    dns.answer = () => found;
    const { outcome, done } = ask();
    await done;
    assert.deepEqual(
      dns.sent.map(({ via, server, name, type, edns }) => [via, server, name.toLowerCase(), type, edns]),
      [['udp', '192.0.2.9:53', NAME, 'SRV', 1232]],
    );
    assert.deepEqual(
      [outcome.answer?.server, outcome.answer?.exists, outcome.answer?.records.length],
      ['192.0.2.9:53', true, 1],
    );
  });

  test('has an id and letter cases that nobody can guess (R28, R29)', async () => {
    const { dns, ask } = world(['s']);
    dns.answer = () => found;
    const rounds = 10_000;
    for (let i = 0; i < rounds; i++) await ask().done;
    // Chi-square with 255 degrees of freedom, for each byte of the id: above 380 once in 10^6 honest runs.
    for (const shift of [0, 8]) {
      const counts = new Array<number>(256).fill(0);
      for (const { id } of dns.sent) counts[(id >> shift) & 0xff]! += 1;
      const chi = counts.reduce((sum, n) => sum + (n - rounds / 256) ** 2 / (rounds / 256), 0);
      assert.ok(chi < 380, `chi-square ${chi}`);
    }
    const letters = [...NAME].filter((letter) => /[a-z]/.test(letter)).length;
    const upper = dns.sent.reduce((sum, { name }) => sum + name.replace(/[^A-Z]/g, '').length, 0);
    assert.ok(Math.abs(upper / (rounds * letters) - 0.5) < 0.01, `${upper} upper-case letters`);
  });
});

describe('a reply', () => {
  test('is waited for while a thousand forged ones come (R27)', async () => {
    const { dns, ask } = world(['s']);
    const forged: Reply = { answers: [srv(NAME, 'evil.test')] };
    const lies = [{ idOffset: 1 }, { question: { name: 'evil.test' } }, { question: { type: 'A' } }] as const;
    dns.answer = () => [...Array.from({ length: 1_000 }, (_, i) => ({ ...forged, ...lies[i % 3] })), found];
    const { outcome, done } = ask();
    await done;
    assert.equal(dns.ignored, 1_000);
    assert.equal(outcome.answer?.records[0]?.target, 'a.example.test');
  });

  test('that is truncated is never used: the same server is asked over TCP (R31)', async () => {
    const { dns, ask } = world(['s', 't']);
    dns.answer = ({ via }) =>
      via === 'tcp' ? found : { truncated: true, answers: [srv(NAME, 'partial.test')] };
    const { outcome, done } = ask();
    await done;
    assert.deepEqual(
      dns.sent.map(({ via, server }) => `${via} ${server}`),
      ['udp s:53', 'tcp s:53'],
    );
    assert.deepEqual(
      outcome.answer?.records.map(({ target }) => target),
      ['a.example.test'],
    );
    assert.notEqual(dns.sent[0]?.id, dns.sent[1]?.id);
  });

  test('in another letter case is confirmed over TCP, where it is good (R29)', async () => {
    const { dns, ask } = world(['s']);
    dns.answer = ({ name }) => ({ ...found, question: { name: name.toLowerCase() } });
    const { outcome, done } = ask();
    await done;
    assert.deepEqual(
      dns.sent.map(({ via }) => via),
      ['udp', 'tcp'],
    );
    assert.equal(outcome.answer?.records.length, 1);
  });

  test('over TCP counts only if it is to our question, and whole', async () => {
    for (const [wrong, message] of [
      [{ idOffset: 1 }, 's:53: the reply over TCP is to another question'],
      [{ truncated: true }, 's:53: the reply is truncated even over TCP'],
    ] as const) {
      const { dns, ask } = world(['s']);
      dns.answer = ({ via }) => (via === 'udp' ? { truncated: true } : wrong);
      const { outcome, done } = ask();
      await done;
      assert.equal(outcome.error?.message, message);
    }
  });

  test('that dislikes EDNS is followed by one question without it (R30)', async () => {
    const badVers = {
      additionals: [
        { type: 'OPT', name: '.', udpPayloadSize: 512, extendedRcode: 1, flags: 0, options: [] } as never,
      ],
    };
    for (const dislike of [{ rcode: 1 }, { rcode: 4 }, badVers]) {
      const { dns, ask } = world(['s']);
      dns.answer = ({ edns }) => (edns ? dislike : found);
      const { outcome, done } = ask();
      await done;
      assert.deepEqual(
        dns.sent.map(({ edns }) => edns),
        [1232, undefined],
      );
      assert.equal(outcome.answer?.exists, true);
    }
    const { dns, ask } = world(['s']);
    dns.answer = () => ({ rcode: 1 });
    const { outcome, done } = ask();
    await done;
    assert.equal(outcome.error?.message, 's:53 answered FORMERR');
    assert.equal(dns.sent.length, 4, 'two attempts, each with and without');
  });

  test('of NOERROR or NXDOMAIN is final, also without records (R32)', async () => {
    for (const rcode of [0, 3]) {
      const { dns, ask } = world(['s', 't']);
      dns.answer = () => ({ rcode, authorities: [soa('example.test', 60, 30)] });
      const { outcome, done } = ask();
      await done;
      assert.deepEqual(asked(dns), ['s']);
      assert.deepEqual([outcome.answer?.exists, outcome.answer?.negativeTtlMs], [rcode === 0, 30_000]);
    }
  });
});

describe('servers', () => {
  test('are asked in order, the next one when one cannot tell (R32)', async () => {
    const bad: Script[] = [{ rcode: 2 }, { rcode: REFUSED }, new Error('ECONNREFUSED'), Buffer.alloc(9)];
    for (const failure of bad.slice(0, 3)) {
      const { dns, ask } = world(['s', 't']);
      dns.answer = ({ server }) => (server === 's:53' ? failure : found);
      const { outcome, done } = ask();
      await done;
      assert.deepEqual(asked(dns), ['s', 't']);
      assert.equal(outcome.answer?.server, 't:53');
    }
  });

  test('that are silent are left after the timeout, with their sockets closed', async () => {
    const { dns, clock, ask } = world();
    dns.conf = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions timeout:2';
    dns.answer = ({ server }) => (server === '192.0.2.1:53' ? 'silent' : found);
    const { outcome, done } = ask();
    await clock.advance(1_999);
    assert.deepEqual([asked(dns), dns.open], [['192.0.2.1'], 1]);
    await clock.advance(1);
    await done;
    assert.deepEqual([outcome.answer?.server, dns.open, clock.pending], ['192.0.2.2:53', 0, 0]);
  });

  test('that all fail are asked again as often as configured, and then each is named', async () => {
    const { dns, ask } = world();
    dns.conf = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions attempts:3';
    dns.answer = ({ server }) =>
      server === '192.0.2.1:53' ? { rcode: 2 } : new Error('connect ECONNREFUSED');
    const { outcome, done } = ask();
    await done;
    assert.equal(dns.sent.length, 6);
    assert.equal(
      outcome.error?.message,
      '192.0.2.1:53 answered SERVFAIL; 192.0.2.2:53: connect ECONNREFUSED',
    );
  });

  test('take ten seconds together at most, and each gets its turn (R32)', async () => {
    const { dns, clock, ask } = world();
    dns.conf =
      'nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\noptions timeout:30 attempts:5';
    const startedAt = clock.now();
    const { outcome, done } = ask();
    await clock.advance(60_000);
    await done;
    assert.deepEqual(new Set(asked(dns)).size, 3);
    assert.match(
      outcome.error?.message ?? '',
      /^192\.0\.2\.1:53 did not answer within 3167 ms; .*2:53.*; .*3:53/,
    );
    assert.equal(outcome.error?.reason, 'timeout');
    const times = dns.sent.length;
    assert.ok(times <= 4, `${times} questions in ${clock.now() - startedAt} ms`);
    assert.deepEqual([dns.open, clock.pending], [0, 0]);
  });

  test('are those that resolv.conf names at the time of the question (R32)', async () => {
    const { dns, ask } = world();
    dns.answer = () => found;
    for (const conf of [undefined, 'nameserver 192.0.2.1', 'nameserver 192.0.2.2']) {
      dns.conf = conf;
      await ask().done;
    }
    assert.deepEqual(asked(dns), ['127.0.0.1', '192.0.2.1', '192.0.2.2']);
  });

  test('take turns with rotate', async () => {
    const { dns, ask } = world();
    dns.conf = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions rotate';
    dns.answer = () => found;
    for (let i = 0; i < 3; i++) await ask().done;
    assert.deepEqual(asked(dns), ['192.0.2.1', '192.0.2.2', '192.0.2.1']);
  });
});

describe('giving up', () => {
  test('ends the question at once and leaves nothing', async () => {
    const { dns, clock, ask, abort } = world(['s', 't']);
    const { outcome, done } = ask();
    await settle();
    abort.abort(new Error('enough'));
    await done;
    assert.deepEqual([outcome.error?.message, dns.open, clock.pending], ['enough', 0, 0]);
    assert.equal(dns.sent.length, 1 satisfies number as Sent[]['length']);
  });
});
