/** Packet ids: one that is open is never given out again, whatever becomes of the connections (R100). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PacketIds } from '../../../src/delivery/packet-ids.js';
import { SeededRandom } from '../../support/seeded-random.js';

function world() {
  const inFlight = new Set<number>();
  return { inFlight, ids: new PacketIds(inFlight) };
}

describe('packet ids', () => {
  test('count up from 1 and remember the last', () => {
    const { ids } = world();
    assert.equal(ids.getLastAllocated(), null);
    assert.deepEqual([ids.allocate(), ids.allocate(), ids.getLastAllocated()], [1, 2, 2]);
    ids.deallocate(1);
    assert.equal(ids.allocate(), 3);
  });

  test('begin where they are told to, so that a new process does not take up those of the last', () => {
    const ids = new PacketIds(new Set(), 65_534);
    assert.deepEqual([ids.allocate(), ids.allocate()], [65_535, 1]);
  });

  test('start over after 65535, skip what is open, and are exhausted when all are', () => {
    const { ids } = world();
    for (let id = 1; id <= 65_535; id++) assert.equal(ids.allocate(), id);
    assert.equal(ids.allocate(), null);
    ids.deallocate(40_000);
    ids.deallocate(7);
    assert.deepEqual([ids.allocate(), ids.allocate(), ids.allocate()], [7, 40_000, null]);
    ids.deallocate(65_535);
    assert.equal(ids.allocate(), 65_535);
    ids.deallocate(1);
    assert.equal(ids.allocate(), 1);
  });

  test('can be registered once', () => {
    const { ids } = world();
    assert.deepEqual([ids.register(2), ids.register(2)], [true, false]);
    assert.deepEqual([ids.allocate(), ids.allocate()], [1, 3]);
  });

  test('keep those of publishes in flight when a connection begins', () => {
    const { ids, inFlight } = world();
    for (let i = 0; i < 5; i++) ids.allocate();
    inFlight.add(2).add(4);
    ids.clear();
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((id) => ids.register(id)),
      [true, false, true, false, true],
    );
  });

  test('are never used twice at once over 200 000 publishes with slow acknowledgements', () => {
    const { ids, inFlight } = world();
    const random = new SeededRandom(3);
    const open: number[] = [];
    for (let i = 0; i < 200_000; i++) {
      const id = ids.allocate();
      assert.ok(id !== null && id >= 1 && id <= 65_535 && !inFlight.has(id));
      inFlight.add(id);
      open.push(id);
      if (open.length > 1_000) {
        const at = Math.floor(random.next() * open.length);
        const [acknowledged] = open.splice(at, 1) as [number];
        inFlight.delete(acknowledged);
        ids.deallocate(acknowledged);
      }
      if (i % 10_000 === 0) ids.clear();
    }
  });
});
