/**
 * A pass decides when trying the next broker helps and when it only makes things worse: what one answer says about
 * the others is all it knows.
 *
 * World: outcomes as the session and the dialer report them; no endpoint exists.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Conclusion, Pass } from '../../../src/connection/pass.js';
import { FailoverError } from '../../../src/errors.js';
import type { Outcome } from '../../../src/health/outcomes.js';

function failure(id: string, kind: Outcome['kind'], code: number | string): FailoverError {
  const outcome = { kind, code };
  return new FailoverError('ERR_REFUSED', `${id} said ${code}`, { endpoint: id, retryable: true, outcome });
}

/** A pass in which a, b, c, … gave these outcomes in that order. */
function passWith(...outcomes: readonly (readonly [Outcome['kind'], number | string])[]): Pass {
  const pass = new Pass();
  outcomes.forEach(([kind, code], n) => {
    const id = 'abcdefgh'.charAt(n);
    pass.failed(id, failure(id, kind, code));
  });
  return pass;
}

const REFUSED = ['socket', 'ECONNREFUSED'] as const;
const BAD_PASSWORD = ['connack', 0x86] as const;

describe('a pass', () => {
  it('begins with nothing tried, and goes on', () => {
    const pass = new Pass();
    assert.deepEqual(
      [pass.conclusion, pass.failures, pass.hasFailed('a'), pass.sawConnection],
      ['go-on', 0, false, false],
    );
  });

  it('remembers who failed', () => {
    const pass = passWith(REFUSED);
    assert.deepEqual([pass.hasFailed('a'), pass.hasFailed('b'), pass.failures], [true, false, 1]);
  });

  const conclusions: readonly { name: string; pass: Pass; is: Conclusion }[] = [
    {
      name: 'goes on after any number of dead endpoints',
      pass: passWith(REFUSED, REFUSED, REFUSED, REFUSED),
      is: 'go-on',
    },
    { name: 'goes on after one busy endpoint', pass: passWith(['connack', 0x89]), is: 'go-on' },
    {
      name: 'gives up after two busy ones',
      pass: passWith(['connack', 0x89], ['connack', 0x89]),
      is: 'give-up',
    },
    {
      name: 'gives up after two unspecified errors',
      pass: passWith(['connack', 0x80], REFUSED, ['connack', 0x80]),
      is: 'give-up',
    },
    {
      name: 'counts busy and unspecified together',
      pass: passWith(['connack', 0x80], ['connack', 0x89]),
      is: 'give-up',
    },
    {
      name: 'does not take a DISCONNECT for a busy answer to CONNECT',
      pass: passWith(['disconnect', 0x89], ['disconnect', 0x89]),
      is: 'go-on',
    },
    {
      name: 'does not take MQTT 3 code 3 for busy: it has too many meanings',
      pass: passWith(['connack-v3', 3], ['connack-v3', 3]),
      is: 'go-on',
    },
    {
      name: 'goes on after one endpoint whose quota is used up: it may be its own',
      pass: passWith(['connack', 0x97]),
      is: 'go-on',
    },
    {
      name: 'gives up after two whose quota is used up: it is that of the whole cluster',
      pass: passWith(['connack', 0x97], ['connack', 0x97]),
      is: 'give-up',
    },
    {
      name: 'goes on after an endpoint that we have no route to: others may have another address family',
      pass: passWith(['socket', 'ENETUNREACH']),
      is: 'go-on',
    },
    {
      name: 'goes on after one or two refused credentials',
      pass: passWith(BAD_PASSWORD, ['connack', 0x87]),
      is: 'go-on',
    },
    {
      name: 'believes the third that refuses our credentials',
      pass: passWith(BAD_PASSWORD, REFUSED, ['connack-v3', 5], ['http', 401]),
      is: 'unauthorised',
    },
    { name: 'stops at once when the configuration is wrong', pass: passWith(['connack', 0x85]), is: 'fatal' },
    {
      name: 'stops at once for MQTT 3 code 2 as well',
      pass: passWith(BAD_PASSWORD, ['connack-v3', 2]),
      is: 'fatal',
    },
    {
      name: 'goes on after an endpoint that does not fit',
      pass: passWith(['connack', 0x84], ['http', 404]),
      is: 'go-on',
    },
    { name: 'goes on after a redirect', pass: passWith(['connack', 0x9c]), is: 'go-on' },
    { name: 'goes on after a code that nobody knows', pass: passWith(['connack', 0xf3]), is: 'go-on' },
  ];
  for (const { name, pass, is } of conclusions) it(name, () => assert.equal(pass.conclusion, is));

  describe('without a candidate left', () => {
    const exhaustions: readonly { name: string; pass: Pass; is: Conclusion }[] = [
      { name: 'gives up', pass: passWith(REFUSED, REFUSED), is: 'give-up' },
      {
        name: 'gives up when we have no network ourselves',
        pass: passWith(['socket', 'ENETDOWN'], ['socket', 'ENETDOWN']),
        is: 'give-up',
      },
      { name: 'gives up when nobody was there to try', pass: new Pass(), is: 'give-up' },
      {
        name: 'takes the word of all, when all refuse our credentials',
        pass: passWith(BAD_PASSWORD),
        is: 'unauthorised',
      },
      {
        name: 'gives up when one of them failed otherwise: it may still accept us',
        pass: passWith(BAD_PASSWORD, REFUSED),
        is: 'give-up',
      },
      { name: 'keeps what it concluded before', pass: passWith(REFUSED, ['connack', 0x8a]), is: 'fatal' },
    ];
    for (const { name, pass, is } of exhaustions) {
      it(name, () => {
        pass.exhausted();
        assert.equal(pass.conclusion, is);
      });
    }
  });

  it('blames an endpoint for what is its own fault only', () => {
    const blamed = (kind: Outcome['kind'], code: number | string) =>
      new Pass().failed('a', failure('a', kind, code));
    assert.deepEqual(
      [
        blamed('socket', 'ECONNREFUSED'),
        blamed('link', 'connack-timeout'),
        blamed('connack', 0x88),
        blamed('connack', 0xff),
        blamed('connack', 0x97),
        blamed('socket', 'EMFILE'),
        blamed('connack', 0x86),
        blamed('connack-v3', 5),
        blamed('connack', 0x8a),
      ],
      [true, true, true, true, false, false, false, false, false],
    );
  });

  it('blames an endpoint for a failure that has no outcome', () => {
    assert.equal(new Pass().failed('a', new FailoverError('ERR_TRANSPORT', 'odd')), true);
  });
});

describe('an endpoint that is asked once more with fresh credentials', () => {
  const refusal = (id: string) => {
    return new FailoverError('ERR_REFUSED', `${id} said 135`, { outcome: { kind: 'connack', code: 0x87 } });
  };

  it('and refuses those, too, leads to the slow lane though it is alone', () => {
    const pass = new Pass();
    assert.ok(pass.mayRefresh('a'));
    pass.failed('a', refusal('a'));
    pass.exhausted();
    assert.equal(pass.conclusion, 'unauthorised');
  });

  it('does not speak for another that could not be reached', () => {
    const pass = new Pass();
    assert.ok(pass.mayRefresh('a'));
    pass.failed('a', refusal('a'));
    pass.failed(
      'b',
      new FailoverError('ERR_TRANSPORT', 'b', { outcome: { kind: 'socket', code: 'ECONNREFUSED' } }),
    );
    pass.exhausted();
    assert.equal(pass.conclusion, 'give-up');
  });
});

describe('the order of a pass', () => {
  const ranked = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
  const ids = (pass: Pass) =>
    pass
      .order(ranked)
      .map(({ id }) => id)
      .join('');

  it('is the ranking', () => assert.equal(ids(new Pass()), 'abcd'));
  it('has the endpoint last that has just failed', () => assert.equal(ids(new Pass({ last: 'a' })), 'bcda'));
  it('has the endpoint first where we come from', () => assert.equal(ids(new Pass({ first: 'c' })), 'cabd'));
  it('does not mind an endpoint that is gone', () => {
    assert.equal(ids(new Pass({ first: 'x', last: 'y' })), 'abcd');
  });
  it('leaves the ranking itself alone', () => {
    new Pass({ last: 'a' }).order(ranked);
    assert.equal(ranked[0]?.id, 'a');
  });
});

describe('the error of a pass', () => {
  it('names each endpoint and its failure, in the order of the attempts', () => {
    const error = passWith(REFUSED, ['connack', 0x88]).error();
    assert.equal(error.code, 'ERR_ALL_FAILED');
    assert.match(error.message, /a said ECONNREFUSED; b said 136/);
    assert.ok(error.cause instanceof AggregateError);
    assert.deepEqual(
      error.cause.errors.map(({ endpoint }) => endpoint),
      ['a', 'b'],
    );
  });

  it('is retryable unless the configuration is wrong', () => {
    assert.deepEqual(
      [passWith(REFUSED).error().retryable, passWith(['connack', 0x85]).error().retryable],
      [true, false],
    );
  });

  it('says that there is no endpoint when none was tried', () => {
    const error = new Pass().error();
    assert.deepEqual([error.code, error.retryable], ['ERR_NO_ENDPOINT', true]);
  });
});
