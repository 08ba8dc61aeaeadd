// node scripts/package/release.mjs <tag>
// Fails unless the tag, package.json, the lock file and the changelog name the same version.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('../../', import.meta.url)));
const [tag = ''] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

const { version } = json('package.json');
const problems = [
  ...(tag === `v${version}`
    ? []
    : [`the tag is "${tag}", and package.json says ${version}: tag v${version}`]),
  ...(json('package-lock.json').version === version
    ? []
    : ['package-lock.json has another version: npm install']),
  ...(new RegExp(`^## \\[?${version.replaceAll('.', '\\.')}\\]? - \\d{4}-\\d\\d-\\d\\d$`, 'm').test(
    readFileSync('CHANGELOG.md', 'utf8'),
  )
    ? []
    : [`CHANGELOG.md has no "## ${version} - YYYY-MM-DD"`]),
];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
