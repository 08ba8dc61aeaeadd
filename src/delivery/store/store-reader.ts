/** Reads a store: what it says of itself, how much it holds, and its messages, a page at a time. */
import { FailoverError } from '../../errors.js';
import type { DatabaseRange, DatabaseSection } from '../../platform/database.js';
import type { Held } from '../bounds.js';
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
/** Keys read at once; LevelDB gives less, IndexedDB what it is asked for. */
const KEYS = 10_000;
/** Bytes read at once by LevelDB, whose own 16 KiB would make several turns of the event loop of each step. */
const READ_BYTES = 1024 * 1024;

/** One store, open. */
export class StoreReader {
  readonly #section: DatabaseSection;
  readonly #lives: Lives;
  readonly #codec: OutboxCodec | undefined;
  readonly #onProperties: () => void;
  #received: ReadonlySet<string> = new Set();
  /** Bytes of the largest of the records that were read last. */
  #heaviest = 1;

  /** @param onProperties - Told of every message that has properties of MQTT 5. */
  constructor(
    section: DatabaseSection,
    lives: Lives,
    codec: OutboxCodec | undefined,
    onProperties: () => void = () => {},
  ) {
    this.#section = section;
    this.#lives = lives;
    this.#codec = codec;
    this.#onProperties = onProperties;
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
    this.#heaviest = Math.max(1, ...firsts.map(({ bytes }) => bytes));
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
    const counted = { messages: 0, bytes: 0 };
    for await (const block of blocks(this.#section.keys(recordRange(first, last)))) {
      for (const key of block) {
        counted.messages += 1;
        counted.bytes += parseRecordKey(key)?.bytes ?? 0;
      }
    }
    return counted;
  }

  /**
   * The messages numbered `first` to `last`, as many as `most` has room for.
   *
   * One at least; and when they become heavier, those of the step in which that shows: a mebibyte of them with LevelDB.
   */
  async read(first: number, last: number, most: Held): Promise<StorePage> {
    const range = { ...recordRange(first, last), highWaterMarkBytes: Math.min(READ_BYTES, most.bytes) };
    const entries: StoredEntry[] = [];
    const room = { ...most };
    const step = () => Math.max(1, this.#fitting(room));
    for await (const block of blocks(this.#section.iterator(range), step)) {
      let readUpTo = last;
      this.#heaviest = 1;
      for (const [name, value] of block) {
        const key = parseRecordKey(name);
        if (!key) continue;
        entries.push(await this.#entry(key, value));
        readUpTo = key.sequence;
        this.#heaviest = Math.max(this.#heaviest, key.bytes);
        room.size -= 1;
        room.bytes -= key.bytes;
      }
      if (this.#fitting(room) < 1) return { entries, readUpTo };
    }
    return { entries, readUpTo: last };
  }

  /** Records that there is room for, if they are like the last ones. In as few steps as can be: each is a turn of the event loop. */
  #fitting({ size, bytes }: Held): number {
    return Math.min(size, Math.floor(bytes / this.#heaviest));
  }

  async #entry(key: RecordKey, value: Uint8Array): Promise<StoredEntry> {
    const received = this.#received.size > 0 && this.#received.has(receivedKey(key.sequence));
    try {
      const body = unframe(value);
      const content = decodeBody(this.#codec ? await this.#codec.decode(body) : body);
      if (content.options.properties) this.#onProperties();
      return { key, received, content };
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
    const found: string[] = [];
    for await (const block of blocks(this.#section.keys(range))) found.push(...block);
    return found;
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

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What is left to read, `size` at a time at most. */
async function* blocks<T>(
  reading: { nextv(size: number): Promise<T[]>; close(): Promise<void> },
  size = () => KEYS,
): AsyncGenerator<T[]> {
  try {
    for (;;) {
      const block = await reading.nextv(size());
      if (block.length === 0) return;
      yield block;
    }
  } finally {
    await reading.close();
  }
}
