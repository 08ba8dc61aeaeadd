// Generated pages are as fresh as what they are generated from.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { outcomesPage } from '../../scripts/outcomes-page.js';

describe('docs/outcomes.md', () => {
  it('is what the outcome table says (npm run docs writes it)', async () => {
    const page = await readFile(new URL('../../docs/outcomes.md', import.meta.url), 'utf8');
    assert.equal(page, outcomesPage());
  });
});
