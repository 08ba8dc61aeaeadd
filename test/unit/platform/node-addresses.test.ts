/** Which addresses Node dials, as the application's socket options have it. Fake: the look-up. */
import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { addressesOf, pinned, type SocketOptions } from '../../../src/platform/node-addresses.js';

const SIX = { address: '2001:db8::1', family: 6 };
const FOUR = { address: '192.0.2.1', family: 4 };
const never = new AbortController().signal;

/** A look-up that answers with `found`, and remembers what it was asked. */
function lookupOf(found: unknown, asked: unknown[] = []): LookupFunction {
  return (host, options, done) => {
    asked.push([host, options]);
    setImmediate(() => (found instanceof Error ? done(found, '') : done(null, found as never)));
  };
}

describe('the addresses of a host', () => {
  test('are all that the look-up knows, in its order', async () => {
    const asked: unknown[] = [];
    const found = await addressesOf('a.test', { lookup: lookupOf([FOUR, SIX], asked) }, never);
    assert.deepEqual(found, [FOUR, SIX]);
    assert.deepEqual(asked, [['a.test', { all: true, family: 0, hints: 0 }]]);
  });

  test('of an address are itself, without a look-up', async () => {
    const lookup = lookupOf(new Error('asked'));
    assert.deepEqual(await addressesOf('192.0.2.1', { lookup }, never), [FOUR]);
    assert.deepEqual(await addressesOf('2001:db8::1', { lookup, family: 4 }, never), [SIX]);
  });

  const families: [title: string, options: SocketOptions, expected: object, asks: number][] = [
    ['family 4', { family: 4 }, FOUR, 4],
    ['family 6', { family: 6 }, SIX, 6],
    ["family 'IPv4'", { family: 'IPv4' as never }, FOUR, 4],
    ['an IPv4 localAddress', { localAddress: '192.0.2.9' }, FOUR, 4],
    ['an IPv6 localAddress', { localAddress: '2001:db8::9' }, SIX, 6],
  ];
  for (const [title, options, expected, asks] of families) {
    test(`are those of one family with ${title}, whatever the look-up answers`, async () => {
      const asked: [string, { family: number }][] = [];
      const lookup = lookupOf([FOUR, SIX], asked);
      assert.deepEqual(await addressesOf('a.test', { ...options, lookup }, never), [expected]);
      assert.equal(asked[0]?.[1].family, asks);
    });
  }

  const oddities: [what: string, answer: unknown, expected: object[]][] = [
    ['one address where all were asked for', '192.0.2.1', [FOUR]],
    ['something that is no address', [{ address: 'b.test', family: 4 }, null, {}, FOUR], [FOUR]],
    ['nothing', undefined, []],
  ];
  for (const [what, answer, expected] of oddities) {
    test(`are what is usable of a look-up that answers ${what}`, async () => {
      assert.deepEqual(await addressesOf('a.test', { lookup: lookupOf(answer) }, never), expected);
    });
  }

  test('fail with the error of the look-up, and when they are no longer wanted', async () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND a.test'), { code: 'ENOTFOUND' });
    await assert.rejects(addressesOf('a.test', { lookup: lookupOf(error) }, never), error);
    const abort = new AbortController();
    const pending = addressesOf('a.test', { lookup: () => {} }, abort.signal);
    abort.abort(new Error('moved on'));
    await assert.rejects(pending, /moved on/);
  });
});

describe('a pinned look-up', () => {
  const { lookup } = pinned('a.test', { address: '192.0.2.1', family: 4 }, {});

  test('answers with its address, in the form that it is asked for', () => {
    const answers: unknown[] = [];
    lookup?.('a.test', { all: true }, (...answer) => answers.push(answer));
    lookup?.('a.test', {}, (...answer) => answers.push(answer));
    assert.deepEqual(answers, [
      [null, [FOUR]],
      [null, '192.0.2.1', 4],
    ]);
  });

  test('does not lead another name there', async () => {
    const answer = await new Promise((resolve) =>
      lookup?.('localhost', { family: 4 }, (_error, address) => resolve(address)),
    );
    assert.equal(answer, '127.0.0.1');
    const asked: unknown[] = [];
    const own = pinned('a.test', { address: '192.0.2.1', family: 4 }, { lookup: lookupOf('', asked) });
    own.lookup?.('b.test', {}, () => {});
    assert.deepEqual(asked, [['b.test', {}]]);
  });
});
