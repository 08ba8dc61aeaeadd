// node scripts/package/main.mjs
// Packs the package and judges the tarball: metadata, types, contents, licences, and use by projects of other people.
// Needs a build.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { useAsConsumers } from './consumers.mjs';
import { contentProblems, mapProblems } from './contents.mjs';
import { licenceProblems } from './licences.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
process.chdir(root);

const json = async (path) => JSON.parse(await readFile(path, 'utf8'));
const folder = await realpath(await mkdtemp(join(tmpdir(), 'mqtt-failover-package-')));
try {
  const manifest = await json('package.json');
  const [pack] = await packInto(folder);
  const tarball = join(folder, pack.filename);
  const outcomes = await Promise.all([
    outcome('publint', () => tool('publint/src/cli.js', tarball, '--strict')),
    outcome('are the types wrong', () =>
      tool('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'node16'),
    ),
    outcome('contents', async () =>
      expectNone([...contentProblems(pack, manifest), ...(await allMapProblems())]),
    ),
    outcome('licences', async () => expectNone(licenceProblems(await json('package-lock.json')))),
    outcome('consumers', () => useAsConsumers(root, folder, tarball, manifest)),
  ]);
  if (outcomes.includes(false)) process.exitCode = 1;
  else console.log(`${pack.filename}: ${pack.entryCount} files, ${(pack.size / 1e6).toFixed(1)} MB`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function packInto(destination) {
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', destination];
  const { stdout } = await run('npm', args, { shell: process.platform === 'win32', maxBuffer: 1e7 });
  return JSON.parse(stdout);
}

function tool(path, ...args) {
  return run(process.execPath, [join(root, 'node_modules', path), ...args], { maxBuffer: 1e7 });
}

async function allMapProblems() {
  const files = await readdir('dist', { recursive: true });
  const maps = files.filter((file) => file.endsWith('.map')).map((file) => join('dist', file));
  return (await Promise.all(maps.map(async (path) => mapProblems(path, await json(path))))).flat();
}

function expectNone(problems) {
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/** Whether a check passed; why it did not is told. */
async function outcome(name, check) {
  try {
    await check();
    return true;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error;
    console.error(`${name}:\n${`${stdout}${stderr}`.trim() || message}\n`);
    return false;
  }
}
