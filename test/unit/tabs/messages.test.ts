/** Messages between tabs: another version of the page may be open, and must not make this one throw. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMessage } from '../../../src/tabs/messages.js';

const from = 'x';

describe('a message of another tab', () => {
  test('is taken as it is when it has what its receivers rely on', () => {
    for (const message of [
      { kind: 'lead', from, term: 1, status: {}, connack: undefined },
      { kind: 'join', from, to: 'y', filters: [{ topics: { 'a/#': { qos: 1 } }, options: undefined }] },
      { kind: 'settled', from, n: 1, error: undefined, value: [{ topic: 'a', qos: 128 }] },
      {
        kind: 'message',
        from,
        topic: 'a',
        payload: new Uint8Array(1),
        packet: {},
        news: 'of a later version',
      },
    ])
      assert.equal(readMessage(message), message);
  });

  test('is nothing when it lacks any of it', () => {
    for (const value of [
      null,
      'lead',
      { kind: 'later', from },
      { kind: 'lead', from, status: {} },
      { kind: 'lead', from, term: Number.NaN, status: {} },
      { kind: 'join', from },
      { kind: 'join', from, filters: [null] },
      { kind: 'settled', from, n: 1, value: {} },
      { kind: 'event', from, name: 'state' },
      { kind: 'message', from, payload: new Uint8Array(1), packet: {} },
      { kind: 'request', from, n: 1, request: { kind: 'publish', topic: 'a', payload: 7, options: {} } },
    ])
      assert.equal(readMessage(value), undefined, JSON.stringify(value));
  });
});
