import { chmodSync, readFileSync, rmSync } from 'node:fs';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const banner = `/*! ${manifest.name} ${manifest.version} | ${manifest.license} */`;
const optionalPeers = Object.entries(manifest.peerDependenciesMeta ?? {})
  .filter(([, meta]) => meta.optional)
  .map(([name]) => name);

/** Every bare specifier stays an import; only our own files are bundled. */
const isPackage = (id) => !/^(\.|\/|[A-Za-z]:[\\/]|\0)/.test(id);

/**
 * What is inside our files for Node.
 *
 * The container and the polyfill that it must find when it loads: as imports, esbuild would run the polyfill, a CommonJS
 * module, after everything else that the file imports, and every application that it bundles would throw.
 * dns-packet and valibot: as seven CommonJS files the one takes Node 15 ms to load, as a part of the chunk that needs it
 * 2 ms; of the other, a file of 200 kB, we use little. The first dial waits for them.
 */
const INSIDE = /^(tsyringe|reflect-metadata|tslib|valibot|dns-packet|@leichtgewicht\/ip-codec)(\/|$)/;

/**
 * What Node loads in one file: a second and a third one take longer to load than to run, and the first dial waits for
 * them. A page, which pays for each byte, loads the last two when it needs them.
 */
const IN_ONE_FILE = /\/src\/(index|di\/live-discovery|discovery\/dns\/create-srv-resolver)\.ts$/;

/** A warning today is a broken bundle tomorrow: fail the build. */
function onLog(level, log) {
  if (level === 'warn') throw new Error(log.message);
}

const compile = () => esbuild({ target: 'es2022', sourceMap: true });

/** `require()` loads the ES module itself (Node >= 20.19), so both module systems share one implementation. */
const commonJsEntry = (name) => ({
  name: 'commonjs-entry',
  generateBundle(_options, bundle) {
    const { exports } = bundle[`${name}.js`];
    const source = [
      "'use strict';",
      '',
      `const implementation = require('./${name}.js');`,
      '',
      "Object.defineProperty(exports, '__esModule', { value: true });",
      // Spelled out one by one, as Node and type checkers find the names of a CommonJS module by reading it.
      ...exports.map((name) => `exports.${name} = implementation.${name};`),
      '',
    ].join('\n');
    this.emitFile({ type: 'asset', fileName: `${name}.cjs`, source });
  },
});

/** Packages external, but for those inside; a file that is imported dynamically becomes a chunk. */
const esm = (name, plugins = [], file = `./src/${name}.ts`, banner = '') => {
  const isInside = (id) => name !== 'browser' && INSIDE.test(id);
  return {
    input: { [name]: file },
    external: (id) => isPackage(id) && !isInside(id),
    plugins: [nodeResolve({ resolveOnly: isInside }), commonjs(), compile(), ...plugins],
    onLog,
    output: {
      dir: 'dist',
      format: 'es',
      entryFileNames: '[name].js',
      chunkFileNames: `chunks/${name}-[name]-[hash].js`,
      manualChunks: (id) => (name === 'index' && IN_ONE_FILE.test(id) ? 'main' : undefined),
      // Bare imports of what a chunk imports anyway are warned of by bundlers.
      hoistTransitiveImports: false,
      sourcemap: true,
      banner: (chunk) => (chunk.isEntry ? banner : ''),
    },
  };
};

/** The program of `bin`. npm makes it executable; so that it is without npm, too, the build does. */
const executable = (name) => ({ name: 'executable', writeBundle: () => chmodSync(`dist/${name}.js`, 0o755) });

/** One file for `<script>`: MQTT.js and every dependency inside, `mqttFailover` outside. */
const script = {
  input: 'src/browser.ts',
  external: optionalPeers,
  plugins: [
    nodeResolve({ browser: true, exportConditions: ['browser', 'import', 'default'], preferBuiltins: false }),
    commonjs(),
    esbuild({ target: 'es2022', minify: true, sourceMap: true }),
  ],
  onLog,
  output: {
    file: 'dist/mqtt-failover.min.js',
    format: 'iife',
    name: 'mqttFailover',
    exports: 'named',
    inlineDynamicImports: true,
    sourcemap: true,
    banner,
  },
};

const SIMULATOR = './src/simulator/index.ts';
const OPENTELEMETRY = './src/opentelemetry/opentelemetry.ts';
const PUBLIC_NAMES = /\/public(\.[jt]s)?$/;

/** An entry beside the main one names its types and repeats none of them: two copies of a class are two types. */
const types = (name, extensions, { file = `src/${name}.ts`, isBeside = false } = {}) => ({
  input: { [name]: file },
  external: (id) => isPackage(id) || (isBeside && PUBLIC_NAMES.test(id)),
  plugins: [dts({ tsconfig: 'tsconfig.json' })],
  onLog,
  output: extensions.map((extension) => ({
    dir: 'dist',
    entryFileNames: `[name].${extension}`,
    format: 'es',
    paths: (id) => (PUBLIC_NAMES.test(id) ? `./index.${extension === 'd.cts' ? 'cjs' : 'js'}` : id),
  })),
});

export default function config() {
  rmSync('dist', { recursive: true, force: true });
  return [
    esm('index', [commonJsEntry('index')]),
    esm('simulator', [commonJsEntry('simulator')], SIMULATOR),
    esm('browser'),
    esm('opentelemetry', [commonJsEntry('opentelemetry')], OPENTELEMETRY),
    esm('cli', [executable('cli')], './src/cli/main.ts', '#!/usr/bin/env node'),
    script,
    types('index', ['d.ts', 'd.cts']),
    types('simulator', ['d.ts', 'd.cts'], { file: SIMULATOR }),
    types('browser', ['d.ts']),
    types('opentelemetry', ['d.ts', 'd.cts'], { file: OPENTELEMETRY, isBeside: true }),
  ];
}
