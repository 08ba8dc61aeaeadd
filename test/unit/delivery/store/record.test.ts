/** Records: what is written comes back, and nothing else does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 as nodeCrc32 } from 'node:zlib';
import fc from 'fast-check';
import type { IClientPublishOptions } from 'mqtt';
import { createMessage, publishProblem } from '../../../../src/delivery/message.js';
import { crc32 } from '../../../../src/delivery/store/crc32.js';
import { parseRecordKey, recordKey } from '../../../../src/delivery/store/keys.js';
import { decodeBody, encodeBody, frame, unframe } from '../../../../src/delivery/store/record.js';

const TIME = { life: 4_000_000_000, at: 1.5, wallAt: 1_767_225_600_000 };

function bytesOf(topic: string, payload: string | Uint8Array, options: IClientPublishOptions): Uint8Array {
  return frame(
    encodeBody(
      createMessage(topic, payload, options, () => {}, 0),
      TIME,
    ),
  );
}

describe('a record', () => {
  test('brings any message back', () => {
    fc.assert(
      fc.property(
        fc
          .string({ unit: 'grapheme', minLength: 1, maxLength: 50 })
          .filter((topic) => publishProblem(topic, '', {}) === undefined),
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(1 as const, 2 as const),
        fc.boolean(),
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1 })), {
          minKeys: 1,
        }),
        (topic, payload, qos, retain, userProperties) => {
          const bytes = bytesOf(topic, payload, { qos, retain, properties: { userProperties } });
          const { options, ...content } = decodeBody(unframe(bytes));
          assert.deepEqual(content, { topic, payload, time: TIME });
          assert.deepEqual([options.qos, options.retain], [qos, retain]);
          assert.equal(JSON.stringify(options.properties), JSON.stringify({ userProperties }));
        },
      ),
    );
  });

  test('is refused when any bit of it has changed, and at any length', () => {
    const bytes = bytesOf('topic', 'payload', { qos: 1, properties: { contentType: 'x' } });
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.throws(() => unframe(flipped), { code: 'ERR_STORE' });
    }
    for (let length = 0; length < bytes.length; length += 1)
      assert.throws(() => unframe(bytes.subarray(0, length)), { code: 'ERR_STORE' });
  });

  test('throws nothing but ERR_STORE, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeBody(bytes);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_STORE');
        }
      }),
    );
  });

  test('is refused when it holds what no publish could have written', () => {
    const body = (topic: string, properties: object) =>
      encodeBody(
        createMessage(topic, '', { qos: 1, properties } as IClientPublishOptions, () => {}, 0),
        TIME,
      );
    for (const [topic, properties] of [
      ['a/#', {}],
      ['', {}],
      ['a', { messageExpiryInterval: 'soon' }],
      ['a', { contentType: {} }],
      ['a', { contentType: 'x'.repeat(65_536) }],
      ['a', { correlationData: [256] }],
      ['a', { userProperties: { a: {} } }],
      ['a', { userProperties: 'a' }],
      ['a', { payloadFormatIndicator: 1 }],
    ] as const)
      assert.throws(() => decodeBody(body(topic, properties)), { code: 'ERR_STORE' });
  });

  test('does not reach the prototype of anything', () => {
    const body = encodeBody(
      createMessage(
        't',
        '',
        { qos: 1, properties: { userProperties: JSON.parse('{"__proto__":"x"}') } },
        () => {},
        0,
      ),
      TIME,
    );
    assert.equal(Object.getPrototypeOf(decodeBody(body).options.properties), Object.prototype);
    assert.equal(({} as Record<string, unknown>).x, undefined);
  });
});

describe('a checksum', () => {
  test('is that of zlib', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        if (nodeCrc32) assert.equal(crc32(bytes), nodeCrc32(bytes));
      }),
    );
    assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  });
});

describe('a key', () => {
  test('sorts as numbers do and tells number and size', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.nat(2 ** 40), fc.nat(2 ** 30), (a, b, bytes) => {
        const key = recordKey({ sequence: a, bytes });
        assert.deepEqual(parseRecordKey(key), { sequence: a, bytes });
        assert.equal(key < recordKey({ sequence: b, bytes: 0 }), a < b);
      }),
    );
    assert.equal(parseRecordKey('meta'), undefined);
  });
});
