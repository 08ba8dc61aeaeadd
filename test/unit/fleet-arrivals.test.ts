// The other half of the fleet page's books: gaps are seen, duplicates are not counted, and strangers cannot fill memory.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Arrivals } from '../../examples/demo/web/arrivals.js';

describe('arrivals', () => {
  it('are complete up to the first number that is missing, in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 30 }), (numbers) => {
        const arrivals = new Arrivals();
        for (const number of numbers) arrivals.record('fleet/1-a/sensor-01', `${number} 20.5`);
        const complete = arrivals.of('1-a')['sensor-01'] ?? 0;
        const all = Array.from({ length: complete }, (_, i) => i + 1);
        assert.ok(all.every((number) => numbers.includes(number)));
        assert.ok(!numbers.includes(complete + 1));
      }),
    );
  });

  it('ignore what is not a reading', () => {
    const arrivals = new Arrivals();
    for (const [topic, payload] of [
      ['fleet/1-a/sensor-01', '0'],
      ['fleet/1-a/sensor-01', '-1'],
      ['fleet/1-a/sensor-01', '1e3'],
      ['fleet/1-a/sensor-01', ''],
      ['fleet/1-a', '1'],
      ['other/1-a/sensor-01', '1'],
      ['fleet/1-a/__proto__', '1'],
      [`fleet/1-a/${'a'.repeat(33)}`, '1'],
    ] as const)
      arrivals.record(topic, payload);
    assert.deepEqual(arrivals.of('1-a'), {});
  });

  it('forget the oldest session when there are too many, and take 64 devices of one', () => {
    const arrivals = new Arrivals();
    for (let i = 1; i <= 17; i += 1) arrivals.record(`fleet/${i}/sensor-01`, '1');
    assert.deepEqual(arrivals.of('1'), {});
    assert.deepEqual(arrivals.of('17'), { 'sensor-01': 1 });
    for (let i = 1; i <= 100; i += 1) arrivals.record(`fleet/17/device-${i}`, '1');
    assert.equal(Object.keys(arrivals.of('17')).length, 64);
  });
});
