// What a page pays: builds one with a static list from dist/ as its bundler would, and fails above the limits.
// `--detail` shows what weighs in it; so does a failure.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bytes after gzip, about 3 % above what was reached. To raise one is a decision: say why in the commit. */
const LIMITS = {
  /** Loaded by every page, beside MQTT.js, before it runs. */
  'the page': 23_500,
  /** Loaded with the first client, but for clients of one broker without our options. With a static list it is the last. */
  'page-engines': 35_700,
  /** Loaded when it is needed, with what it needs that is not there yet. */
  'live-discovery': 8_100,
  'planned-moves': 3_250,
  store: 7_950,
  'kept-record': 3_550,
  'create-srv-resolver': 5_600,
  'dns-packet': 17_300,
  'create-registry-resolver': 10_350,
  'read-topology': 5_100,
  push: 3_350,
  'shared-engine': 17_700,
  /** For `<script>`: MQTT.js and everything else inside. */
  'mqtt-failover.min.js': 218_600,
};

/** What a static list has no use for; see ARCHITECTURE.md. */
const NEVER_IN_THE_PAGE = /node_modules\/(dns-packet|eventsource-parser|valibot|p-queue|tsyringe|buffer)\//;

const PAGE = `
import { connect } from 'BROWSER';
const client = connect(['wss://a.example.com/mqtt', 'wss://b.example.com/mqtt']);
client.on('connect', () => client.publish('t', 'x', { qos: 1 }));
`;

/** The page over `browser`, as esbuild makes it. */
async function bundle(browser) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: PAGE.replace('BROWSER', browser), resolveDir: root, sourcefile: 'page.js' },
    absWorkingDir: root,
    outdir: 'dist-page',
    write: false,
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    // The page has MQTT.js anyway; `level` is for those who give `outbox.store` a name.
    external: ['mqtt', 'level'],
    metafile: true,
  });
  const texts = new Map(outputFiles.map(({ path, contents }) => [path.slice(root.length + 1), contents]));
  return { outputs: metafile.outputs, texts };
}

/** An output and what it imports statically. */
function closure(outputs, name, found = new Set()) {
  found.add(name);
  for (const { path, kind, external } of outputs[name].imports) {
    if (kind === 'import-statement' && !external && !found.has(path)) closure(outputs, path, found);
  }
  return found;
}

/** What is loaded before `name`: it is imported dynamically by others, and they are there, with what they need. */
function before(outputs, name, initial) {
  const importers = Object.keys(outputs).filter(
    (each) =>
      each !== name &&
      outputs[each].imports.some(({ path, kind }) => path === name && kind === 'dynamic-import'),
  );
  // What the page asks for together with the engine comes with it.
  const later = importers.filter((each) => !initial.has(each));
  const [first = initial, ...others] = (later.length > 0 ? later : importers).map(
    (each) => new Set([...closure(outputs, each), ...before(outputs, each, initial)]),
  );
  return new Set([...initial, ...[...first].filter((each) => others.every((other) => other.has(each)))]);
}

function weigh(texts, names) {
  return [...names].reduce((sum, name) => sum + gzipSync(texts.get(name), { level: 9 }).length, 0);
}

/** The name of a chunk in the limits: that of its source, without the hashes of two bundlers. */
function nameOf(entryPoint) {
  if (entryPoint.includes('node_modules/')) return entryPoint.replace(/^.*node_modules\/([^/]+)\/.*$/, '$1');
  return entryPoint
    .replace(/^.*\/browser-/, '')
    .replace(/-[\w-]{8}\.js$/, '')
    .replace(/^index$/, 'store');
}

const { outputs, texts } = await bundle('./dist/browser.js');
const page = Object.keys(outputs).find((name) => outputs[name].entryPoint === 'page.js');
const initial = closure(outputs, page);
const sizes = new Map([['the page', weigh(texts, initial)]]);
for (const [name, { entryPoint }] of Object.entries(outputs)) {
  if (!entryPoint || name === page) continue;
  const there = before(outputs, name, initial);
  const own = [...closure(outputs, name)].filter((each) => !there.has(each));
  sizes.set(nameOf(entryPoint), weigh(texts, own));
}
sizes.set(
  'mqtt-failover.min.js',
  gzipSync(readFileSync(join(root, 'dist/mqtt-failover.min.js')), { level: 9 }).length,
);

const problems = [];
for (const [name, bytes] of sizes) {
  const limit = LIMITS[name];
  const over = limit === undefined || bytes > limit;
  if (over)
    problems.push(`${name}: ${bytes} bytes, ${limit === undefined ? 'no limit is known' : `limit ${limit}`}`);
  console.log(
    `${String(bytes).padStart(7)} ${String(limit ?? '?').padStart(7)}  ${name}${over ? '  <--' : ''}`,
  );
}
for (const name of Object.keys(LIMITS))
  if (!sizes.has(name)) problems.push(`${name}: there is no such chunk`);
const source = await bundle('./src/browser.ts');
const weights = new Map();
const start = Object.keys(source.outputs).find((name) => source.outputs[name].entryPoint === 'page.js');
for (const name of closure(source.outputs, start)) {
  for (const [file, { bytesInOutput }] of Object.entries(source.outputs[name].inputs))
    weights.set(file, (weights.get(file) ?? 0) + bytesInOutput);
}
for (const file of weights.keys()) {
  if (NEVER_IN_THE_PAGE.test(file)) problems.push(`${file} is in the page`);
}
if (problems.length > 0 || process.argv.includes('--detail')) {
  console.log('\nWhat weighs in the page, minified, before gzip:');
  for (const [file, bytes] of [...weights].sort((a, b) => b[1] - a[1]))
    console.log(`${String(bytes).padStart(7)}  ${file}`);
}
for (const problem of problems) console.error(`Too big: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
