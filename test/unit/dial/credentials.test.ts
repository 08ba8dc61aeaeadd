/** What the application gives for one attempt: asked for in time, laid over the target, and never quoted. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AttemptCredentials,
  Credentials,
  type CredentialsContext,
  type CredentialsProvider,
} from '../../../src/dial/credentials.js';
import type { Scheme } from '../../../src/endpoint.js';
import { FailoverError } from '../../../src/errors.js';
import type { DialTarget } from '../../../src/platform/ports.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';

const home = endpoint('a', {
  scheme: 'wss',
  path: '/mqtt',
  priority: 2,
  weight: 3,
  zone: 'z',
  options: { keepalive: 7 },
});

function world(provider?: CredentialsProvider) {
  const clock = new VirtualClock();
  const credentials = new Credentials(provider, clock);
  const abort = new AbortController();
  const prepare = (target: DialTarget = { endpoint: home, options: { username: 'base', keepalive: 7 } }) =>
    credentials.prepare(target, abort.signal);
  /** The error that {@link prepare} rejects with. */
  const failure = async (): Promise<FailoverError> => {
    const error = await prepare().then(
      () => assert.fail('it gave credentials'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof FailoverError, String(error));
    return error;
  };
  return { clock, credentials, abort, prepare, failure };
}

/** A provider that keeps what it is asked. */
function asked(answer: AttemptCredentials = {}) {
  const questions: { endpoint: unknown; context: CredentialsContext }[] = [];
  const provider: CredentialsProvider = (to, context) => {
    questions.push({ endpoint: to, context });
    return answer;
  };
  return { questions, provider };
}

function assertNoCredentials(error: FailoverError): void {
  assert.deepEqual(
    [error.code, error.endpoint, error.outcome],
    ['ERR_CREDENTIALS', 'a', { kind: 'link', code: 'no-credentials' }],
  );
}

describe('credentials', () => {
  test('are the options when there is no provider', async () => {
    const { clock, credentials, prepare } = world();
    const target = { endpoint: home, options: { username: 'base' } };
    assert.equal(await prepare(target), target);
    assert.deepEqual([credentials.canRefresh, clock.pending], [false, 0]);
  });

  test('are laid over the target, for this attempt alone', async () => {
    const { clock, credentials, prepare } = world(asked({ username: 'fresh', password: 'p' }).provider);
    const target = { endpoint: home, options: { username: 'base', keepalive: 7 } };
    assert.deepEqual(await prepare(target), {
      endpoint: home,
      options: { username: 'fresh', password: 'p', keepalive: 7 },
      overlay: { username: 'fresh', password: 'p' },
    });
    assert.deepEqual(target.options, { username: 'base', keepalive: 7 });
    assert.deepEqual([credentials.canRefresh, clock.pending], [true, 0]);
  });

  test('may come at once or later', async () => {
    const { clock, prepare } = world(
      () => new Promise((resolve) => clock.setTimeout(() => resolve({ username: 'late' }), 4_999)),
    );
    const prepared = prepare();
    await clock.advance(4_999);
    assert.deepEqual([(await prepared).options.username, clock.pending], ['late', 0]);
  });

  test('are asked for with id, URL and zone, and nothing secret', async () => {
    const { questions, provider } = asked();
    await world(provider).prepare();
    assert.deepEqual(questions[0]!.endpoint, { id: 'a', url: 'wss://a.test:443/mqtt', zone: 'z' });
  });

  test('are asked for with the reason, `refused` once after a refusal', async () => {
    const { questions, provider } = asked();
    const { credentials, prepare } = world(provider);
    await prepare();
    credentials.refused();
    await prepare();
    await prepare();
    assert.deepEqual(
      questions.map(({ context }) => context.reason),
      ['attempt', 'refused', 'attempt'],
    );
  });
});

describe('a URL of the provider', () => {
  test('is dialed instead, with its query; who the endpoint is and how it ranks stays', async () => {
    const url = 'wss://signed.test:8443/path?X-Amz-Signature=s#f';
    const { endpoint: to, overlay, options } = await world(asked({ url, username: 'u' }).provider).prepare();
    assert.deepEqual(
      [to.scheme, to.host, to.port, to.path],
      ['wss', 'signed.test', 8_443, '/path?X-Amz-Signature=s'],
    );
    const { id, priority, weight, zone } = to;
    assert.deepEqual([id, priority, weight, zone, to.options], ['a', 2, 3, 'z', { keepalive: 7 }]);
    assert.equal(to.url, 'wss://signed.test:8443/path');
    assert.deepEqual([overlay, 'url' in options], [{ username: 'u' }, false]);
  });

  test('loses its user info', async () => {
    const { endpoint: to } = await world(asked({ url: 'wss://u:p@ss@signed.test/' }).provider).prepare();
    assert.deepEqual([to.host, to.url], ['signed.test', 'wss://signed.test:443/']);
  });

  test('may have another scheme, but none weaker', async () => {
    const cases: [Scheme, string, boolean][] = [
      ['mqtt', 'mqtts', true],
      ['mqtt', 'ws', true],
      ['ws', 'tcp', true],
      ['mqtts', 'wss', true],
      ['wss', 'SSL', true],
      ['mqtts', 'mqtt', false],
      ['mqtts', 'tcp', false],
      ['mqtts', 'ws', false],
      ['wss', 'ws', false],
      ['wss', 'mqtt', false],
      ['mqtt', 'https', false],
    ];
    for (const [from, to, fine] of cases) {
      const { prepare } = world(asked({ url: `${to}://h.test` }).provider);
      const outcome = await prepare({ endpoint: endpoint('a', { scheme: from }), options: {} }).then(
        () => true,
        (error: FailoverError) => {
          assertNoCredentials(error);
          return false;
        },
      );
      assert.equal(outcome, fine, `${from} → ${to}`);
    }
  });

  test('that is none is an error that does not quote it', async () => {
    for (const url of ['', 'secret', '//secret', 'secret://h']) {
      const { clock, failure } = world(asked({ url }).provider);
      const error = await failure();
      assertNoCredentials(error);
      assert.ok(!error.message.includes('secret'), error.message);
      assert.equal(clock.pending, 0);
    }
  });

  test('with a bad authority blames no endpoint either', async () => {
    for (const url of ['wss://', 'wss://sec ret/', 'wss://h:99999/']) {
      const error = await world(asked({ url }).provider).failure();
      assertNoCredentials(error);
      assert.ok(!error.message.includes('sec ret'), error.message);
    }
  });
});

describe('a provider', () => {
  const secret = new Error('token s3cret is bad');
  const failing: Record<string, CredentialsProvider> = {
    throws: () => {
      throw secret;
    },
    rejects: () => Promise.reject(secret),
  };

  for (const [name, provider] of Object.entries(failing)) {
    test(`that ${name} is an error without its message`, async () => {
      const { clock, failure } = world(provider);
      const error = await failure();
      assertNoCredentials(error);
      assert.equal(error.message, 'Option `credentials` gave none for a');
      assert.deepEqual([error.cause, error.retryable, clock.pending], [secret, true, 0]);
    });
  }

  test('has five seconds, and hears when they are over', async () => {
    let signal: AbortSignal | undefined;
    const { clock, failure } = world((_to, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    let error: FailoverError | undefined;
    void failure().then((reason) => {
      error = reason;
    });
    await clock.advance(4_999);
    assert.deepEqual([error, signal?.aborted], [undefined, false]);
    await clock.advance(1);
    assertNoCredentials(error!);
    assert.equal((error!.cause as Error).message, 'no answer within 5000 ms');
    assert.deepEqual([signal?.aborted, clock.pending], [true, 0]);
  });

  test('that is no longer wanted hears so at once, and leaves no timer', async () => {
    let signal: AbortSignal | undefined;
    const { clock, abort, failure } = world((_to, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    let error: FailoverError | undefined;
    void failure().then((reason) => {
      error = reason;
    });
    await clock.advance(1_000);
    abort.abort();
    await settle();
    assert.deepEqual([error?.code, signal?.aborted, clock.pending], ['ERR_CREDENTIALS', true, 0]);
  });

  test('may answer, or fail, after it was given up', async () => {
    for (const late of ['resolve', 'reject'] as const) {
      const answer = { resolve: (_: AttemptCredentials) => {}, reject: (_: Error) => {} };
      const { clock, failure } = world(
        () => new Promise((resolve, reject) => Object.assign(answer, { resolve, reject })),
      );
      const failed = failure();
      await clock.advance(5_000);
      if (late === 'resolve') answer.resolve({});
      else answer.reject(secret);
      assertNoCredentials(await failed);
      await settle();
    }
  });

  test('is not asked when nobody wants to know any more', async () => {
    const { questions, provider } = asked();
    const { clock, abort, failure } = world(provider);
    abort.abort();
    await failure();
    assert.deepEqual([questions, clock.pending], [[], 0]);
  });

  test('that gives nothing blames no endpoint', async () => {
    for (const answer of [undefined, null]) assertNoCredentials(await world(() => answer as never).failure());
  });

  test('that ends the client and throws leaves no rejection unhandled', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const { abort, failure } = world(() => {
      abort.abort();
      throw secret;
    });
    assertNoCredentials(await failure());
    await new Promise(setImmediate);
    process.off('unhandledRejection', listener);
    assert.deepEqual(unhandled, []);
  });
});

describe('a provider that is asked again', () => {
  const token = (text: string) => ({ username: 'u', password: Buffer.from(text) });
  const answers: readonly (readonly [AttemptCredentials, AttemptCredentials, boolean])[] = [
    [token('x'), token('x'), false],
    [token('x'), { ...token('x'), expiresAt: 5 }, false],
    [token('x'), token('y'), true],
    [{ url: 'wss://a.test/mqtt?sig=1' }, { url: 'wss://a.test/mqtt?sig=2' }, true],
    [{ properties: { userProperties: { t: '1' } } }, { properties: { userProperties: { t: '2' } } }, true],
  ];
  for (const [index, [before, after, expected]] of answers.entries()) {
    test(`gives ${expected ? 'others' : 'the same'} (${index + 1})`, async () => {
      let answer = before;
      const reasons: string[] = [];
      const w = world((_to, { reason }) => {
        reasons.push(reason);
        return answer;
      });
      await w.prepare();
      answer = after;
      assert.equal(await w.credentials.haveChanged(w.abort.signal), expected);
      assert.deepEqual(reasons, ['attempt', 'refused']);
    });
  }

  test('and fails, or has never been asked, gives no others', async () => {
    let answers = 0;
    const w = world(() => {
      answers += 1;
      if (answers > 1) throw new Error('the issuer is down');
      return { username: 'u' };
    });
    assert.equal(await w.credentials.haveChanged(w.abort.signal), false);
    await w.prepare();
    assert.equal(await w.credentials.haveChanged(w.abort.signal), false);
    assert.equal(answers, 2);
  });
});
