/** What a store tells when it is opened, before anything of it is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordKey } from '../../../../src/delivery/store/keys.js';
import { Lives } from '../../../../src/delivery/store/lives.js';
import { StoreReader } from '../../../../src/delivery/store/store-reader.js';
import { VirtualClock } from '../../../support/virtual-clock.js';
import { MemoryDatabase } from '../../fakes/memory-database.js';

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

test('an empty store has none', async () => {
  assert.deepEqual(await (await storeOf([])).open(), { first: 1, last: 0, bytes: 0 });
});
