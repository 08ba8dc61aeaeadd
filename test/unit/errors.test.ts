/** The one error class: what callers switch on, and what people read without ever reading a secret. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  describe as describeValue,
  FailoverError,
  isFailoverError,
  optionError,
  redactUrls,
} from '../../src/errors.js';

describe('FailoverError', () => {
  test('carries code, endpoint, reason code and whether a retry helps', () => {
    const cause = new Error('underneath');
    const error = new FailoverError('ERR_REFUSED', 'no', {
      cause,
      retryable: true,
      endpoint: 'a',
      reasonCode: 0x87,
    });
    assert.ok(error instanceof Error);
    const { name, code, message, retryable, endpoint, reasonCode } = error;
    assert.deepEqual(
      { name, code, message, retryable, endpoint, reasonCode },
      {
        name: 'FailoverError',
        code: 'ERR_REFUSED',
        message: 'no',
        retryable: true,
        endpoint: 'a',
        reasonCode: 0x87,
      },
    );
    assert.equal(error.cause, cause);
  });

  test('has no cause and is not retryable unless told so', () => {
    const error = new FailoverError('ERR_OPTION', 'no');
    assert.equal(Object.hasOwn(error, 'cause'), false);
    assert.equal(error.retryable, false);
    assert.equal(error.endpoint, undefined);
  });

  test('is recognised by its brand, also when a second copy of the package made it', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('mqtt-failover.error')]: true });
    assert.ok(isFailoverError(new FailoverError('ERR_LINK', 'x')));
    assert.ok(isFailoverError(foreign));
    for (const other of [
      new Error('x'),
      { code: 'ERR_LINK', name: 'FailoverError' },
      null,
      undefined,
      'x',
      7,
    ])
      assert.equal(isFailoverError(other), false);
  });

  test('keeps its brand out of what is printed and copied', () => {
    const error = new FailoverError('ERR_LINK', 'x');
    assert.deepEqual(Object.getOwnPropertySymbols({ ...error }), []);
  });
});

describe('redactUrls', () => {
  test('removes user info and queries from every URL in a text', () => {
    const cases = [
      ['mqtts://user:secret@host:8883', 'mqtts://host:8883'],
      ['wss://token@h/mqtt?token=secret#x', 'wss://h/mqtt?…#x'],
      ['cannot reach ws://u:p@a/x?k=v, then mqtt://b:1', 'cannot reach ws://a/x?… then mqtt://b:1'],
      ['mqtt+srv://u:p@example.com', 'mqtt+srv://example.com'],
      ['mqtt://u:p@ss@host', 'mqtt://host'],
      ['mqtt://u:p@a:1,b:2', 'mqtt://a:1,b:2'],
      ['no URL, me@example.com?', 'no URL, me@example.com?'],
    ] as const;
    for (const [text, expected] of cases) assert.equal(redactUrls(text), expected);
  });

  test('leaves no part of a password that contains a slash, a question mark, a hash or a space', () => {
    for (const password of ['p/secret', 'p?secret', 'p#secret', 'p secret', 'p"secret']) {
      assert.ok(!redactUrls(`mqtt://user:${password}@host`).includes('secret'), password);
    }
  });

  test('takes time in proportion to the length of the text', () => {
    const millisecondsFor = (length: number) => {
      const startedAt = performance.now();
      redactUrls('a'.repeat(length));
      return performance.now() - startedAt;
    };
    millisecondsFor(2_000);
    // Quadratic matching takes seconds here, and hours for a document of a few megabytes.
    assert.ok(millisecondsFor(30_000) < 200);
  });
});

describe('describe', () => {
  test('names a value by type, shortly, and never shows the content of an object', () => {
    const cases = [
      ['soon', '"soon" (string)'],
      ['x'.repeat(200), `"${'x'.repeat(80)}…" (string)`],
      ['mqtt://u:secret@h', '"mqtt://h" (string)'],
      [5, '5 (number)'],
      [Number.NaN, 'NaN (number)'],
      [10n, '10 (bigint)'],
      [true, 'true (boolean)'],
      [undefined, 'undefined'],
      [null, 'null'],
      [['secret'], 'an array of 1'],
      [{ password: 'secret' }, 'an object'],
      [() => 'secret', 'a function'],
      [Symbol('s'), 'Symbol(s) (symbol)'],
    ] as const;
    for (const [value, expected] of cases) assert.equal(describeValue(value), expected);
  });

  test('makes the message of an option error', () => {
    const error = optionError('dial.race', 'an integer >= 1', 'soon');
    assert.equal(error.code, 'ERR_OPTION');
    assert.equal(error.message, 'Option `dial.race` must be an integer >= 1, got "soon" (string)');
  });
});
