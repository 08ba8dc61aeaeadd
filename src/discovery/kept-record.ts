/** The text of a kept list: outside data like any other. Loaded when there is one, as the checks are large. */
import * as v from 'valibot';
import {
  MAX_ID_LENGTH,
  MAX_NODES,
  MAX_TEXT_LENGTH,
  MAX_URL_LENGTH,
  MAX_ZONE_LENGTH,
} from './registry/limits.js';

/** Characters of a record that are looked at. */
const MAX_RECORD_LENGTH = 2 ** 20;
/** A host name in A-labels with brackets, zone and port. */
const MAX_AUTHORITY_LENGTH = 300;

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const number = v.pipe(v.number(), v.finite());

const ENDPOINT = v.object({
  id: text(MAX_ID_LENGTH),
  scheme: v.picklist(['mqtt', 'mqtts', 'ws', 'wss']),
  authority: text(MAX_AUTHORITY_LENGTH),
  path: v.pipe(v.string(), v.maxLength(MAX_URL_LENGTH)),
  priority: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)),
  weight: v.pipe(v.number(), v.minValue(0), v.maxValue(65_535)),
  zone: v.optional(text(MAX_ZONE_LENGTH)),
  state: v.picklist(['up', 'draining', 'down']),
  since: v.optional(number),
  drainBy: v.optional(number),
  origin: v.picklist(['function', 'resolver', 'srv', 'registry', 'topic']),
});

/** A record; `version` changes when an older reader could misread it. */
const RECORD = v.object({
  version: v.literal(1),
  /** Names the source without telling it: its URL may hold a token. */
  key: v.string(),
  savedAt: number,
  revision: v.optional(text(MAX_TEXT_LENGTH)),
  endpoints: v.pipe(v.array(ENDPOINT), v.minLength(1), v.maxLength(MAX_NODES)),
});

/** A list as it was written down. */
export type KeptRecord = v.InferOutput<typeof RECORD>;

/**
 * Reads what a store gave back; `undefined` for what is no record.
 *
 * @throws SyntaxError for what is not even JSON.
 */
export function readRecord(text: string): KeptRecord | undefined {
  if (text.length > MAX_RECORD_LENGTH) return undefined;
  const result = v.safeParse(RECORD, JSON.parse(text));
  return result.success ? result.output : undefined;
}
