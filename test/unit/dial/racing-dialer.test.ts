/** Happy eyeballs over endpoints: the first transport wins, every other one is closed, and no timer is left. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dialed } from '../../../src/dial/dialer.js';
import { RacingDialer } from '../../../src/dial/racing-dialer.js';
import { FailoverError } from '../../../src/errors.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { type DialAnswer, endpoint, FakeNetwork } from '../fakes/fake-network.js';

const BOUNDS = { staggerMs: 250, race: 3, transportTimeoutMs: 5_000 };
const refused = new Error('ECONNREFUSED');

/** Dials `answers` in the order of their names, and records what happens. */
function world(answers: Record<string, DialAnswer>, bounds: Partial<typeof BOUNDS> = {}) {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  for (const [id, answer] of Object.entries(answers)) network.answer(id, answer);
  const abort = new AbortController();
  const failures: string[] = [];
  const errors: FailoverError[] = [];
  const dialer = new RacingDialer(network, clock, { ...BOUNDS, ...bounds });
  const hooks = { onFailure: () => {} };
  const result: { won?: string | undefined; rejected?: unknown; dialed?: Dialed | undefined } = {};
  dialer
    .dial(
      Object.keys(answers).map((id) => ({ endpoint: endpoint(id), options: {} })),
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
