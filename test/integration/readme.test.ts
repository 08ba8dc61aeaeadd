// The README's code compiles against the public types, and the block marked `run` runs.
// World: three in-process brokers in place of the ports that the README names. Real: compiler, sockets.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { aedesCluster } from '../support/aedes-cluster.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The README's TypeScript blocks with the package name turned into this checkout's source. */
async function blocks(): Promise<{ code: string; runs: boolean }[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const found = [...readme.matchAll(/^```ts( run)?\n(.*?)^```/gms)];
  return found.map(([, runs, code = '']) => ({
    code: code.replaceAll("'mqtt-failover'", "'../src/index.js'"),
    runs: runs !== undefined,
  }));
}

describe('README', () => {
  it('has code that compiles and runs as it says', async () => {
    const all = await blocks();
    const runnable = all.filter(({ runs }) => runs);
    assert.ok(runnable.length > 0, 'no block marked `ts run`');
    await using cluster = await aedesCluster(3);
    const directory = await mkdtemp(join(ROOT, 'readme-'));
    try {
      for (const [index, { code, runs }] of all.entries()) {
        const file = join(directory, `block-${index}.ts`);
        const local = [1883, 1884, 1885].reduce(
          (text, port, i) => text.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${cluster.at(i)?.port}`),
          code,
        );
        await writeFile(file, local);
        if (!runs) continue;
        const { stdout } = await run(process.execPath, ['--import', 'tsx', file], {
          cwd: ROOT,
          timeout: 20_000,
        });
        assert.match(stdout, /^connected home is 127\.0\.0\.1:\d+$/m);
      }
      const config = { extends: '../tsconfig.json', include: ['*.ts'] };
      await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
      await run(process.execPath, [compiler, '--project', directory], { cwd: ROOT }).catch(
        (error: { stdout: string }) => assert.fail(error.stdout),
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
