// Generated pages are as fresh as what they are generated from, docstrings name the defaults that hold, and links lead somewhere.
// docs/api takes TypeDoc seconds: `npm run verify` looks at it.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import { Comparison } from '../../scripts/docs/comparison.js';
import { comparisonCharts } from '../../scripts/docs/comparison-charts.js';
import { benchmarkPage, withComparison } from '../../scripts/docs/comparison-pages.js';
import { literalDefault, type OptionRow, optionRows } from '../../scripts/docs/option-rows.js';
import { optionsPage, withOptionsTable } from '../../scripts/docs/options-pages.js';
import { outcomesPage } from '../../scripts/docs/outcomes-page.js';
import { GROUP_NAMES } from '../../src/options/groups.js';
import { resolveOptions } from '../../src/options/resolve.js';

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

describe('docs/troubleshooting.md', () => {
  /** The literals of a union type, as its file writes them. */
  const union = (file: string, name: string) =>
    new RegExp(`${name} ?[:=]([^;]*);`)
      .exec(page(file))?.[1]
      ?.match(/(?<=')\w+(?=')/g)
      ?.sort() ?? [];
  const rows = (heading: string) => {
    const section = page('docs/troubleshooting.md').split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
    return (section.match(/(?<=^\| `)\w+(?=`)/gm) ?? []).sort();
  };

  it('says what to do about every error code and every warning', () => {
    const codes = union('src/errors.ts', 'FailoverErrorCode');
    assert.ok(codes.length > 15, `${codes.length} codes`);
    assert.deepEqual(rows('By error code'), codes);
    const warnings = union('src/warnings.ts', 'code');
    assert.ok(warnings.length > 3, `${warnings.length} warnings`);
    assert.deepEqual(rows('Warnings'), warnings);
  });
});

describe('links between pages', () => {
  const folders = ['', 'docs/', 'docs/api/', 'examples/', 'examples/registry/', 'examples/react/'];
  const pages = folders.flatMap((folder) =>
    readdirSync(new URL(`../../${folder}`, import.meta.url))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `${folder}${file}`),
  );
  /** As GitHub makes an anchor of a heading; the reference has anchors of its own, too. */
  const anchors = (path: string) => {
    const seen = new Map<string, number>();
    const headings = [...page(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
      const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
      const slug = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    });
    return new Set([...headings, ...[...page(path).matchAll(/<a id="([^"]+)"/g)].map(([, id]) => id)]);
  };

  it('lead to files and headings that exist', () => {
    const broken = pages.flatMap((path) =>
      [...page(path).matchAll(/(?:\]\(|(?:src|srcset)="(?=docs\/))(?!https?:)([^)"\s]+)/g)].flatMap(
        ([, link = '']) => {
          const [file = '', anchor] = link.split('#');
          const target = file === '' ? path : posix.join(posix.dirname(path), file);
          const exists = existsSync(new URL(`../../${target}`, import.meta.url));
          const leads = exists && (anchor === undefined || anchors(target).has(anchor));
          return leads ? [] : [`${path}: ${link}`];
        },
      ),
    );
    assert.deepEqual(broken, []);
  });
});

describe('the figures of the comparison benchmark (npm run docs writes them)', () => {
  const comparison = Comparison.read();

  it('in docs/benchmark.md and in the README are those that were measured', () => {
    assert.equal(page('docs/benchmark.md'), benchmarkPage(comparison));
    const readme = page('README.md');
    assert.equal(readme, withComparison(readme, comparison));
  });

  it('are those of the charts', () => {
    for (const [path, svg] of Object.entries(comparisonCharts(comparison))) {
      assert.equal(page(path), svg, path);
      // What is not XML is not shown: after the quote that ends an attribute comes space, or the end of the tag.
      assert.doesNotMatch(svg, /="[^"]*"[^\s/>?]/, path);
    }
  });

  it('are of all scenarios, and of our client without a loss', () => {
    const names = [
      'crash',
      'hang',
      'syn-drop',
      'silent-accept',
      'load',
      'memory',
      'rolling-restart',
      'storm',
    ];
    assert.deepEqual(
      comparison.scenarios.map(({ name }) => name),
      names,
    );
    for (const name of names.slice(0, 4))
      assert.equal(comparison.total(name, 'lost', 'mqtt-failover'), 0, name);
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

/** Every page that readers find in the repository. */
function pages(folder = ''): string[] {
  return readdirSync(new URL(`../../${folder}`, import.meta.url), { withFileTypes: true }).flatMap(
    (entry) => {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory())
        return /^(node_modules|dist|coverage|\.git)$/.test(entry.name) ? [] : pages(`${path}/`);
      return path.endsWith('.md') ? [path] : [];
    },
  );
}

/** A page without what is code, where a link is none. */
const prose = (text: string) => text.replace(/^(```+).*?^\1/gms, '').replace(/`[^`\n]*`/g, '');

/** What a link may lead to: headings as GitHub names them, and anchors that are written out. */
function anchors(text: string): Set<string> {
  const found = new Set([...text.matchAll(/<a id="([^"]+)"/g)].map(([, id]) => id as string));
  const times = new Map<string, number>();
  for (const [, heading = ''] of text.replace(/^(```+).*?^\1/gms, '').matchAll(/^#{1,6} +(.+)$/gm)) {
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = shown
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const before = times.get(slug) ?? 0;
    times.set(slug, before + 1);
    found.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return found;
}

describe('links', () => {
  const root = new URL('../../', import.meta.url);
  const texts = new Map(pages().map((path) => [path, readFileSync(new URL(path, root), 'utf8')]));

  it('between pages lead to files and headings that are there', () => {
    const broken: string[] = [];
    let links = 0;
    for (const [page, text] of texts) {
      for (const [, target = ''] of prose(text).matchAll(/(?:\]\(|(?:src|srcset|href)=")([^)\s"]+)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        links += 1;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : posix.join(posix.dirname(page), path);
        const isThere = existsSync(new URL(file, root));
        const hasAnchor = !anchor || anchors(texts.get(file) ?? '').has(anchor);
        if (!isThere || !hasAnchor) broken.push(`${page}: ${target}`);
      }
    }
    assert.deepEqual(broken, []);
    assert.ok(links > 100, `${links} links were looked at`);
  });
});
