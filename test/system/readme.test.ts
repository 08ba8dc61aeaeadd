// The code in the README and in docs/ compiles against the public types, runs to its end, and its clients connect.
// World: see ../support/snippets.ts; for the newcomer, processes and ports as the README has them. Real: compiler, client, sockets.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { accepts, freePort } from '../support/daemon.js';
import { until } from '../support/events.js';
import { Program } from '../support/program.js';
import * as world from '../support/snippets.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What a page takes for granted around its code, in the order in which it is declared. */
const CONTEXT = {
  brokers: "const brokers = ['mqtts://a.example.com', 'mqtts://b.example.com'];",
  client: "const client = await connectAsync(brokers, { clientId: 'pump-17' });",
  log: 'const log = (..._: unknown[]) => {};',
  logger: 'const logger = { debug: (_: string) => {} };',
  meterProvider:
    "import { metrics } from '@opentelemetry/api';\nconst meterProvider = metrics.getMeterProvider();",
  alarm: 'const alarm = (..._: unknown[]) => {};',
  user: "const user = 'ada';",
  token: "const token = async (_reason?: string) => 'a secret';",
  secret: 'const secret = new Uint8Array(32);',
  signal: 'const { signal } = new AbortController();',
  readings: "const readings = [{ topic: 'readings', payload: '1' }];",
  sensor: 'const sensor = Readable.from(readings);',
  pipeline: "import { Readable } from 'node:stream';\nimport { pipeline } from 'node:stream/promises';",
};
const NAMES = ['connect', 'connectAsync', 'isFailoverError', 'rank', 'tokens'];

/** The first line of code that is to be saved as a file. */
const FILE = /^\/\/ (\w+\.mjs)\n/m;

interface Snippet {
  /** `docs/outbox.md:7`. */
  readonly place: string;
  readonly language: string;
  readonly code: string;
}

async function snippetsOf(page: string): Promise<Snippet[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w*).*\n([\s\S]*?)^```/gm)].map(
    ({ index, 1: language = '', 2: code = '' }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length}`,
      language,
      code,
    }),
  );
}

/** The code with what it does not declare itself, as a module of this checkout. */
function withContext(code: string): string {
  const isFree = (name: string, within: string) =>
    new RegExp(`(?<![.\\w])${name}\\b(?!:)`).test(within) &&
    !new RegExp(`(const|let|function|import) (\\{[^}]*)?\\b${name}\\b`).test(within);
  const context = Object.entries(CONTEXT).reduceRight(
    (text, [name, declaration]) => (isFree(name, `${text}\n${code}`) ? `${declaration}\n${text}` : text),
    '',
  );
  const whole = `${context}${code}`;
  const names = NAMES.filter((name) => isFree(name, whole));
  const imports = names.length > 0 ? `import { ${names.join(', ')} } from 'mqtt-failover';\n` : '';
  return `${imports}${whole}\nexport {};\n`
    .replaceAll("'mqtt-failover'", "'../test/support/snippets.js'")
    .replaceAll("'mqtt-failover/opentelemetry'", "'../src/opentelemetry/opentelemetry.js'")
    .replaceAll("'mqtt-failover/simulator'", "'../src/simulator/index.js'");
}

describe('the code in the README and in docs/', async () => {
  const docs = (await readdir(join(ROOT, 'docs'))).filter((file) => file.endsWith('.md'));
  const pages = ['README.md', ...docs.map((file) => `docs/${file}`)];
  const blocks = (await Promise.all(pages.map(snippetsOf))).flat();
  const snippets = blocks.filter(({ language }) => language === 'ts');
  const rest = blocks.filter(({ language, code }) => language !== 'ts' && !FILE.test(code));
  let directory: string;
  const fileOf = (snippet: Snippet) => join(directory, `${snippet.place.replace(/\W/g, '-')}.ts`);

  before(async () => {
    await world.open();
    directory = await mkdtemp(join(ROOT, 'readme-'));
    for (const snippet of snippets) await writeFile(fileOf(snippet), withContext(snippet.code));
    const config = { extends: '../tsconfig.json', include: ['*.ts'] };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
  });
  after(async () => {
    await world.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is marked as the language that is tested', () => {
    assert.ok(snippets.length > 10, `${snippets.length} snippets`);
    const others = rest.filter(({ language }) => /^(js|javascript|jsx|tsx|typescript)$/.test(language));
    assert.deepEqual(
      others.map(({ place }) => place),
      [],
    );
  });

  it('compiles', async () => {
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [compiler, '--project', directory], { cwd: ROOT }).catch(
      (error: { stdout: string }) => assert.fail(error.stdout),
    );
  });

  it('takes a newcomer to a fail-over, as the README says', { timeout: 60_000 }, async (t) => {
    const ports = [await freePort(), await freePort(), await freePort()];
    for (const { code } of blocks) {
      const name = FILE.exec(code)?.[1];
      const here = code.replaceAll("'mqtt-failover'", "'../src/index.js'");
      const local = ports.reduce((text, port, n) => text.replaceAll(`:${1883 + n}`, `:${port}`), here);
      if (name) await writeFile(join(directory, name), local);
    }
    const brokers = new Map<number, Program>();
    const started = async (args: string[], ready: (said: string) => boolean | Promise<boolean>) => {
      const program = await Program.start(process.execPath, () => args, { ready });
      t.after(() => program[Symbol.asyncDispose]());
      return program;
    };
    for (const port of ports) {
      brokers.set(port, await started([join(directory, 'broker.mjs'), `${port}`], () => accepts(port)));
    }
    const isWith = /reading \d+ is with 127\.0\.0\.1:(\d+)/;
    const pump = await started(['--import', 'tsx', join(directory, 'pump.mjs')], (said) => isWith.test(said));
    const home = Number(isWith.exec(pump.output)?.[1]);
    await brokers.get(home)?.[Symbol.asyncDispose]();
    const moved = new RegExp(
      `moved from 127\\.0\\.0\\.1:${home} to (\\S+) in \\d+ ms\nreading \\d+ is with \\1\n`,
    );
    await until(() => moved.test(pump.output), { what: () => `the move: ${pump.output}`, timeoutMs: 20_000 });
  });

  for (const snippet of snippets) {
    it(`runs: ${snippet.place}`, { timeout: 20_000 }, async () => {
      await import(pathToFileURL(fileOf(snippet)).href);
      assert.ok(
        (await world.finish()) > 0 || !/\b(connect|client)\b(?!:)/.test(snippet.code),
        'it makes a client',
      );
    });
  }
});
