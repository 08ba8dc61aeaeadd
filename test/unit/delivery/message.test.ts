/** One publish: what it weighs, what makes it impossible, and that its callback runs once. */
import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { createMessage, publishProblem, settle, utf8Length } from '../../../src/delivery/message.js';

fc.configureGlobal({ seed: 1 });

const units = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7f }),
  fc.integer({ min: 0x80, max: 0xffff }),
  fc.integer({ min: 0xd800, max: 0xdfff }),
);
const anyText = fc.array(units, { maxLength: 30 }).map((codes) => String.fromCharCode(...codes));

const bytesOf = (topic: string, payload: string | Uint8Array | undefined, properties?: object) =>
  createMessage(topic, payload, properties ? { properties } : {}, () => {}, 0).bytes;

describe('utf8Length', () => {
  test('is what Buffer.byteLength says, lone surrogates included', () => {
    fc.assert(
      fc.property(anyText, (text) => assert.equal(utf8Length(text), Buffer.byteLength(text))),
      { numRuns: 3_000 },
    );
  });

  test('counts four bytes for a character outside the basic plane', () => {
    assert.deepEqual(
      ['a', 'é', '€', '😀', '😀😀', 'x😀y', '\ud83d', '\ude00\ud83d'].map(utf8Length),
      [1, 2, 3, 4, 8, 6, 3, 6],
    );
  });
});

describe('a message', () => {
  test('weighs its topic, payload and properties', () => {
    assert.equal(bytesOf('tópic', 'pa€'), 6 + 5);
    assert.equal(bytesOf('t', Buffer.alloc(10)), 11);
    assert.equal(bytesOf('t', new Uint8Array([1, 2, 3])), 4);
    assert.equal(bytesOf('t', undefined), 1);
    const base = bytesOf('t', 'p');
    assert.ok(bytesOf('t', 'p', { contentType: 'x'.repeat(50) }) >= base + 52);
    assert.ok(bytesOf('t', 'p', { correlationData: Buffer.alloc(40) }) >= base + 42);
    assert.ok(
      bytesOf('t', 'p', { userProperties: { a: ['x'.repeat(9), 'y'.repeat(9)], bb: 'c' } }) >= base + 20,
    );
  });

  test('is QoS 0 unless told otherwise, and stands in no queue', () => {
    const { qos, payload, sequence, previous, next } = createMessage('t', undefined, {}, () => {}, 7);
    assert.deepEqual(
      { qos, payload, sequence, previous, next },
      {
        qos: 0,
        payload: '',
        sequence: 0,
        previous: undefined,
        next: undefined,
      },
    );
  });
});

describe('publishProblem', () => {
  test('takes what a broker can take', () => {
    for (const payload of ['', 'x', Buffer.alloc(1), new Uint8Array(1), undefined, null])
      assert.equal(publishProblem('a/b', payload, {}), undefined);
    for (const qos of [0, 1, 2, undefined] as const)
      assert.equal(publishProblem('t', 'x', qos === undefined ? {} : { qos }), undefined);
    assert.equal(publishProblem('', 'x', { properties: { topicAlias: 3 } }), undefined);
    assert.equal(publishProblem('€'.repeat(21_845), 'x', {}), undefined);
  });

  test('refuses what would break every connection in turn, with a code and a reason', () => {
    const wrong: [unknown, unknown, object, RegExp][] = [
      [undefined, 'x', {}, /topic must be a string, got undefined/],
      [5, 'x', {}, /topic must be a string, got number/],
      ['', 'x', {}, /topic is empty/],
      ['a/+', 'x', {}, /"a\/\+" contains \+, # or U\+0000/],
      ['#', 'x', {}, /contains/],
      ['a\u0000b', 'x', {}, /contains/],
      ['x'.repeat(65_536), 'x', {}, /longer than 65535 bytes/],
      ['€'.repeat(21_846), 'x', {}, /longer than 65535 bytes/],
      ['t', 5, {}, /payload must be a string or a Buffer, got number/],
      ['t', {}, {}, /payload .* got object/],
      ['t', 'x', { qos: 3 }, /QoS must be 0, 1 or 2, got 3/],
      ['t', 'x', { qos: '1' }, /QoS/],
    ];
    for (const [topic, payload, options, message] of wrong) {
      const problem = publishProblem(topic, payload, options);
      assert.equal(problem?.code, 'ERR_MESSAGE');
      assert.match(problem?.message ?? '', message);
    }
  });

  test('refuses a topic too long by its characters outside the basic plane', () => {
    assert.equal(publishProblem('😀'.repeat(16_383), 'x', {}), undefined);
    assert.ok(publishProblem('😀'.repeat(16_384), 'x', {}));
  });
});

describe('settle', () => {
  test('surfaces the error of a throwing callback as an uncaught one, after the others', () => {
    const later: (() => void)[] = [];
    const queue = mock.method(globalThis, 'queueMicrotask', (callback: () => void) => later.push(callback));
    try {
      const thrower = createMessage('t', 'x', {}, () => assert.fail('mine'), 0);
      settle(thrower, new Error('x'));
      assert.equal(later.length, 1);
      assert.throws(() => later[0]!(), /mine/);
    } finally {
      queue.mock.restore();
    }
  });
});

describe('user properties without a pair', () => {
  test('are left out: mqtt-packet would write nothing, and nothing would ever be acknowledged', () => {
    for (const userProperties of [{}, { a: [] }]) {
      const options = { qos: 1 as const, properties: { contentType: 'c', userProperties } };
      const { options: made } = createMessage('t', 'x', options, () => {}, 0);
      assert.deepEqual(made.properties, { contentType: 'c' });
      assert.equal(generate({ ...PUBLISH, ...options } as never, V5).length, 0);
    }
    const kept = { properties: { userProperties: { a: 'b' } } };
    assert.equal(createMessage('t', 'x', kept, () => {}, 0).options, kept);
  });
});

const V5 = { protocolVersion: 5 };
const PUBLISH = { cmd: 'publish', topic: 't', payload: '', messageId: 1 };
