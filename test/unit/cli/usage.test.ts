// Guesses at what a user meant: near words are found, far ones are not suggested.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from '../../../src/cli/usage.js';

describe('editDistance', () => {
  it('counts insertions, deletions, replacements and swaps of neighbours', () => {
    assert.equal(editDistance('doctor', 'doctor'), 0);
    assert.equal(editDistance('dcotor', 'doctor'), 1);
    assert.equal(editDistance('docto', 'doctor'), 1);
    assert.equal(editDistance('dokktor', 'doctor'), 2);
    assert.equal(editDistance('', 'abc'), 3);
  });

  it('is symmetric, and at most the length of the longer word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.ok(distance <= Math.max(a.length, b.length));
        assert.equal(distance === 0, a === b);
      }),
    );
  });
});

describe('nearest', () => {
  it('finds the command behind one slip of the keyboard', () => {
    const names = ['where', 'plan', 'doctor', 'watch'];
    const index = fc.nat({ max: 10 });
    fc.assert(
      fc.property(fc.constantFrom(...names), index, (name, at) => {
        const slipped = name.slice(0, at % name.length) + name.slice((at % name.length) + 1);
        assert.equal(nearest(slipped, names), name);
      }),
    );
  });

  it('suggests nothing for a word that is like none', () => {
    assert.equal(nearest('xylophone', ['where', 'plan', 'pub', 'sub']), undefined);
    assert.equal(nearest('', ['pub']), undefined);
  });
});
