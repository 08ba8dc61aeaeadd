/**
 * Real servers as processes of their own.
 *
 * The world it builds: a program in a fresh directory, with its configuration in it, that listens on a free port of
 * 127.0.0.1. Disposing of it ends the process and removes the directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './events.js';
import { HOST } from './listener.js';

/** A port that was free a moment ago; many programs cannot be asked which one they chose. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether somebody accepts connections at `port`. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, HOST);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

export interface DaemonInit {
  readonly program: string;
  /** Contents by file name; `directory` is where they are. */
  readonly files: (directory: string) => Readonly<Record<string, string>>;
  readonly args: (directory: string) => readonly string[];
  /** Ready when this accepts connections. */
  readonly port: number;
}

export class Daemon implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(process: ChildProcess, directory: string) {
    this.#process = process;
    this.#directory = directory;
  }

  static async start({ program, files, args, port }: DaemonInit): Promise<Daemon> {
    const directory = await mkdtemp(join(tmpdir(), `${program}-`));
    for (const [name, content] of Object.entries(files(directory)))
      await writeFile(join(directory, name), content);
    const child = spawn(program, args(directory), { stdio: ['ignore', 'pipe', 'pipe'] });
    const daemon = new Daemon(child, directory);
    let said = '';
    for (const output of [child.stdout, child.stderr])
      output?.on('data', (chunk) => {
        said = `${said}${chunk}`.slice(-2_000);
      });
    let failed: Error | undefined;
    child.once('error', (error) => {
      failed = error;
    });
    try {
      await until(
        () => {
          if (failed) throw new Error(`${program} did not start: ${failed.message}`);
          if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${said}`);
          return accepts(port);
        },
        { what: `${program} on port ${port}`, timeoutMs: 10_000 },
      );
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}
