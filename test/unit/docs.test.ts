// Generated pages are as fresh as what they are generated from, and docstrings name the defaults that hold.
// docs/api takes TypeDoc seconds: `npm run verify` looks at it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { literalDefault, type OptionRow, optionRows } from '../../scripts/docs/option-rows.js';
import { optionsPage, withOptionsTable } from '../../scripts/docs/options-pages.js';
import { outcomesPage } from '../../scripts/docs/outcomes-page.js';
import { GROUP_NAMES, resolveOptions } from '../../src/options.js';

const page = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const NODE = { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 };

describe('generated pages (npm run docs writes them)', () => {
  it('docs/outcomes.md is what the outcome table says', () => {
    assert.equal(page('docs/outcomes.md'), outcomesPage());
  });

  it("docs/options.md and the README's table are what the docstrings of the options say", () => {
    assert.equal(page('docs/options.md'), optionsPage());
    const readme = page('README.md');
    assert.equal(readme, withOptionsTable(readme));
  });
});

describe('docstrings of the options', () => {
  const groups = optionRows();
  const leaves = (row: OptionRow): readonly OptionRow[] => [row, ...row.fields.flatMap(leaves)];
  const all = groups.flatMap(leaves);

  it('say what every option is', () => {
    assert.ok(all.length > 50, `${all.length} options`);
    assert.deepEqual(
      all.filter(({ text }) => text.length < 20).map(({ path }) => path),
      [],
    );
  });

  it('name the defaults that the client uses', () => {
    const resolved = resolveOptions({ clientId: 'a' }, NODE);
    const used = (path: string) =>
      path
        .replace('outbox.replay.', 'outbox.')
        .split('.')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], resolved);
    // What resolves elsewhere, or into something else.
    const elsewhere = ['backoff.profile', 'tabs', 'discovery.refreshMs'];
    const literal = all.filter((row) => literalDefault(row) !== undefined);
    assert.ok(literal.length > 30, `${literal.length} defaults`);
    for (const row of literal) {
      if (!elsewhere.includes(row.path)) assert.equal(used(row.path), literalDefault(row), row.path);
    }
  });

  it('are there for exactly the options that are known', () => {
    assert.deepEqual(groups.map(({ path }) => path).sort(), [...GROUP_NAMES].sort());
    for (const { path, fields } of all.filter((row) => row.fields.length > 0)) {
      const wrong = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), { zz: 1 });
      const known = fields.map((field) => field.path.slice(path.length + 1)).sort();
      assert.throws(
        () => resolveOptions(wrong as object, NODE),
        ({ message }: Error) => {
          const named = /known here: (.+)$/.exec(message)?.[1]?.split(', ').sort();
          assert.deepEqual(named, known, path);
          return true;
        },
      );
    }
  });
});
