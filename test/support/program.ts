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
  /** Is asked until it gives true. */
  readonly ready: (output: string) => boolean | Promise<boolean>;
}

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
    { env = process.env, ready }: ProgramOptions,
  ): Promise<Program> {
    const directory = await mkdtemp(join(tmpdir(), `test-${command.replace(/.*\//, '')}-`));
    const child = spawn(command, await prepare(directory), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const program = new Program(child, directory);
    let failed: Error | undefined;
    child.once('error', (error) => {
      failed = error;
    });
    try {
      await until(
        () => {
          if (failed) throw failed;
          if (child.exitCode !== null)
            throw new Error(`${command} ended with ${child.exitCode}: ${program.output}`);
          return ready(program.output);
        },
        { what: () => `${command}: ${program.output}`, timeoutMs: 15_000 },
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
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
