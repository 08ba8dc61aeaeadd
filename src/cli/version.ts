/** The version of the package that the program is part of. */
import { readFile } from 'node:fs/promises';

/** Where the manifest is, from the built program and from its source. */
const MANIFESTS = ['../package.json', '../../package.json'];

/** As `package.json` says. */
export async function version(): Promise<string> {
  for (const path of MANIFESTS) {
    const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  return 'unknown';
}
