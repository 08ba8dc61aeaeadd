/** The demo as a process without a terminal: its story, its books and its exit code. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const TIMEOUT_MS = 40_000;

describe('demo', { concurrency: 2 }, () => {
  it('plays its story and loses nothing', { timeout: TIMEOUT_MS }, async (t) => {
    const { code, stdout, stderr } = await demo(t, ['--fast']);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /broker b killed: 7 clients must move/);
    assert.equal(stdout.match(/ moved b → [ac] in \d+ ms.*, nothing lost/g)?.length, 7);
    assert.match(stdout, /all 13 clients found d in the list/);
    assert.match(stdout, /of the 8 newcomers: 2 on a, 1 on b, 3 on c, 2 on d/);
    assert.match(stdout, /moved +7 of 21 clients/);
    assert.match(stdout, /needlessly moved 0$/m);
    assert.match(stdout, /offline time +p50 \d+ ms, p99 \d+ ms/);
    const [, published, delivered] = /readings +(\d+) published, (\d+) delivered/.exec(stdout)!;
    assert.ok(Number(published) > 100);
    assert.equal(delivered, published);
    const [, sent, received] = /commands +(\d+) sent, (\d+) received/.exec(stdout)!;
    assert.equal(received, sent);
    assert.match(stdout, /\b0 lost\b/);
    assert.ok(!stdout.includes('\u001b'), 'no colours and no cursor movements without a terminal');
  });

  it('ends in good order at Ctrl-C', { timeout: TIMEOUT_MS }, async (t) => {
    const { code, stdout, stderr } = await demo(t, [], 'broker b killed');
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /interrupted; delivering what is left/);
    assert.match(stdout, /\b0 lost\b/);
    assert.doesNotMatch(stdout, /Broker b comes back/);
  });

  it('explains itself', { timeout: TIMEOUT_MS }, async (t) => {
    const { code, stdout } = await demo(t, ['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /--fast/);
  });

  it('refuses an unknown option', { timeout: TIMEOUT_MS }, async (t) => {
    const { code, stderr } = await demo(t, ['--quick']);
    assert.equal(code, 2);
    assert.match(stderr, /--quick/);
  });

  it('refuses a port that is none, and options of its other form', { timeout: TIMEOUT_MS }, async (t) => {
    for (const [args, message] of [
      [['--web', '--port', '65536'], /^--port must be a number from 0 to 65535, got "65536"\n$/],
      [['--port', '4280'], /^--port is not for this demo/],
      [['--web', '--fast'], /^--fast is not for this demo/],
    ] as const) {
      const { code, stderr } = await demo(t, args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });
});

/** Runs the demo on `src/`; sends SIGINT once it has printed `interruptAt`. */
async function demo(t: TestContext, args: readonly string[], interruptAt?: string) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo/main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(ROOT, 'examples/tsconfig.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  let isInterrupted = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (isInterrupted || interruptAt === undefined || !stdout.includes(interruptAt)) return;
    isInterrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
