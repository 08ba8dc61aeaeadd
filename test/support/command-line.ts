/**
 * The command line as a user runs it.
 *
 * The world it builds: a child process of the source, which is bundled once for all of them, its stdin and outputs
 * pipes, no colours, no password in its environment unless the test puts one there.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LIMIT_MS = 60_000;

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs. */
export class CommandLine implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown>;

  constructor(words: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [bundled(), ...words], {
      cwd: ROOT,
      env,
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // Who ends early closes its stdin.
    this.child.stdin.on('error', () => {});
    this.#closed = once(this.child, 'close');
  }

  /** What came of it, once it has ended. */
  async result(): Promise<Result> {
    await this.#closed;
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#closed;
  }
}

let bundle: string | undefined;

/** The program in one file: to compile its source anew for each process takes three times as long as to run it. */
function bundled(): string {
  if (bundle !== undefined) return bundle;
  bundle = join(ROOT, 'node_modules/.cache/mqtt-failover-tests', `cli-${process.pid}.mjs`);
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli/main.ts'],
    outfile: bundle,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  const built = bundle;
  process.once('exit', () => rmSync(built, { force: true }));
  return bundle;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a command line; its stdin stays open. */
export function startCommand(words: readonly string[], env: NodeJS.ProcessEnv = {}): CommandLine {
  const { MQTT_PASSWORD: _, FORCE_COLOR: _colour, ...inherited } = process.env;
  return new CommandLine(words, { ...inherited, ...env });
}

/** Runs a command line to its end. */
export async function command(
  words: readonly string[],
  { stdin = '', env = {} }: RunOptions = {},
): Promise<Result> {
  await using running = startCommand(words, env);
  running.child.stdin.end(stdin);
  return await running.result();
}
