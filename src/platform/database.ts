/** The part of `abstract-level` that the outbox needs. Any of its databases fits: it is described, not imported. */

/** A change to a database. */
export type DatabaseOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/** Options of a range read. Both bounds are inclusive. */
export interface DatabaseRange {
  readonly gte: string;
  readonly lte: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Keys in order, a block at a time; an empty block ends it. */
export interface DatabaseKeys {
  nextv(size: number): Promise<string[]>;
  close(): Promise<void>;
}

/** A part of a database with keys of its own. */
export interface DatabaseSection {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** All operations or none; with `sync` it resolves when they are on the disk. */
  batch(operations: DatabaseOperation[], options: { sync: boolean }): Promise<void>;
  keys(range: DatabaseRange): DatabaseKeys;
  iterator(range: DatabaseRange): { all(): Promise<[string, Uint8Array][]> };
}

/** A database, open or not yet. */
export interface Database {
  readonly status: string;
  open(): Promise<void>;
  close(): Promise<void>;
  sublevel(
    name: string[],
    options: { readonly keyEncoding: 'utf8'; readonly valueEncoding: 'view' },
  ): DatabaseSection;
}

/** A database that was opened by its name. */
export interface NamedDatabase {
  readonly database: Database;
  /** What the database said it had to leave out when it was opened, if it did. */
  readonly damage: string | undefined;
}

/** Opens databases by path or name, and says who may use them. */
export interface Databases {
  /** Opens, or creates, the database of that name. Rejects with the platform's error. */
  open(name: string): Promise<NamedDatabase>;
  /**
   * Claims a name for this process alone, where the platform has others that might, and the database does not see to
   * it; gives the release, or `undefined` when another has it.
   */
  claim?(name: string): Promise<(() => void) | undefined>;
}
