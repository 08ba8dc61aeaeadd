/** The document `mqtt-nodes/1` (R42, R43): what a registry serves, and what every mapping makes of other formats. */
import * as v from 'valibot';
import type { NodeState } from '../../endpoint.js';
import { parseTimestamp, TIMESTAMP } from './instant.js';
import {
  MAX_ID_LENGTH,
  MAX_NODES,
  MAX_TEXT_LENGTH,
  MAX_URL_LENGTH,
  MAX_URLS,
  MAX_ZONE_LENGTH,
} from './limits.js';

/** One broker node of a document, checked. */
export interface DocumentNode {
  readonly id: string;
  readonly urls: readonly string[];
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly state?: NodeState | undefined;
  /** From 0 to 1. */
  readonly load?: number | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Milliseconds since 1970. */
  readonly drainBy?: number | undefined;
}

/** A document, checked. Only what is named here was copied from it (R192). */
export interface NodeDocument {
  readonly revision?: string | undefined;
  /** Milliseconds since 1970. */
  readonly generatedAt?: number | undefined;
  /** Seconds that the document holds. */
  readonly ttl?: number | undefined;
  readonly spreadMs?: number | undefined;
  /** There are no nodes, and that is meant (R46). */
  readonly empty?: boolean | undefined;
  readonly nodes: readonly DocumentNode[];
  /** Nodes that were left out, and why; for people. */
  readonly skipped: readonly string[];
}

const between = (min: number, max: number, what = `a number from ${min} to ${max}`) =>
  v.pipe(v.number(what), v.minValue(min, what), v.maxValue(max, what));
const text = (max: number, what = `a string of 1 to ${max} characters`) =>
  v.pipe(v.string(what), v.minLength(1, what), v.maxLength(max, what));
const timestamp = v.pipe(
  v.string('an RFC 3339 time'),
  v.regex(TIMESTAMP, 'an RFC 3339 time'),
  v.transform(parseTimestamp),
);

/** A missing field is an issue of the object around it. */
const object = (issue: v.BaseIssue<unknown>) => (issue.expected === 'Object' ? 'an object' : 'given');

/** Longest duration that a document may name; a year in seconds and then some. */
const MAX_DURATION = 1_000_000_000;

const NODE = v.object(
  {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    id: v.pipe(text(MAX_ID_LENGTH), v.regex(/^[^\u0000-\u001f\u007f]+$/, 'free of control characters')),
    urls: v.pipe(
      v.array(text(MAX_URL_LENGTH), 'an array'),
      v.minLength(1, '1 to 8 URLs'),
      v.maxLength(MAX_URLS, '1 to 8 URLs'),
    ),
    priority: v.optional(v.pipe(between(0, 65_535), v.integer('an integer'))),
    weight: v.optional(between(0, 65_535)),
    zone: v.optional(text(MAX_ZONE_LENGTH)),
    // A word that this version does not know is no reason to connect.
    state: v.optional(
      v.pipe(
        v.string('a string'),
        v.transform((state): NodeState => (state === 'up' || state === 'draining' ? state : 'down')),
      ),
    ),
    load: v.optional(between(0, 1)),
    since: v.optional(timestamp),
    drainBy: v.optional(timestamp),
  },
  object,
);

const DOCUMENT = v.object(
  {
    schema: v.pipe(
      v.string('"mqtt-nodes/1"'),
      v.regex(
        /^mqtt-nodes\/1(?:\.\d{1,9})?$/,
        '"mqtt-nodes/1" (a client of this version reads no other major)',
      ),
    ),
    revision: v.optional(text(MAX_TEXT_LENGTH)),
    generatedAt: v.optional(timestamp),
    ttl: v.optional(between(0, MAX_DURATION)),
    staleFor: v.optional(between(0, MAX_DURATION)),
    topology: v.optional(text(MAX_TEXT_LENGTH)),
    spreadMs: v.optional(between(0, MAX_DURATION)),
    empty: v.optional(v.boolean('true or false')),
    nodes: v.pipe(v.array(v.unknown(), 'an array'), v.maxLength(MAX_NODES, `at most ${MAX_NODES} nodes`)),
  },
  object,
);

const ABORT_EARLY = { abortEarly: true, abortPipeEarly: true } as const;

/**
 * Checks a parsed document. Never changes `json`, ignores unknown fields at every level, and leaves a bad node out
 * with a reason while the others stand.
 *
 * @throws Error that names the field, for a document that is refused as a whole: another major version, a bad field
 * outside `nodes`, too many nodes, or one id twice.
 */
export function readDocument(json: unknown): NodeDocument {
  const result = v.safeParse(DOCUMENT, json, ABORT_EARLY);
  if (!result.success) throw new Error(`the document is refused: ${explain(result.issues[0])}`);
  const { nodes: items, revision, generatedAt, ttl, spreadMs, empty } = result.output;
  refuseDuplicates(items);
  const nodes: DocumentNode[] = [];
  const skipped: string[] = [];
  items.forEach((item, index) => {
    const node = v.safeParse(NODE, item, ABORT_EARLY);
    if (node.success) nodes.push(node.output);
    else skipped.push(`nodes[${index}]: ${explain(node.issues[0])}`);
  });
  return { revision, generatedAt, ttl, spreadMs, empty, nodes, skipped };
}

/** Two nodes with one id leave open which is meant, also when one of them is bad otherwise. */
function refuseDuplicates(items: readonly unknown[]): void {
  const ids = new Set<string>();
  for (const item of items) {
    const id = typeof item === 'object' && item !== null ? (item as { id?: unknown }).id : undefined;
    if (typeof id !== 'string') continue;
    if (ids.has(id)) throw new Error('the document is refused: two nodes have the same id');
    ids.add(id);
  }
}

function explain(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? 'it'} must be ${issue.message}`;
}
