// node scripts/test.mjs <suite…> [--test-…] [[--] part of a file name…]
// Runs test/<suite>/**/*.test.ts. In `npm test -- outbox`, `outbox` narrows the files down.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { prepare } from './prepare.mjs';
import { missingPrograms, PATH } from './programs.mjs';

const SUITES = ['unit', 'integration', 'system', 'browser'];
/** Processes for the unit tests: a process for each file would spend a third of its time on starting. */
const UNIT_PROCESSES = 8;
/** Variables that make a run as long as one likes. */
const LENGTHS = ['FUZZ_ROUNDS', 'CHAOS_SEEDS', 'SOAK_MINUTES'];
const GROUPS = 'node_modules/.cache/mqtt-failover-tests';
const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { suites, filters, flags } = parse(process.argv.slice(2));
try {
  prepare();
  const files = select();
  tellWhatIsMissing();
  run(filters.length === 0 ? grouped(files) : files);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function parse(args) {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const before = args.slice(0, end);
  const flags = before.filter((arg) => arg.startsWith('--'));
  const names = before.filter((arg) => !arg.startsWith('--'));
  return {
    suites: names.filter((name) => SUITES.includes(name)),
    filters: [...names.filter((name) => !SUITES.includes(name)), ...args.slice(end + 1)],
    flags,
  };
}

function select() {
  if (suites.length === 0) throw new Error(`Which tests? Name one or more of: ${SUITES.join(', ')}`);
  const files = suites.flatMap(testFiles);
  const selected = files.filter(
    (file) => filters.length === 0 || filters.some((part) => file.includes(part)),
  );
  if (selected.length === 0) throw new Error(`No test file matches ${filters.join(' or ')}`);
  return selected;
}

/** The tests that need it fail; why, and how to get it, is told once and first. */
function tellWhatIsMissing() {
  const missing = missingPrograms(suites);
  if (missing.length === 0) return;
  console.error(
    `Not installed: ${missing.map(([program]) => program).join(', ')}. Tests that need it will fail.`,
  );
  console.error(
    `On Debian: apt-get install --no-install-recommends ${missing.map(([, name]) => name).join(' ')}`,
  );
}

function testFiles(suite) {
  const folder = join('test', suite);
  const entries = existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true }) : [];
  const files = entries
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(folder, file).split(sep).join('/'))
    .sort();
  if (files.length === 0) throw new Error(`No test file in ${folder}`);
  return files;
}

/**
 * The same tests, by files that import them, which Node runs in the order of their names.
 *
 * Many unit tests are in one: what one of them leaves behind, the next meets. They compute, while the others mostly wait: side by
 * side they take less time than one after the other.
 */
function grouped(files) {
  const unit = files.filter((file) => file.startsWith('test/unit/'));
  if (unit.length === 0) return files;
  const others = files.filter((file) => !unit.includes(file)).map((file) => [file]);
  const groups = Array.from({ length: Math.min(UNIT_PROCESSES, unit.length) }, (_, i) =>
    unit.filter((_, at) => at % UNIT_PROCESSES === i),
  );
  rmSync(join(root, GROUPS), { recursive: true, force: true });
  mkdirSync(join(root, GROUPS), { recursive: true });
  return interleaved(groups, others).map((members, i) => {
    const [first = ''] = members;
    const name = members.length > 1 ? 'unit.test.ts' : basename(first);
    const file = `${GROUPS}/${String(i + 1).padStart(3, '0')}-${name.replace(/ts$/, 'mts')}`;
    const lines = members.map((member) => `import '${pathToFileURL(join(root, member))}';\n`);
    writeFileSync(join(root, file), lines.join(''));
    return file;
  });
}

/** As many of `others` after each of `groups`. */
function interleaved(groups, others) {
  const share = Math.ceil(others.length / groups.length);
  return groups.flatMap((group, i) => [group, ...others.slice(i * share, (i + 1) * share)]);
}

/** Whether the suites start programs of their own. */
function isHeavy() {
  return suites.some((suite) => suite === 'system' || suite === 'browser');
}

/** Files at once: on two cores most tests wait, but those with programs of their own use both. */
function concurrency() {
  return isHeavy() ? 2 : 3;
}

/** A file that leaves something open would never end. Who asks for a long run may wait for it. */
function limit() {
  if (LENGTHS.some((name) => process.env[name] !== undefined)) return [];
  return [`--test-timeout=${isHeavy() ? 900_000 : 300_000}`];
}

function run(files) {
  const reporters = ['spec', './scripts/skip-guard.mjs'].flatMap((reporter) => [
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
  ]);
  const args = [
    '--import',
    'tsx',
    '--test',
    `--test-concurrency=${concurrency()}`,
    ...limit(),
    ...reporters,
    ...flags,
    ...files,
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal) console.error(`The test run was ended by ${signal}`);
  });
}
