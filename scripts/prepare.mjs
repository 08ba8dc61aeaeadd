// Brings a checkout to the point where its other commands can run: dependencies installed and, with
// `--build`, the bundle built. Does nothing when both are up to date. Needs nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** npm writes this file last, so its age is the age of a complete installation. */
const INSTALLED = 'node_modules/.package-lock.json';
const BUNDLE = [
  'index.js',
  'index.cjs',
  'index.d.ts',
  'index.d.cts',
  'browser.js',
  'browser.d.ts',
  'opentelemetry.js',
  'opentelemetry.d.ts',
  'mqtt-failover.min.js',
  'simulator.js',
  'simulator.cjs',
  'simulator.d.ts',
  'simulator.d.cts',
];

/** Installs what is missing or outdated, and builds when asked to. Throws if either fails. */
export function prepare({ build = false } = {}) {
  if (modified(INSTALLED) < modified('package-lock.json')) {
    // npm empties what a link points to: somebody else's installation.
    if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
      throw new Error(
        'node_modules is a symbolic link and outdated: update the installation that it points to',
      );
    }
    console.error('Installing dependencies (npm ci), about ten seconds …');
    // npm is a shell script on Windows; the development tools are needed whatever NODE_ENV says.
    run('npm', ['ci', '--include=dev', '--loglevel=error'], { shell: process.platform === 'win32' });
  }
  if (build && bundleIsOutdated()) {
    console.error('Building dist/ …');
    run(process.execPath, ['node_modules/rollup/dist/bin/rollup', '-c', '--silent']);
  }
}

function bundleIsOutdated() {
  const built = Math.min(...BUNDLE.map((file) => modified(join('dist', file))));
  return ['src', 'rollup.config.mjs', 'tsconfig.json', 'package-lock.json'].some(
    (path) => newest(path) > built,
  );
}

/** A directory's own time counts too: it changes when a file in it is deleted. */
function newest(path) {
  const stat = statSync(join(root, path));
  if (!stat.isDirectory()) return stat.mtimeMs;
  const entries = readdirSync(join(root, path)).map((entry) => newest(join(path, entry)));
  return Math.max(stat.mtimeMs, ...entries);
}

/** Milliseconds since the epoch, or 0 for a file that is not there. */
function modified(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function run(command, args, options = {}) {
  // stdout belongs to the command that comes after us.
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['inherit', 2, 2],
    ...options,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${signal ?? `exit code ${status}`}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    prepare({ build: process.argv.includes('--build') });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
