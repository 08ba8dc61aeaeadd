/** Small texts on disk: in a LevelDB directory where `level` is installed, else in one plain file. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { TextStore } from './ports.js';

/** The part of `level` that is used; the package is an optional peer. */
interface Level {
  open(): Promise<void>;
  get(key: string): Promise<string | undefined>;
  put(key: string, value: string, options: { sync: boolean }): Promise<void>;
  close(): Promise<void>;
}

type LevelClass = new (path: string) => Level;

/**
 * Opens stores by path. What is at the path decides; where there is nothing yet, whether `level` is installed.
 *
 * LevelDB has one owner at a time, also within a process: those who wait for a path stand in a line here.
 */
export function textStores(): (path: string) => TextStore {
  const lines = new Map<string, Promise<unknown>>();
  const exclusively: Exclusively = (path, job) => {
    const done = (lines.get(path) ?? Promise.resolve()).then(job, job);
    const end: Promise<unknown> = done
      .catch(() => {})
      .then(() => {
        if (lines.get(path) === end) lines.delete(path);
      });
    lines.set(path, end);
    return done;
  };
  return (given) => {
    const path = resolve(given);
    let store: Promise<TextStore> | undefined;
    const chosen = () => {
      store ??= choose(path, exclusively);
      return store;
    };
    return {
      read: async (key) => (await chosen()).read(key),
      write: async (key, text) => (await chosen()).write(key, text),
    };
  };
}

/** Runs one job after another for each path. */
type Exclusively = <T>(path: string, job: () => Promise<T>) => Promise<T>;

async function choose(path: string, exclusively: Exclusively): Promise<TextStore> {
  const known = await stat(path).catch(() => undefined);
  if (known?.isFile()) return new FileTextStore(path);
  const level = await import('level').catch(() => undefined);
  return level ? new LevelTextStore(path, level.Level, exclusively) : new FileTextStore(path);
}

/** One text in one file; the key is part of the text and for the reader to check. */
export class FileTextStore implements TextStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<string | undefined> {
    return readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
  }

  async write(_key: string, text: string): Promise<void> {
    const draft = `${this.#path}.${process.pid}.tmp`;
    await mkdir(dirname(this.#path), { recursive: true });
    try {
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }
}

/** Many texts in one LevelDB, which is held open only while one of them is read or written: others use it, too. */
class LevelTextStore implements TextStore {
  readonly #path: string;
  readonly #Level: LevelClass;
  readonly #exclusively: Exclusively;

  constructor(path: string, Level: LevelClass, exclusively: Exclusively) {
    this.#path = path;
    this.#Level = Level;
    this.#exclusively = exclusively;
  }

  async read(key: string): Promise<string | undefined> {
    return this.#exclusively(this.#path, () => this.#with((level) => level.get(key)));
  }

  async write(key: string, text: string): Promise<void> {
    await this.#exclusively(this.#path, () => this.#with((level) => level.put(key, text, { sync: true })));
  }

  async #with<T>(use: (level: Level) => Promise<T>): Promise<T> {
    const level = new this.#Level(this.#path);
    await level.open();
    try {
      return await use(level);
    } finally {
      await level.close();
    }
  }
}
