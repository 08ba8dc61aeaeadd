/** A TypeScript module in a process of its own, whose functions are called over the IPC channel. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What a child offers: one argument, one result, both structured clones. */
export type Methods = Record<string, (argument: any) => unknown>;

type Result<M extends Methods, K extends keyof M> = Awaited<ReturnType<M[K]>>;

/** To be called by the module of a child. The process ends when its parent is gone or lets go of it. */
export function serve(methods: Methods): void {
  process.on('message', async ({ id, method, argument }: Call) => {
    try {
      process.send?.({ id, result: await methods[method]?.(argument) } satisfies Reply);
    } catch (error) {
      process.send?.({ id, error: String((error as Error).stack ?? error) } satisfies Reply);
    }
  });
  process.on('disconnect', () => process.exit());
}

/** The parent's end. `M` is the type of what the module passes to {@link serve}. */
export class Child<M extends Methods> implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #calls = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<unknown>;
  #lastId = 0;

  /** @param nodeFlags - More flags for Node, such as `--expose-gc`. */
  constructor(module: URL, nodeFlags: readonly string[] = []) {
    this.#name = fileURLToPath(module);
    this.#process = fork(this.#name, [], {
      execArgv: [...nodeFlags, '--import', import.meta.resolve('tsx')],
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#exited = once(this.#process, 'exit');
    this.#process.on('message', ({ id, result, error }: Reply) => {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) call?.resolve(result as never);
      else call?.reject(new Error(error));
    });
    this.#process.on('exit', (code, signal) => {
      const error = new Error(`${this.#name} ended (${signal ?? `exit code ${code}`})`);
      for (const { reject } of this.#calls.values()) reject(error);
      this.#calls.clear();
    });
  }

  call<K extends keyof M & string>(method: K, argument: Parameters<M[K]>[0]): Promise<Result<M, K>> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#calls.set(id, { resolve, reject });
      const sent = (error: Error | null) => {
        if (error) reject(error);
      };
      this.#process.send({ id, method, argument } satisfies Call, sent);
    });
  }

  /** Stops it from running without closing anything. Only {@link kill} ends it then. */
  freeze(): void {
    const killOnExit = () => this.#process.kill('SIGKILL');
    // A stopped process does not notice that its parent has ended.
    process.once('exit', killOnExit);
    this.#process.once('exit', () => process.off('exit', killOnExit));
    this.#process.kill('SIGSTOP');
  }

  /** `kill -9`, at once; the process is gone when the promise resolves. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  /** Lets the process end by itself, so that it can write its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#exited;
  }
}
