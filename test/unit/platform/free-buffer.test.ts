import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeFreeBuffer } from '../../../src/platform/free-buffer.js';

const MIB = 1024 * 1024;

test('the memory of a buffer is given back at once, again and again', () => {
  const freeBuffer = nodeFreeBuffer();
  const before = process.memoryUsage().arrayBuffers;
  const freed = Array.from({ length: 64 }, () => new ArrayBuffer(MIB));
  assert.ok(process.memoryUsage().arrayBuffers - before >= 64 * MIB);
  for (const buffer of freed) freeBuffer(buffer);
  assert.ok(process.memoryUsage().arrayBuffers - before < MIB);
  assert.deepEqual(new Set(freed.map(({ byteLength }) => byteLength)), new Set([0]));
});

test('a buffer without bytes can be freed, too', () => {
  assert.doesNotThrow(() => nodeFreeBuffer()(new ArrayBuffer(0)));
});
