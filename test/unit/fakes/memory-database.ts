/** A database of `abstract-level`'s shape in memory, which can be told to fail. */
import type {
  Database,
  DatabaseOperation,
  DatabaseRange,
  DatabaseSection,
} from '../../../src/platform/database.js';

export class MemoryDatabase implements Database {
  status = 'open';
  /** What is on the disk, by section and key. */
  readonly sections: Map<string, Map<string, Uint8Array>>;
  /** Every batch that was committed. */
  readonly batches: { readonly operations: readonly DatabaseOperation[]; readonly sync: boolean }[] = [];
  /** Thrown by everything that writes. */
  writeError: Error | undefined;
  /** Thrown by everything that reads messages. */
  readError: Error | undefined;

  constructor(sections: Map<string, Map<string, Uint8Array>> = new Map()) {
    this.sections = sections;
  }

  /** The same disk, as another process finds it. */
  reopened(): MemoryDatabase {
    return new MemoryDatabase(this.sections);
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}

  sublevel(name: string[]): DatabaseSection {
    const path = name.join('/');
    const data = this.sections.get(path) ?? new Map<string, Uint8Array>();
    this.sections.set(path, data);
    return {
      open: async () => {},
      close: async () => {},
      get: async (key) => data.get(key),
      batch: async (operations, { sync }) => {
        await Promise.resolve();
        if (this.writeError) throw this.writeError;
        for (const operation of operations) {
          if (operation.type === 'put') data.set(operation.key, operation.value);
          else data.delete(operation.key);
        }
        this.batches.push({ operations, sync });
      },
      keys: (range) => blocks(inRange(data, range).map(([key]) => key)),
      iterator: (range) => {
        const found = blocks(inRange(data, range));
        const nextv = async (size: number) => {
          if (this.readError) throw this.readError;
          return found.nextv(size);
        };
        return { ...found, nextv };
      },
    };
  }
}

function inRange(
  data: ReadonlyMap<string, Uint8Array>,
  { gte, lte, limit = Number.POSITIVE_INFINITY, reverse = false }: DatabaseRange,
): [string, Uint8Array][] {
  const found = [...data].filter(([key]) => key >= gte && key <= lte).sort(([a], [b]) => (a < b ? -1 : 1));
  return (reverse ? found.reverse() : found).slice(0, limit);
}

/** Keys or entries at once: LevelDB gives no more than some kilobytes, whatever it is asked for. */
const BLOCK = 400;

function blocks<T>(all: T[]) {
  return { nextv: async (size: number) => all.splice(0, Math.min(size, BLOCK)), close: async () => {} };
}
