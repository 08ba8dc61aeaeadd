/**
 * A real mosquitto as a process of its own, so that it can be killed, frozen and restarted.
 *
 * The world it builds: one broker on free ports of 127.0.0.1, TCP and WebSocket, anonymous, without persistence.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepts, freePort } from './daemon.js';
import { until } from './events.js';
import { HOST } from './listener.js';

export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  readonly wsPort: number;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  constructor(port: number, wsPort: number, directory: string) {
    this.port = port;
    this.wsPort = wsPort;
    this.#directory = directory;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://${HOST}:${this.wsPort}`;
  }

  async start(): Promise<void> {
    const config = join(this.#directory, 'mosquitto.conf');
    const lines = [
      'user root',
      'allow_anonymous true',
      'persistence false',
      'sys_interval 0',
      'set_tcp_nodelay true',
      `listener ${this.port} ${HOST}`,
      `listener ${this.wsPort} ${HOST}`,
      'protocol websockets',
      'log_dest stderr',
      'log_type all',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const log = await open(this.#log, 'a');
    const child = spawn('mosquitto', ['-c', config], { stdio: ['ignore', 'ignore', log.fd] });
    await log.close();
    let failed: Error | undefined;
    child.once('error', (error) => {
      failed = error;
    });
    this.#process = child;
    await until(
      () => {
        if (failed) throw new Error(`mosquitto did not start (apt-get install mosquitto): ${failed.message}`);
        if (child.exitCode !== null) throw new Error(`mosquitto ended with code ${child.exitCode}`);
        return accepts(this.wsPort);
      },
      { what: `mosquitto on port ${this.wsPort}` },
    );
  }

  get #log(): string {
    return join(this.#directory, 'mosquitto.log');
  }

  /** Topics of every PUBLISH that it has ever taken, also before it was killed: it logs each before it answers. */
  async takenTopics(): Promise<Set<string>> {
    const log = await readFile(this.#log, 'utf8');
    return new Set(
      [...log.matchAll(/Received PUBLISH from \S+ \(.*?, '([^']*)',/g)].map(([, topic]) => topic as string),
    );
  }

  /** Whether the process runs; a frozen one does. */
  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** Ends the process; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Stops it from running without closing anything. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

export async function mosquitto(): Promise<Mosquitto> {
  const broker = new Mosquitto(
    await freePort(),
    await freePort(),
    await mkdtemp(join(tmpdir(), 'mosquitto-')),
  );
  try {
    await broker.start();
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  return broker;
}

/** `count` independent brokers, as separate machines would be. */
export async function mosquittos(count: number): Promise<Mosquitto[] & AsyncDisposable> {
  const brokers = await Promise.all(Array.from({ length: count }, mosquitto));
  return Object.assign(brokers, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(brokers.map((broker) => broker[Symbol.asyncDispose]()));
    },
  });
}
