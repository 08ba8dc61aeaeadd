/**
 * Servers that die, hang and come back.
 *
 * The world it builds: a program with ports and a directory of its own, started again and again at the same place.
 * What it stored there is there again, as on a machine that reboots.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, type ProgramOptions } from './program.js';

/** What any broker of any make can be made to do, and where it listens. */
export interface BrokerNode {
  readonly url: string;
  readonly wsUrl: string;
  /** Whether the process runs; a frozen one does. */
  readonly isRunning: boolean;
  /** Starts it; resolves when it serves clients. */
  start(): Promise<void>;
  /** Ends the process; resolves when it is gone. Frozen, it cannot obey anything but `SIGKILL`. @defaultValue 'SIGKILL' */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops it from running without closing anything. */
  freeze(): void;
  thaw(): void;
}

/** Brokers that belong together, and all else that they need. */
export interface BrokerCluster extends AsyncDisposable {
  readonly nodes: readonly BrokerNode[];
}

export interface ServerInit extends ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
}

/** One program over its lives. */
export class Server implements AsyncDisposable {
  readonly #init: ServerInit;
  #life: Program | undefined;
  #said = '';

  constructor(init: ServerInit) {
    this.#init = init;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  /** What it has said in this life. */
  get output(): string {
    return this.#life?.output ?? '';
  }

  /** What it said in its former lives. */
  get formerOutput(): string {
    return this.#said;
  }

  async start(): Promise<void> {
    if (this.#life) return;
    const { command, args, ...options } = this.#init;
    this.#life = await Program.start(command, () => [...args], options);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    if (!life) return;
    await life.kill(signal);
    this.#said += life.output;
    await life[Symbol.asyncDispose]();
  }

  freeze(): void {
    this.#life?.freeze();
  }

  thaw(): void {
    this.#life?.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Where a cluster is built. */
export interface Site {
  /** For its files; goes with the cluster. */
  readonly directory: string;
  /** Has `part` disposed of with the cluster, before what it stands on: all that was used before it. */
  use<T extends AsyncDisposable>(part: T): T;
}

/**
 * A cluster with a directory of its own.
 *
 * @param build - Starts it and returns its nodes. When it fails, nothing of what it used is left.
 */
export async function buildCluster(
  kind: string,
  build: (site: Site) => Promise<readonly BrokerNode[]>,
): Promise<BrokerCluster> {
  const directory = await mkdtemp(join(tmpdir(), `${kind}-cluster-`));
  const used: AsyncDisposable[] = [];
  const dispose = async () => {
    await disposeAll([...used].reverse());
    await rm(directory, { recursive: true, force: true });
  };
  const use = <T extends AsyncDisposable>(part: T): T => {
    used.push(part);
    return part;
  };
  try {
    return { nodes: await build({ directory, use }), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Disposes of all in that order, also when one of them fails. */
export async function disposeAll(parts: Iterable<AsyncDisposable>): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) {
    try {
      await part[Symbol.asyncDispose]();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'could not be disposed of');
}
