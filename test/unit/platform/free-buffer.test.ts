import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeFreeBuffer } from '../../../src/platform/free-buffer.js';

const MIB = 1024 * 1024;

test('the memory of a buffer is given back at once, again and again', () => {
  const freeBuffer = nodeFreeBuffer();
  const buffers = Array.from({ length: 64 }, () => new ArrayBuffer(MIB));
  const held = process.memoryUsage().arrayBuffers;
  for (const buffer of buffers) freeBuffer(buffer);
  // Nearly: what other tests have left may be collected, and counted, at any time.
  assert.ok(held - process.memoryUsage().arrayBuffers > 60 * MIB);
  assert.deepEqual(new Set(buffers.map(({ byteLength }) => byteLength)), new Set([0]));
});

test('a buffer without bytes can be freed, too', () => {
  assert.doesNotThrow(() => nodeFreeBuffer()(new ArrayBuffer(0)));
});
