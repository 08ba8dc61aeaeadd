// docs/api/: the reference of every exported name, a page for each entry, by TypeDoc from the docstrings. typedoc.json has the
// settings.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application, TypeDocReader } from 'typedoc';

/** Where the rules are written that a docstring cites; readers of the reference do not have them. */
const CITATION = /\s\((?:[A-Z]\d+(?:–\d+)?(?:, )?)+\)/g;

/**
 * The page of one entry as it should be.
 *
 * @param entry - Its source; the main one when left out.
 * @throws when a name, or a member of one, has no docstring, or mentions a type that is not exported.
 */
export async function apiPage(entry?: { source: string; name: string }): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'mqtt-failover-docs-'));
  // What the main page says need not be repeated by another entry that mentions it.
  const settings = entry
    ? {
        entryPoints: [entry.source],
        name: entry.name,
        validation: { notExported: false },
        intentionallyNotDocumented: [],
        intentionallyNotExported: [],
      }
    : {};
  try {
    const app = await Application.bootstrapWithPlugins({ ...settings, out, logLevel: 'Warn' }, [
      new TypeDocReader(),
    ]);
    const project = await app.convert();
    if (project) app.validate(project);
    if (!project || app.logger.hasErrors() || app.logger.hasWarnings())
      throw new Error('The docstrings of the public names are not complete, see above');
    await app.generateOutputs(project);
    const page = await readFile(join(out, 'README.md'), 'utf8');
    // The plugin takes the property `code` of `FailoverError`, which is in a table, for a heading of that name.
    return page.replace(CITATION, '').replaceAll('(#failovererrorcode-1)', '(#failovererrorcode)');
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
