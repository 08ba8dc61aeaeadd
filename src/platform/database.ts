/** The part of `abstract-level` that the outbox needs. Any of its databases fits: it is described, not imported. */

/** A change to a database: a key is written, or deleted. */
export type DatabaseOperation = DatabasePut | DatabaseDeletion;

/** Writes a value. */
export interface DatabasePut {
  readonly type: 'put';
  /** Where it is written. */
  readonly key: string;
  /** What is written; replaces what was there. */
  readonly value: Uint8Array;
}

/** Deletes a key; one that is not there is no failure. */
export interface DatabaseDeletion {
  readonly type: 'del';
  /** What is deleted. */
  readonly key: string;
}

/** Options of a range read. Both bounds are inclusive. */
export interface DatabaseRange {
  /** The first key that may come. */
  readonly gte: string;
  /** The last key that may come. */
  readonly lte: string;
  /** Entries at most. @defaultValue no limit */
  readonly limit?: number;
  /** From the last to the first. @defaultValue false */
  readonly reverse?: boolean;
  /** Bytes that are read at once before somebody waits for more, where the database asks for it. */
  readonly highWaterMarkBytes?: number;
}

/** Keys in order, a block at a time; an empty block ends it. */
export interface DatabaseKeys {
  /** The next keys, `size` at most; none when there are no more. */
  nextv(size: number): Promise<string[]>;
  /** Frees what the reading holds. */
  close(): Promise<void>;
}

/** Keys with their values, in order, a block at a time; an empty block ends it. */
export interface DatabaseEntries {
  /** The next ones, `size` at most; none when there are no more. */
  nextv(size: number): Promise<[string, Uint8Array][]>;
  /** Frees what the reading holds. */
  close(): Promise<void>;
}

/** A part of a database with keys of its own. */
export interface DatabaseSection {
  /** Makes it usable; once it is, harmless. */
  open(): Promise<void>;
  /** Ends its use; the database stays open. */
  close(): Promise<void>;
  /** The value of a key, or `undefined`. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** All operations or none; with `sync` it resolves when they are on the disk. */
  batch(operations: DatabaseOperation[], options: { sync: boolean }): Promise<void>;
  /** The keys of a range, for reading in blocks. */
  keys(range: DatabaseRange): DatabaseKeys;
  /** The entries of a range, for reading in blocks. */
  iterator(range: DatabaseRange): DatabaseEntries;
}

/** A database, open or not yet. */
export interface Database {
  /** `open`, or anything else while it is not. */
  readonly status: string;
  /** Opens it; rejects with the error of the database. */
  open(): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
  /** The section with that path; the client makes one for each client id. */
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
