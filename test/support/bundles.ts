/** What the bundlers of applications make of the built package, through its export condition `browser`. */
import { fileURLToPath } from 'node:url';
import * as commonjsPlugin from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build } from 'esbuild';
import { type Plugin, rollup } from 'rollup';

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
