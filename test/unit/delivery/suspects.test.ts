/** Who ends connections: strikes for all that was on the wire, proof for what was alone on it (R92). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mayBeOurDoing, Suspects } from '../../../src/delivery/suspects.js';
import { FailoverError } from '../../../src/errors.js';
import type { Outcome } from '../../../src/health/outcomes.js';

interface Item {
  readonly name: string;
  open: boolean;
}

function world(...names: string[]) {
  const items = names.map((name): Item => ({ name, open: true }));
  return { items, suspects: new Suspects<Item>(({ open }) => open) };
}

describe('a suspicion', () => {
  test('needs two links that ended over the same item, and proof a third with it alone', () => {
    const { items, suspects } = world('a', 'b');
    assert.deepEqual(suspects.linkEnded(items), { suspected: false, culprit: undefined });
    assert.equal(suspects.any, false);
    assert.deepEqual(suspects.linkEnded(items), { suspected: true, culprit: undefined });
    assert.ok(suspects.has(items[0]!) && suspects.has(items[1]!));
    suspects.acquit(items[0]!);
    assert.deepEqual(suspects.linkEnded([items[1]!]), { suspected: true, culprit: items[1] });
  });

  test('is no proof in company, however often', () => {
    const { items, suspects } = world('a', 'b');
    for (let i = 0; i < 9; i++) assert.equal(suspects.linkEnded(items).culprit, undefined);
  });

  test('ends with an answer, and starts from nothing after it', () => {
    const { items, suspects } = world('a');
    suspects.linkEnded(items);
    suspects.linkEnded(items);
    suspects.acquit(items[0]!);
    assert.equal(suspects.any, false);
    assert.equal(suspects.linkEnded(items).suspected, false);
  });

  test('ends for all when one is proven', () => {
    const { items, suspects } = world('a', 'b', 'c');
    suspects.linkEnded(items);
    suspects.linkEnded(items);
    assert.equal(suspects.linkEnded([items[0]!]).culprit, items[0]);
    assert.equal(suspects.any, false);
    assert.equal(suspects.linkEnded([items[1]!]).suspected, false);
  });

  test('of many ends when the first of them is innocent, and the next time for none but the one', () => {
    const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
    const { items, suspects } = world(...names(9));
    suspects.linkEnded(items);
    suspects.linkEnded(items);
    suspects.withstood(items[0]!);
    assert.equal(suspects.any, false);
    const others = items.slice(1);
    assert.equal(suspects.linkEnded(others).suspected, true);
    suspects.withstood(others[0]!);
    assert.ok(others.slice(1).every((item) => suspects.has(item)));
    assert.equal(suspects.linkEnded([others[3]!]).culprit, others[3]);
  });

  test('of few ends for one at a time', () => {
    const { items, suspects } = world('a', 'b', 'c');
    suspects.linkEnded(items);
    suspects.linkEnded(items);
    suspects.withstood(items[0]!);
    assert.deepEqual(
      items.map((item) => suspects.has(item)),
      [false, true, true],
    );
  });

  test('ends with what was settled otherwise', () => {
    const { items, suspects } = world('a', 'b');
    suspects.linkEnded(items);
    suspects.linkEnded(items);
    items[0]!.open = false;
    assert.equal(suspects.any, true);
    items[1]!.open = false;
    assert.equal(suspects.any, false);
  });
});

describe('the end of a link', () => {
  const verdict = (outcome: Outcome, cause?: unknown) =>
    mayBeOurDoing(new FailoverError('ERR_LINK', 'x', { outcome, cause }));

  test('may be our doing when the broker says so, or says nothing', () => {
    const cases: [Outcome, unknown?][] = [
      [{ kind: 'disconnect', code: 0x81 }],
      [{ kind: 'disconnect', code: 0x95 }],
      [{ kind: 'link', code: 'closed' }],
      [{ kind: 'link', code: 'closed' }, { code: 'ECONNRESET' }],
      [{ kind: 'websocket', code: 1006 }],
      [{ kind: 'websocket', code: 1009 }],
    ];
    for (const [outcome, cause] of cases) assert.ok(verdict(outcome, cause), JSON.stringify(outcome));
  });

  test('is not when the broker has another reason, the network is gone, or a deadline of ours passed', () => {
    const cases: [Outcome, unknown?][] = [
      [{ kind: 'disconnect', code: 0x8b }],
      [{ kind: 'disconnect', code: 0x8e }],
      [{ kind: 'disconnect', code: 0x97 }],
      [{ kind: 'link', code: 'silent' }],
      [{ kind: 'link', code: 'malformed' }],
      [{ kind: 'link', code: 'closed' }, { code: 'ETIMEDOUT' }],
      [{ kind: 'websocket', code: 1001 }],
    ];
    for (const [outcome, cause] of cases) assert.ok(!verdict(outcome, cause), JSON.stringify(outcome));
    assert.ok(!mayBeOurDoing(new FailoverError('ERR_LINK', 'x')));
  });
});
