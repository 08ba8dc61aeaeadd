/** Reads a store: what it says of itself, how much it holds, and its messages, a page at a time. */
import { FailoverError } from '../../errors.js';
import type { DatabaseRange, DatabaseSection } from '../../platform/database.js';
import type { OutboxCodec } from './codec.js';
import { StoreRefusal } from './failure.js';
import {
  HEAD_KEY,
  META_KEY,
  parseRecordKey,
  RECEIVED_RANGE,
  type RecordKey,
  receivedKey,
  recordRange,
} from './keys.js';
import type { Lives } from './lives.js';
import { decodeBody, frame, type RecordContent, unframe } from './record.js';

/** What a store holds, as far as a look at its ends can tell. */
export interface StoreState {
  /** Number of the first message. */
  readonly first: number;
  /** Number of the last; without any, one less than the first. */
  readonly last: number;
  /** Bytes of all of them, if those in the middle are like the first ones. */
  readonly bytes: number;
}

/** One record, which can be read or not. */
export type StoredEntry = {
  readonly key: RecordKey;
  /** A broker has answered it with PUBREC. */
  readonly received: boolean;
} & (
  | { readonly content: RecordContent; readonly error?: never }
  | { readonly content?: never; readonly error: FailoverError }
);

/** Some messages in their order. */
export interface StorePage {
  readonly entries: readonly StoredEntry[];
  /** Everything up to this number has been read. */
  readonly readUpTo: number;
}

/** Layout of keys and meta data; a store with a higher number is left alone. */
const FORMAT = 1;
/** Keys whose sizes stand for all until these are counted. */
const SAMPLE = 1_000;
/** Keys read at once while counting. */
const COUNT_BLOCK = 10_000;
/** LevelDB's 16 KiB would make several turns of the event loop of each page. */
const READ_BYTES = 1024 * 1024;

/** One store, open. */
export class StoreReader {
  readonly #section: DatabaseSection;
  readonly #lives: Lives;
  readonly #codec: OutboxCodec | undefined;
  #received: ReadonlySet<string> = new Set();

  constructor(section: DatabaseSection, lives: Lives, codec: OutboxCodec | undefined) {
    this.#section = section;
    this.#lives = lives;
    this.#codec = codec;
  }

  /**
   * Reads what the store says of itself.
   *
   * @throws StoreRefusal when a newer version wrote it; or the database's error.
   */
  async open(): Promise<StoreState> {
    const meta = await this.#json(META_KEY);
    const { format = FORMAT, lives } = (meta ?? {}) as { format?: unknown; lives?: unknown };
    if (typeof format !== 'number' || format > FORMAT)
      throw new StoreRefusal('version', `format ${String(format)}, known is ${FORMAT}`);
    this.#lives.recall(lives);
    this.#received = new Set(await this.#keys(RECEIVED_RANGE));
    const noted = await this.#json(HEAD_KEY);
    const head = typeof noted === 'number' && Number.isSafeInteger(noted) && noted > 0 ? noted : 1;
    const all = recordRange(head);
    const firsts = (await this.#keys({ ...all, limit: SAMPLE })).flatMap((key) => parseRecordKey(key) ?? []);
    const [first] = firsts;
    const last = await this.#keyAt({ ...all, limit: 1, reverse: true });
    // Numbers never begin anew: below the head nobody looks.
    if (!first || !last) return { first: head, last: head - 1, bytes: 0 };
    const mean = firsts.reduce((sum, { bytes }) => sum + bytes, 0) / firsts.length;
    const messages = last.sequence - first.sequence + 1;
    return { first: first.sequence, last: last.sequence, bytes: Math.round(mean * messages) };
  }

  /** What the store is to say of itself from now on. */
  meta(): Uint8Array {
    return frame(encoder.encode(JSON.stringify({ format: FORMAT, lives: this.#lives.toStore() })));
  }

  /** How much there is from one number to another. Reads keys only. */
  async count(first: number, last: number): Promise<{ messages: number; bytes: number }> {
    const keys = this.#section.keys(recordRange(first, last));
    const counted = { messages: 0, bytes: 0 };
    try {
      for (;;) {
        const block = await keys.nextv(COUNT_BLOCK);
        if (block.length === 0) return counted;
        for (const key of block) {
          counted.messages += 1;
          counted.bytes += parseRecordKey(key)?.bytes ?? 0;
        }
      }
    } finally {
      await keys.close();
    }
  }

  /** The messages numbered `first` to `last`, `limit` at most. */
  async read(first: number, last: number, limit: number): Promise<StorePage> {
    const range = { ...recordRange(first, last), limit, highWaterMarkBytes: READ_BYTES };
    const found = await this.#section.iterator(range).all();
    const entries: StoredEntry[] = [];
    for (const [name, value] of found) {
      const key = parseRecordKey(name);
      if (key) entries.push(await this.#entry(key, value));
    }
    const readUpTo = found.length < limit ? last : (entries.at(-1)?.key.sequence ?? last);
    return { entries, readUpTo };
  }

  async #entry(key: RecordKey, value: Uint8Array): Promise<StoredEntry> {
    const received = this.#received.size > 0 && this.#received.has(receivedKey(key.sequence));
    try {
      const body = unframe(value);
      return { key, received, content: decodeBody(this.#codec ? await this.#codec.decode(body) : body) };
    } catch (cause) {
      const text = `Message ${key.sequence} of the outbox cannot be read, and stays in its store`;
      return { key, received, error: new FailoverError('ERR_STORE', text, { cause }) };
    }
  }

  async #keyAt(range: DatabaseRange): Promise<RecordKey | undefined> {
    const [key] = await this.#keys(range);
    return key === undefined ? undefined : parseRecordKey(key);
  }

  async #keys(range: DatabaseRange): Promise<string[]> {
    const keys = this.#section.keys(range);
    try {
      return await keys.nextv(range.limit ?? MAX_RECEIVED);
    } finally {
      await keys.close();
    }
  }

  /** A note about the store that cannot be read is as good as none: records speak for themselves. */
  async #json(key: string): Promise<unknown> {
    const bytes = await this.#section.get(key);
    if (!bytes) return undefined;
    try {
      return JSON.parse(decoder.decode(unframe(bytes)));
    } catch {
      return undefined;
    }
  }
}

/** QoS 2 messages between PUBREC and PUBCOMP: no more than there are packet ids. */
const MAX_RECEIVED = 65_535;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
