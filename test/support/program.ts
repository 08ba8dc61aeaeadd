/**
 * Programs of this machine, as processes of a test: started, waited for until they answer, and ended with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './events.js';

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where it runs. @defaultValue where this process does */
  readonly cwd?: string;
  /** Is asked until it gives true. */
  readonly ready: (output: string) => boolean | Promise<boolean>;
  /** Milliseconds that it may take until then. @defaultValue 15 000 */
  readonly readyMs?: number;
}

/** Programs that run, to be ended with this process, however it ends: nobody else would do it. */
const running = new Set<ChildProcess>();

function endWithThisProcess(child: ChildProcess): void {
  if (running.size === 0) {
    process.on('exit', killAll);
    for (const signal of ENDING) process.on(signal, exit);
  }
  running.add(child);
  child.once('exit', () => {
    running.delete(child);
    if (running.size > 0) return;
    process.off('exit', killAll);
    for (const signal of ENDING) process.off(signal, exit);
  });
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const exit = () => process.exit(1);
const killAll = () => {
  for (const child of running) child.kill('SIGKILL');
};

/** One running program, with a directory that goes when it goes. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #directory: string;
  /** What it has said so far, on both of its outputs. */
  output = '';

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /** Starts `command` with the arguments that `prepare` makes for a directory of its own. */
  static async start(
    command: string,
    prepare: (directory: string) => string[] | Promise<string[]>,
    { env = process.env, cwd, ready, readyMs = 15_000 }: ProgramOptions,
  ): Promise<Program> {
    const directory = await mkdtemp(join(tmpdir(), `test-${command.replace(/.*\//, '')}-`));
    const child = spawn(command, await prepare(directory), {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) endWithThisProcess(child);
    const program = new Program(child, directory);
    let failed: Error | undefined;
    child.once('error', (error) => {
      failed = error;
    });
    try {
      await until(
        () => {
          if (failed) throw notStarted(command, failed);
          if (child.exitCode !== null || child.signalCode !== null)
            throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}: ${program.output}`);
          return ready(program.output);
        },
        { what: () => `${command}: ${program.output}`, timeoutMs: readyMs },
      );
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    return program;
  }

  /** The process id. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Ends the process; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }

  /** Stops it from running without closing anything. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The error of a program that is not there says how to get it. */
function notStarted(command: string, cause: NodeJS.ErrnoException): Error {
  if (cause.code !== 'ENOENT') return cause;
  const hint = '`node scripts/programs.mjs` names the Debian packages that are missing';
  return new Error(`${command} is not installed; ${hint}`, { cause });
}

/** Whether an HTTP server answers at `url`, whatever it says. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
