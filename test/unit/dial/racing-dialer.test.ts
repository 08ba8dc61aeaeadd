/** Happy eyeballs over endpoints: the first transport wins, every other one is closed, and no timer is left. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dialed } from '../../../src/dial/dialer.js';
import { type DialPolicy, RacingDialer } from '../../../src/dial/racing-dialer.js';
import { FailoverError } from '../../../src/errors.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { type DialAnswer, endpoint, FakeNetwork } from '../fakes/fake-network.js';

const BOUNDS = { staggerMs: 250, race: 3, transportTimeoutMs: 5_000 };
const refused = new Error('ECONNREFUSED');

/** Dials `answers` in the order of their names, and records what happens. */
function world(
  answers: Record<string, DialAnswer>,
  bounds: Partial<typeof BOUNDS> = {},
  { hosts = {}, ...policy }: DialPolicy & { hosts?: Record<string, readonly string[] | Error> } = {},
) {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  for (const [id, answer] of Object.entries(answers)) network.answer(id, answer);
  for (const [id, addresses] of Object.entries(hosts)) network.host(id, addresses);
  const abort = new AbortController();
  const failures: string[] = [];
  const errors: FailoverError[] = [];
  const dialer = new RacingDialer(network, clock, { ...BOUNDS, ...bounds }, policy);
  const hooks = { onFailure: () => {} };
  const result: { won?: string | undefined; rejected?: unknown; dialed?: Dialed | undefined } = {};
  dialer
    .dial(
      [...new Set(Object.keys(answers).map((name) => name.replace(/\/.*/, '')))].map((id) => ({
        endpoint: endpoint(id),
        options: {},
      })),
      abort.signal,
      (target, error) => {
        failures.push(target.endpoint.id);
        errors.push(error as FailoverError);
        hooks.onFailure();
      },
    )
    .then(
      (dialed) => Object.assign(result, { dialed, won: dialed?.target.endpoint.id }),
      (reason) => Object.assign(result, { rejected: reason }),
    );
  return { clock, network, abort, failures, errors, result, hooks };
}

describe('racing dialer', () => {
  test('takes the first endpoint when it answers at once, and dials no other', async () => {
    const { clock, network, result } = world({ a: 'open', b: 'open' });
    await clock.advance(1_000);
    assert.equal(result.won, 'a');
    assert.equal(result.dialed?.transport, network.dials[0]?.transport);
    assert.deepEqual(network.log, ['a@0']);
    assert.equal(clock.pending, 0);
  });

  test('starts the next after each stagger, never more than race at once', async () => {
    const { clock, network } = world({ a: 'silent', b: 'silent', c: 'silent', d: 'silent' });
    await clock.advance(4_999);
    assert.deepEqual(network.log, ['a@0', 'b@250', 'c@500']);
    await clock.advance(1);
    assert.deepEqual(network.log, ['a@0', 'b@250', 'c@500', 'd@5000']);
  });

  test('starts the next at once when one fails', async () => {
    const { clock, network, failures, result } = world({ a: refused, b: refused, c: 'open' });
    await clock.advance(0);
    assert.deepEqual(network.log, ['a@0', 'b@0', 'c@0']);
    assert.deepEqual([failures, result.won], [['a', 'b'], 'c']);
    assert.equal(clock.pending, 0);
  });

  test('counts the stagger anew from a start that a failure brought forward', async () => {
    const { clock, network } = world({ a: { afterMs: 200, gives: refused }, b: 'silent', c: 'silent' });
    await clock.advance(600);
    assert.deepEqual(network.log, ['a@0', 'b@200', 'c@450']);
  });

  test('races one after the other with race 1', async () => {
    const { clock, network, failures } = world({ a: 'silent', b: 'silent' }, { race: 1 });
    await clock.advance(10_000);
    assert.deepEqual(network.log, ['a@0', 'b@5000']);
    assert.deepEqual(failures, ['a', 'b']);
    assert.equal(clock.pending, 0);
  });

  test('takes whoever opens first and aborts the others', async () => {
    const { clock, network, result } = world({
      a: 'silent',
      b: { afterMs: 100, gives: 'open' },
      c: 'silent',
    });
    await clock.advance(350);
    assert.equal(result.won, 'b');
    assert.deepEqual(
      network.dials.map(({ id, aborted }) => [id, aborted]),
      [
        ['a', true],
        ['b', false],
      ],
    );
    assert.deepEqual(network.openIds, ['b']);
    assert.equal(clock.pending, 0);
  });

  test('prefers the earlier of two that open at the same time, and destroys the other', async () => {
    const { clock, network, result } = world({
      a: { afterMs: 400, gives: 'open', deaf: true },
      b: { afterMs: 150, gives: 'open', deaf: true },
    });
    await clock.advance(400);
    assert.equal(result.won, 'a');
    assert.deepEqual(network.openIds, ['a']);
    assert.equal(clock.pending, 0);
  });

  test('destroys a loser that opens although it was aborted', async () => {
    const { clock, network, result } = world({ a: { afterMs: 900, gives: 'open', deaf: true }, b: 'open' });
    await clock.advance(300);
    assert.equal(result.won, 'b');
    await clock.advance(600);
    assert.equal(network.dials[0]?.transport?.destroyed, true);
    assert.deepEqual(network.openIds, ['b']);
    assert.equal(clock.pending, 0);
  });

  test('resolves with nothing when all fail, or there is nobody to dial', async () => {
    const { clock, failures, result } = world({
      a: refused,
      b: 'silent',
      c: { afterMs: 50, gives: refused },
    });
    await clock.advance(10_000);
    assert.deepEqual(failures, ['a', 'c', 'b']);
    assert.deepEqual(result, { dialed: undefined, won: undefined });
    assert.equal(clock.pending, 0);
    const empty = world({});
    await settle();
    assert.deepEqual(empty.result, { dialed: undefined, won: undefined });
  });

  test('names the endpoint in the error of its deadline and of its failure', async () => {
    const several = new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')], '');
    const { clock, errors } = world({ a: 'silent', b: refused, c: several });
    await clock.advance(6_000);
    assert.deepEqual(
      errors.map(({ code, message, endpoint: id, retryable }) => [code, message, id, retryable]),
      [
        ['ERR_TRANSPORT', 'Cannot reach b: ECONNREFUSED', 'b', true],
        ['ERR_TRANSPORT', 'Cannot reach c: ::1 refused, 127.0.0.1 refused', 'c', true],
        ['ERR_TRANSPORT_TIMEOUT', 'No transport to a within 5000 ms', 'a', true],
      ],
    );
    assert.ok(errors.every((error) => error instanceof FailoverError));
    assert.equal(errors[0]?.cause, refused);
  });
});

describe('aborting a dial', () => {
  test('rejects with the reason, aborts every candidate and leaves no timer', async () => {
    const { clock, network, abort, result, failures } = world({ a: 'silent', b: 'silent', c: 'silent' });
    await clock.advance(300);
    const reason = new Error('moved on');
    abort.abort(reason);
    await settle();
    assert.equal(result.rejected, reason);
    assert.deepEqual(
      network.dials.map(({ id, aborted }) => [id, aborted]),
      [
        ['a', true],
        ['b', true],
      ],
    );
    assert.deepEqual(failures, []);
    assert.equal(clock.pending, 0);
  });

  test('destroys a transport that opens after it', async () => {
    const { clock, network, abort, result } = world({ a: { afterMs: 100, gives: 'open', deaf: true } });
    await settle();
    abort.abort();
    await clock.advance(100);
    assert.ok(result.rejected);
    assert.equal(network.dials[0]?.transport?.destroyed, true);
    assert.equal(clock.pending, 0);
  });

  test('before the start dials nobody', async () => {
    const clock = new VirtualClock();
    const network = new FakeNetwork(clock);
    const dialer = new RacingDialer(network, clock, BOUNDS);
    const target = { endpoint: endpoint('a'), options: {} };
    await assert.rejects(
      dialer.dial([target], AbortSignal.abort(), () => {}),
      { name: 'AbortError' },
    );
    assert.deepEqual(network.log, []);
  });

  test('from inside the report of a failure dials nobody further and leaks nothing', async () => {
    const { clock, network, abort, result, hooks } = world({ a: refused, b: 'open', c: 'open' });
    hooks.onFailure = () => abort.abort();
    await clock.advance(10_000);
    assert.ok(result.rejected);
    assert.deepEqual(network.openIds, []);
    assert.deepEqual(network.log, ['a@0']);
    assert.equal(clock.pending, 0);
  });
});

/** An error as Node's sockets have them. */
const coded = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

describe('an endpoint with several addresses', () => {
  const hosts = { a: ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'] };

  test('is dialed at all of them, families in turn, IPv6 first, in the order of the resolver', async () => {
    const { clock, network } = world({ a: 'open', 'a/2001:db8::1': coded('ECONNREFUSED') }, {}, { hosts });
    await clock.advance(0);
    assert.deepEqual(network.log, ['a/2001:db8::1@0', 'a/192.0.2.1@0']);
    const silent = world(
      Object.fromEntries(hosts.a.map((address) => [`a/${address}`, 'silent'])),
      { race: 9 },
      { hosts },
    );
    await silent.clock.advance(2_000);
    assert.deepEqual(silent.network.log, [
      'a/2001:db8::1@0',
      'a/192.0.2.1@250',
      'a/2001:db8::2@500',
      'a/192.0.2.2@750',
    ]);
  });

  test('costs one stagger when IPv6 is a black hole, and the next endpoint is not dialed', async () => {
    const { clock, network, result } = world(
      { 'a/2001:db8::1': 'silent', 'a/192.0.2.1': { afterMs: 20, gives: 'open' }, b: 'open' },
      {},
      { hosts },
    );
    await clock.advance(270);
    assert.deepEqual([result.won, network.openIds], ['a', ['a/192.0.2.1']]);
    assert.deepEqual(
      network.dials.map(({ aborted }) => aborted),
      [true, false],
    );
    assert.equal(clock.pending, 0);
  });

  test('fails once, with an error that names each address and a cause for each', async () => {
    const { clock, failures, errors } = world(
      {
        'a/2001:db8::1': coded('ENETUNREACH'),
        'a/192.0.2.1': coded('ECONNREFUSED'),
        'a/2001:db8::2': coded('ENETUNREACH'),
        'a/192.0.2.2': new Error('odd'),
      },
      {},
      { hosts },
    );
    await clock.advance(0);
    assert.deepEqual(failures, ['a']);
    assert.deepEqual(
      errors.map(({ code, message }) => [code, message]),
      [
        [
          'ERR_TRANSPORT',
          'Cannot reach a: 2001:db8::1 ENETUNREACH, 192.0.2.1 ECONNREFUSED, 2001:db8::2 ENETUNREACH, 192.0.2.2 odd',
        ],
      ],
    );
    assert.equal((errors[0]?.cause as AggregateError | undefined)?.errors.length, 4);
    // We have no IPv6; it is the refusal that says something of the endpoint.
    assert.deepEqual(errors[0]?.outcome, { kind: 'socket', code: 'ECONNREFUSED' });
  });

  test('without a route to any of them is not to blame', async () => {
    const { clock, errors } = world(
      { 'a/2001:db8::1': coded('ENETUNREACH'), 'a/192.0.2.1': coded('ENETUNREACH') },
      {},
      { hosts: { a: ['192.0.2.1', '2001:db8::1'] } },
    );
    await clock.advance(0);
    assert.equal(errors[0]?.outcome?.code, 'ENETUNREACH');
  });

  test('is judged by the address that got furthest', async () => {
    const unauthorised = Object.assign(new Error('HTTP status 401'), { httpStatus: 401 });
    const { clock, errors } = world(
      { 'a/2001:db8::1': coded('ECONNREFUSED'), 'a/192.0.2.1': unauthorised },
      {},
      { hosts: { a: ['192.0.2.1', '2001:db8::1'] } },
    );
    await clock.advance(0);
    assert.deepEqual(errors[0]?.outcome, { kind: 'http', code: 401 });
  });

  test('has one deadline for all of them, and says what each came to', async () => {
    const { clock, errors } = world(
      { 'a/2001:db8::1': 'silent', 'a/192.0.2.1': coded('ECONNREFUSED') },
      {},
      { hosts: { a: ['192.0.2.1', '2001:db8::1'] } },
    );
    await clock.advance(5_000);
    assert.deepEqual(
      errors.map(({ code, message, outcome }) => [code, message, outcome?.code]),
      [
        [
          'ERR_TRANSPORT_TIMEOUT',
          'No transport to a within 5000 ms: 192.0.2.1 ECONNREFUSED, 2001:db8::1 no answer',
          'transport-timeout',
        ],
      ],
    );
    assert.equal(clock.pending, 0);
  });

  test('is dialed at no more than sixteen, and names four of them', async () => {
    const many = Array.from({ length: 40 }, (_, at) => `192.0.2.${at + 1}`);
    const answers = Object.fromEntries(many.map((address) => [`a/${address}`, coded('ECONNREFUSED')]));
    const { clock, network, errors } = world(answers, {}, { hosts: { a: many } });
    await clock.advance(0);
    assert.equal(network.dials.length, 16);
    assert.match(errors[0]?.message ?? '', /^Cannot reach a: (192\.0\.2\.\d ECONNREFUSED,? ){4}and 12 more$/);
  });

  test('that cannot be resolved fails with the error of the resolver', async () => {
    const { clock, errors, result } = world(
      { a: 'open', b: 'open' },
      {},
      { hosts: { a: coded('ENOTFOUND') } },
    );
    await clock.advance(0);
    assert.deepEqual(errors[0]?.outcome, { kind: 'socket', code: 'ENOTFOUND' });
    assert.equal(result.won, 'b');
  });

  test('that has no address fails, and says so', async () => {
    const { clock, errors } = world({ a: 'open' }, {}, { hosts: { a: [] } });
    await clock.advance(0);
    assert.equal(errors[0]?.message, 'Cannot reach a: a.test has no address');
  });
});

describe('a policy for addresses', () => {
  const hosts = { a: ['192.0.2.1', '169.254.169.254'] };

  test('is asked before anything is opened, and what it leaves out is not dialed', async () => {
    const { clock, network, result } = world(
      { 'a/169.254.169.254': 'open', 'a/192.0.2.1': 'open' },
      {},
      {
        hosts,
        admit: ({ endpoint: { id } }, addresses) => {
          assert.equal(id, 'a');
          return addresses.filter(({ address }) => !address.startsWith('192'));
        },
      },
    );
    await clock.advance(0);
    assert.deepEqual([result.won, network.log], ['a', ['a/169.254.169.254@0']]);
  });

  test('that refuses all of them fails the endpoint, and names host and addresses', async () => {
    const { clock, network, errors } = world({ a: 'open' }, {}, { hosts, admit: () => [] });
    await clock.advance(0);
    assert.deepEqual(network.log, []);
    assert.deepEqual(
      errors.map(({ code, message }) => [code, message]),
      [
        [
          'ERR_TRANSPORT',
          'Cannot reach a: no address of a.test may be dialed from here: 192.0.2.1, 169.254.169.254',
        ],
      ],
    );
  });

  test('may say why in an error of its own', async () => {
    const why = new FailoverError('ERR_TRANSPORT', 'a.test leads to this machine', { endpoint: 'a' });
    const { clock, errors } = world(
      { a: 'open' },
      {},
      {
        hosts,
        admit: () => {
          throw why;
        },
      },
    );
    await clock.advance(0);
    assert.deepEqual(errors, [why]);
  });
});

describe('the stagger', () => {
  for (const [roundTripMs, expected] of [
    [undefined, 250],
    [100, 250],
    [400, 800],
    [5_000, 2_000],
  ] as const) {
    test(`is ${expected} ms after a round trip of ${roundTripMs} ms`, async () => {
      const { clock, network } = world({ a: 'silent', b: 'silent' }, {}, { roundTripMs: () => roundTripMs });
      await clock.advance(expected);
      assert.deepEqual(network.log, ['a@0', `b@${expected}`]);
    });
  }

  test('is never shorter than asked for, and is measured anew for each dial', async () => {
    let roundTripMs = 400;
    const clock = new VirtualClock();
    const network = new FakeNetwork(clock);
    network.answer('a', 'silent');
    const bounds = { ...BOUNDS, staggerMs: 3_000 };
    const dialer = new RacingDialer(network, clock, bounds, { roundTripMs: () => roundTripMs });
    const targets = ['a', 'b'].map((id) => ({ endpoint: endpoint(id), options: {} }));
    const dial = () => void dialer.dial(targets, new AbortController().signal, () => {});
    dial();
    await clock.advance(3_000);
    assert.deepEqual(network.log, ['a@0', 'b@3000']);
    roundTripMs = 600;
    const quick = new RacingDialer(network, clock, BOUNDS, { roundTripMs: () => roundTripMs });
    void quick.dial(targets, new AbortController().signal, () => {});
    await clock.advance(1_200);
    roundTripMs = 0;
    void quick.dial(targets, new AbortController().signal, () => {});
    await clock.advance(250);
    assert.deepEqual(network.log.slice(2), ['a@3000', 'b@4200', 'a@4200', 'b@4450']);
  });
});
