/** What the bundlers of applications make of the built package, through its export condition `browser`. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as commonjsPlugin from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build } from 'esbuild';
import { type Plugin, rollup } from 'rollup';
import { build as viteBuild } from 'vite';
import webpack from 'webpack';

// Its types are those of CommonJS, whose default export TypeScript does not see here.
const commonjs = commonjsPlugin.default as unknown as () => Plugin;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Files by path below `/app/`; the entry is `/app/<name>.js`. */
export type Bundle = Map<string, Uint8Array | string>;

/** An ES module with its lazy chunks, as esbuild makes it. */
export async function byEsbuild(name: string, source: string, external: string[] = []): Promise<Bundle> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: ROOT, sourcefile: `${name}.js` },
    entryNames: name,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: '/app',
    external,
    write: false,
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

/** The same as rollup makes it, with the plugins that its users have. */
export async function byRollup(name: string, source: string): Promise<Bundle> {
  const entry = {
    name: 'entry',
    resolveId: (id: string) => (id === `${name}.js` ? `${ROOT}${id}` : null),
    load: (id: string) => (id === `${ROOT}${name}.js` ? source : null),
  };
  const resolve = nodeResolve({
    browser: true,
    exportConditions: ['browser', 'import', 'default'],
    preferBuiltins: false,
  });
  const made = await rollup({
    input: `${name}.js`,
    plugins: [entry, resolve, commonjs()],
    logLevel: 'silent',
  });
  const { output } = await made.generate({ format: 'es', entryFileNames: '[name].js' });
  await made.close();
  return new Map(
    output.map((file) => [`/app/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
}

/** As Vite builds an application, with nothing configured but where to put it. */
export function byVite(name: string, source: string): Promise<Bundle> {
  return throughFiles(name, source, (entry, outDir) => vite(ROOT, entry, outDir));
}

/** The page of an example, as Vite builds it: its entry is `/app/main.js`. */
export async function exampleByVite(folder: string): Promise<Bundle> {
  const root = join(ROOT, 'examples', folder);
  return withDirectory(async (directory) => {
    await vite(root, join(root, 'main.tsx'), directory);
    return scriptsIn(directory);
  });
}

function vite(root: string, entry: string, outDir: string): Promise<unknown> {
  const output = { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' };
  return viteBuild({
    root,
    configFile: false,
    logLevel: 'silent',
    base: '/app/',
    build: { outDir, emptyOutDir: true, rolldownOptions: { input: entry, output } },
  });
}

/** As webpack 5 builds an application in production mode. */
export function byWebpack(name: string, source: string): Promise<Bundle> {
  return throughFiles(name, source, async (entry, path) => {
    const compiler = webpack({
      mode: 'production',
      context: ROOT,
      entry: { [name]: entry },
      output: { path, filename: '[name].js', publicPath: '/app/' },
      performance: false,
    });
    const stats = await promisify(compiler.run.bind(compiler))();
    await promisify(compiler.close.bind(compiler))();
    if (stats?.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  });
}

/** For bundlers that read and write files only: in a directory below the root, where `mqtt` is found. */
function throughFiles(
  name: string,
  source: string,
  bundle: (entry: string, outDir: string) => Promise<unknown>,
): Promise<Bundle> {
  return withDirectory(async (directory) => {
    const entry = join(directory, `${name}.js`);
    const outDir = join(directory, 'out');
    await writeFile(entry, source);
    await bundle(entry, outDir);
    return scriptsIn(outDir);
  });
}

async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(ROOT, 'test', 'bundle-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function scriptsIn(directory: string): Promise<Bundle> {
  const files = (await readdir(directory, { recursive: true })).filter((file) => file.endsWith('.js'));
  const read = async (file: string) => [`/app/${file}`, await readFile(join(directory, file))] as const;
  return new Map(await Promise.all(files.map(read)));
}
