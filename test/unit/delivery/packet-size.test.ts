/** The size of a PUBLISH before it is written, against mqtt-packet, which writes it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { IClientPublishOptions } from 'mqtt';
import { generate } from 'mqtt-packet';
import { publishSize } from '../../../src/delivery/packet-size.js';

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const properties: fc.Arbitrary<NonNullable<IClientPublishOptions['properties']>> = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: fc.nat(),
    topicAlias: fc.integer({ min: 1, max: 65_535 }),
    responseTopic: word,
    contentType: word,
    correlationData: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }),
    userProperties: fc.dictionary(word, fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 4 })), {
      minKeys: 1,
      maxKeys: 5,
      noNullPrototype: true,
    }),
  },
  { requiredKeys: [] },
);

describe('the size of a PUBLISH', () => {
  test('is what mqtt-packet writes, for every version, QoS and set of properties', () => {
    fc.assert(
      fc.property(
        word,
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 300 }),
          fc.uint8Array({ maxLength: 20_000 }).map((b) => Buffer.from(b)),
        ),
        fc.constantFrom(0, 1, 2),
        fc.option(properties, { nil: undefined }),
        (topic, payload, qos, given) => {
          const packet = { cmd: 'publish', topic, payload, qos, messageId: 1, retain: false, dup: false };
          const v5 = generate({ ...packet, properties: given } as never, { protocolVersion: 5 });
          const v4 = generate(packet as never, { protocolVersion: 4 });
          const message = { topic, payload, qos: qos as 0 | 1 | 2 };
          assert.equal(publishSize(message, given ?? {}), v5.length);
          assert.equal(publishSize(message, undefined), v4.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('grows by the length prefix at each of its steps', () => {
    for (const bytes of [123, 124, 125, 16_379, 16_380, 2_097_147, 2_097_148]) {
      const packet = { cmd: 'publish', topic: 't', payload: Buffer.alloc(bytes), qos: 0 };
      const written = generate(packet as never, { protocolVersion: 4 }).length;
      const size = publishSize({ topic: 't', payload: Buffer.alloc(bytes), qos: 0 }, undefined);
      assert.equal(size, written);
    }
  });
});
