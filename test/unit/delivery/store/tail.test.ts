/**
 * What a tail knows of its topics while it is drained, scanned and added to at the same time.
 *
 * World: the real tail; its reader answers when, and in the order in which, the test says so.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Held } from '../../../../src/delivery/bounds.js';
import { createMessage, ignore } from '../../../../src/delivery/message.js';
import { Lives } from '../../../../src/delivery/store/lives.js';
import type { StoredEntry, StorePage, StoreReader } from '../../../../src/delivery/store/store-reader.js';
import { Tail } from '../../../../src/delivery/store/tail.js';
import { FailoverError } from '../../../../src/errors.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

const TOPICS = [...'abcdefgh'];
const UNREADABLE = new FailoverError('ERR_STORE', 'no key yet');
const PAGE = { size: 3, bytes: 1_000 };

interface StoredRecord {
  readonly topic: string;
  /** Attempts to read it that fail. */
  failures: number;
}

/** A tail over `records` of an earlier life, numbered from 1. */
function open(records: StoredRecord[]) {
  const clock = new VirtualClock();
  const reads: (() => void)[] = [];
  const entry = (sequence: number): StoredEntry => {
    const record = records[sequence - 1] as StoredRecord;
    const key = { sequence, bytes: 1 };
    record.failures -= 1;
    if (record.failures >= 0) return { key, received: false, error: UNREADABLE };
    const time = { life: 1, at: 0, wallAt: 0 };
    const { topic } = record;
    return { key, received: false, content: { topic, payload: new Uint8Array(), options: { qos: 1 }, time } };
  };
  const read = (first: number, last: number, { size }: Held) =>
    new Promise<StorePage>((resolve) => {
      const readUpTo = Math.min(last, first + size - 1);
      const numbers = Array.from({ length: readUpTo - first + 1 }, (_, i) => first + i);
      reads.push(() => resolve({ entries: numbers.map(entry), readUpTo }));
    });
  const state = { first: 1, last: records.length, bytes: records.length };
  const tail = new Tail({ read } as unknown as StoreReader, state, new Lives(clock, 2));
  let isFetching = false;
  let readUpTo = 0;
  const fetch = async () => {
    if (isFetching || tail.isEmpty) return;
    isFetching = true;
    const page = await tail.fetch(PAGE);
    isFetching = false;
    tail.adopt(page);
    ({ readUpTo } = page);
  };
  const add = (topic: string) => {
    records.push({ topic, failures: 0 });
    const message = createMessage(topic, '', { qos: 1 }, ignore, 0);
    tail.add(Object.assign(message, { sequence: records.length }));
  };
  const waiting = () => new Set(records.slice(readUpTo).map(({ topic }) => topic));
  const scan = () => {
    if (!tail.isScanning) void tail.scan(PAGE);
  };
  return { tail, reads, fetch, scan, add, waiting };
}

const story = fc.array(
  fc.oneof(
    fc.constantFrom('fetch' as const, 'scan' as const),
    { weight: 3, arbitrary: fc.record({ answer: fc.nat(1) }) },
    fc.record({ add: fc.constantFrom(...TOPICS) }),
  ),
  { maxLength: 60 },
);

describe('a tail that is drained, scanned and added to', () => {
  test('overlooks no topic, and forgets those that are gone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...TOPICS), { maxLength: 14 }),
        fc.option(fc.tuple(fc.nat(13), fc.constantFrom(1, 2, 9)), { nil: undefined }),
        story,
        async (topics, bad, steps) => {
          const [badAt, failures = 0] = bad ?? [];
          const records = topics.map((topic, i) => ({ topic, failures: i === badAt ? failures : 0 }));
          const { tail, reads, fetch, scan, add, waiting } = open(records);
          for (const step of steps) {
            if (step === 'fetch') void fetch();
            else if (step === 'scan') scan();
            else if ('add' in step) add(step.add);
            else reads.splice(step.answer % Math.max(1, reads.length), 1)[0]?.();
            await settle();
            const missed = [...waiting()].filter((topic) => !tail.mayHave(topic));
            assert.deepEqual(missed, []);
            if (!bad && tail.knowsTopics)
              assert.deepEqual(new Set(TOPICS.filter((topic) => tail.mayHave(topic))), waiting());
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('is scanned a page at a time, after the page that is being fetched, and then knows its topics', async () => {
    const { tail, reads, fetch, scan } = open([...'aabbccd'].map((topic) => ({ topic, failures: 0 })));
    const known = () => TOPICS.filter((topic) => tail.mayHave(topic));
    void fetch();
    scan();
    await settle();
    const underWay: number[] = [];
    for (let rounds = 0; rounds < 10 && !tail.knowsTopics; rounds += 1) {
      assert.deepEqual(known(), TOPICS, 'nobody knows yet what is not there');
      underWay.push(reads.length);
      reads.shift()?.();
      await settle();
    }
    assert.deepEqual(underWay, [1, 1, 1]);
    assert.deepEqual(known(), ['b', 'c', 'd']);
  });
});
