/** What a store tells when it is opened, before anything of it is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { receivedKey, recordKey } from '../../../../src/delivery/store/keys.js';
import { Lives } from '../../../../src/delivery/store/lives.js';
import { StoreReader } from '../../../../src/delivery/store/store-reader.js';
import { VirtualClock } from '../../../support/virtual-clock.js';
import { MemoryDatabase } from '../../fakes/memory-database.js';

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);

/** A store with messages of these sizes, numbered from 1. */
async function storeOf(sizes: readonly number[]): Promise<StoreReader> {
  const section = new MemoryDatabase().sublevel(['outbox']);
  const operations = sizes.map((bytes, at) => {
    return { type: 'put', key: recordKey({ sequence: at + 1, bytes }), value: Uint8Array.of(0) } as const;
  });
  await section.batch(operations, { sync: true });
  return new StoreReader(section, new Lives(new VirtualClock(), 7), undefined);
}

test('a store that is opened knows its bytes exactly when they are few', async () => {
  const reader = await storeOf([10, 20, 60]);
  assert.deepEqual(await reader.open(), { first: 1, last: 3, bytes: 90 });
});

test('of very many messages it takes the first ones for all, until they are counted', async () => {
  const reader = await storeOf(Array.from({ length: 5_000 }, (_, at) => (at < 4_000 ? 100 : 50)));
  assert.deepEqual(await reader.open(), { first: 1, last: 5_000, bytes: 500_000 });
  assert.deepEqual(await reader.count(1, 5_000), { messages: 5_000, bytes: 450_000 });
});

test('every note of a PUBREC is read, however many there are', async () => {
  const section = new MemoryDatabase().sublevel(['outbox']);
  const numbers = Array.from({ length: 1_000 }, (_, at) => at + 1);
  const keys = numbers.flatMap((sequence) => [recordKey({ sequence, bytes: 1 }), receivedKey(sequence)]);
  const operations = keys.map((key) => ({ type: 'put', key, value: Uint8Array.of(1) }) as const);
  await section.batch(operations, { sync: true });
  const reader = new StoreReader(section, new Lives(new VirtualClock(), 7), undefined);
  await reader.open();
  const { entries } = await reader.read(1, 1_000, { size: 1_000, bytes: 1_000 });
  assert.equal(entries.filter(({ received }) => received).length, 1_000);
});

test('an empty store has none', async () => {
  assert.deepEqual(await (await storeOf([])).open(), { first: 1, last: 0, bytes: 0 });
});

test('a page has what there is room for, a step more at most, and all pages have everything', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ bytes: fc.constantFrom(1, 10, 300, 5_000), run: fc.integer({ min: 1, max: 300 }) }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.integer({ min: 1, max: 800 }),
      fc.integer({ min: 1, max: 10_000 }),
      async (runs, size, bytes) => {
        const sizes = runs.flatMap((each) => Array.from({ length: each.run }, () => each.bytes));
        const isAlike = new Set(sizes).size === 1;
        const reader = await storeOf(sizes);
        await reader.open();
        const read: number[] = [];
        while (read.length < sizes.length) {
          const { entries, readUpTo } = await reader.read(read.length + 1, sizes.length, { size, bytes });
          const weights = entries.map(({ key }) => key.bytes);
          assert.ok(weights.length <= size);
          const most = isAlike ? Math.max(bytes, sizes[0] as number) : bytes;
          // The last step may be heavier than the one before it let expect: a block of the database, no more.
          assert.ok(sum(isAlike ? weights : weights.slice(0, -400)) <= most, `${weights}`);
          read.push(...entries.map(({ key }) => key.sequence));
          assert.equal(read.at(-1), readUpTo);
        }
        assert.deepEqual(
          read,
          sizes.map((_, at) => at + 1),
        );
      },
    ),
    { numRuns: 30 },
  );
});
