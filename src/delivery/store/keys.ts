/** Keys of a store: they sort as the messages were published, and tell enough to count without reading values. */

/** What the key of a record tells. */
export interface RecordKey {
  readonly sequence: number;
  /** As the bounds of the outbox count them. */
  readonly bytes: number;
}

const SEQUENCE_DIGITS = 12;
const BYTES_DIGITS = 8;
const RECORD = new RegExp(`^r([0-9a-f]{${SEQUENCE_DIGITS}})([0-9a-f]{${BYTES_DIGITS}})$`);

/** Everything about the store itself: format and lives. */
export const META_KEY = 'meta';
/** Where reading begins: what is below was deleted, and LevelDB would step over each of its tombstones. */
export const HEAD_KEY = 'head';

/** Key of a message. */
export function recordKey({ sequence, bytes }: RecordKey): string {
  return `r${hex(sequence, SEQUENCE_DIGITS)}${hex(bytes, BYTES_DIGITS)}`;
}

/** The message of a key, or `undefined` for any other key. */
export function parseRecordKey(key: string): RecordKey | undefined {
  const [, sequence, bytes] = RECORD.exec(key) ?? [];
  if (sequence === undefined || bytes === undefined) return undefined;
  return { sequence: Number.parseInt(sequence, 16), bytes: Number.parseInt(bytes, 16) };
}

/** Range of the messages numbered `first` to `last`. */
export function recordRange(first: number, last = 16 ** SEQUENCE_DIGITS - 1): { gte: string; lte: string } {
  return { gte: `r${hex(first, SEQUENCE_DIGITS)}`, lte: `r${hex(last, SEQUENCE_DIGITS)}g` };
}

/** Key of the note that a broker has answered this QoS 2 message with PUBREC. */
export function receivedKey(sequence: number): string {
  return `p${hex(sequence, SEQUENCE_DIGITS)}`;
}

/** Range of those notes. */
export const RECEIVED_RANGE = { gte: 'p', lte: 'pg' } as const;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
