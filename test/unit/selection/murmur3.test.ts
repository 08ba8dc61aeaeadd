/**
 * The placement hash, against the published algorithm: every runtime, and every later version of this package, must
 * compute the same numbers or clients would move for nothing.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { murmur3, PlacementHash } from '../../../src/selection/murmur3.js';

fc.configureGlobal({ seed: 1 });

/** MurmurHash3 x86_32 as Austin Appleby published it, over bytes. */
function reference(bytes: Uint8Array, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  const scramble = (k: number) => Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
  let h = seed;
  const blocks = bytes.length >>> 2;
  for (let i = 0; i < blocks; i++) {
    h = (Math.imul(rotate(h ^ scramble(view.getInt32(i * 4, true)), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= blocks * 4; i--) tail = (tail << 8) | bytes[i]!;
  if (bytes.length & 3) h ^= scramble(tail);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
/** Any sequence of UTF-16 units: pairs, lone halves in either order, control characters. */
const anyText = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0x7f }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0xd800, max: 0xdfff }),
    ),
    { maxLength: 40 },
  )
  .map((units) => String.fromCharCode(...units));

describe('murmur3', () => {
  test('gives the published vectors', () => {
    const vectors = [
      ['', 0, 0],
      ['', 1, 0x514e28b7],
      ['', 0xffffffff, 0x81f16f39],
      ['hello', 0, 0x248bfa47],
      ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ] as const;
    assert.deepEqual(
      vectors.map(([text, seed]) => murmur3(text, seed)),
      vectors.map(([, , hash]) => hash),
    );
  });

  test('is compared with a reference that passes SMHasher verification', () => {
    const hashes = new DataView(new ArrayBuffer(1024));
    const key = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (let i = 0; i < 256; i++) hashes.setUint32(i * 4, reference(key.subarray(0, i), 256 - i), true);
    assert.equal(reference(new Uint8Array(hashes.buffer), 0), 0xb0f57ee3);
  });

  test('hashes any text, lone surrogates included, as TextEncoder encodes it', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 0xffffffff }), (text, seed) => {
        assert.equal(murmur3(text, seed), reference(utf8(text), seed));
      }),
      { numRuns: 2_000 },
    );
  });

  test('changes half of the bits, within a tenth, when one letter changes', () => {
    let flipped = 0;
    for (let i = 0; i < 5_000; i++) {
      let bits = murmur3(`device-${i}`) ^ murmur3(`device-${i + 1}`);
      for (; bits !== 0; bits &= bits - 1) flipped++;
    }
    const mean = flipped / 5_000;
    assert.ok(mean > 14.4 && mean < 17.6, `${mean} bits of 32`);
  });
});

describe('placement hash', () => {
  test('covers client id, a zero byte and endpoint id with both seeds', () => {
    fc.assert(
      fc.property(anyText, fc.array(anyText, { minLength: 1, maxLength: 4 }), (clientId, endpointIds) => {
        const hash = new PlacementHash(clientId);
        for (const id of endpointIds) {
          const bytes = Uint8Array.from([...utf8(clientId), 0, ...utf8(id)]);
          const value = hash.hash(id);
          assert.equal(hash.high, reference(bytes, 0));
          assert.equal(hash.low, reference(bytes, 0x9747b28c));
          assert.equal(value, (hash.high >>> 6) * 2 ** 26 + (hash.low >>> 6));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('stays an exact integer below 2^52', () => {
    fc.assert(
      fc.property(anyText, anyText, (clientId, id) => {
        const value = new PlacementHash(clientId).hash(id);
        assert.ok(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52);
      }),
    );
  });
});
