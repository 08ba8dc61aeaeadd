/** What clients would make of a registry document, by the library's own checks. Pure. */
import { type NodeDocument, readDocument } from '../discovery/registry/document.js';
import { toEndpointSet } from '../discovery/registry/endpoint-set.js';
import { parseJson } from '../discovery/registry/json.js';
import { isObject, type Reach } from '../discovery/registry/mappings/mapping.js';
import { recognise } from '../discovery/registry/mappings/recognise.js';
import type { Endpoint, Scheme } from '../endpoint.js';
import { messageOf } from '../errors.js';

/** One thing that a client would not take. */
export interface Remark {
  /** Id of the node, with its place such as `nodes[3]` where it is bad; `null` for the document. */
  readonly node: string | null;
  readonly text: string;
}

/** The answer of `registry lint`, as its JSON has it. */
export interface Lint {
  readonly ok: boolean;
  /** Nodes that pass the checks. */
  readonly nodes: number;
  /** What clients refuse. */
  readonly errors: readonly Remark[];
  /** What clients would skip. */
  readonly warnings: readonly Remark[];
}

/** Where the document is served, as far as it is known. */
export interface LintContext {
  /** How nodes of systems that know nothing of MQTT are reached: the fragment of the registry URL. */
  readonly reach?: Reach;
  /** Plain schemes are asked for, by a plain registry or by an option. */
  readonly plain?: boolean;
  /** Why clients of that registry must not dial an endpoint. */
  readonly refusal?: (endpoint: Endpoint) => string | undefined;
}

const SECURE: readonly Scheme[] = ['mqtts', 'wss'];
const ALL: ReadonlySet<Scheme> = new Set<Scheme>(['mqtt', 'mqtts', 'ws', 'wss']);

/** Checks the text of a document. */
export function lintDocument(text: string, context: LintContext): Lint {
  let raw: unknown;
  let document: NodeDocument;
  try {
    raw = recognise(parseJson(text), context.reach ?? {}).document;
    document = readDocument(raw);
  } catch (error) {
    const reason = messageOf(error);
    return { ok: false, nodes: 0, errors: [{ node: null, text: reason }], warnings: [] };
  }
  const { nodes, skipped, empty } = document;
  const errors = skipped.map((reason) => named(reason, raw));
  if (nodes.length === 0 && errors.length === 0 && !empty)
    errors.push({ node: null, text: 'the list has no nodes, and does not say "empty": true' });
  const warnings = nodes.flatMap((node) => warningsFor(node, context));
  return { ok: errors.length === 0, nodes: nodes.length, errors, warnings };
}

/** The reader names a bad node by its place; people look for its id. */
function named(reason: string, raw: unknown): Remark {
  const [, place, index, text = reason] = /^(nodes\[(\d+)\]): (.*)$/s.exec(reason) ?? [];
  const nodes = isObject(raw) && Array.isArray(raw.nodes) ? (raw.nodes as unknown[]) : [];
  const bad = nodes[Number(index)];
  const id = isObject(bad) ? bad.id : undefined;
  return { node: typeof id === 'string' && id !== '' ? `${place} ${id}` : (place ?? null), text };
}

function warningsFor(node: Node, { reach, plain, refusal }: LintContext): readonly Remark[] {
  const asked = reach?.scheme === undefined ? [] : [reach.scheme];
  const endpoint = endpointOf(node, plain ? ALL : new Set([...SECURE, ...asked]));
  if (endpoint) {
    const refused = refusal?.(endpoint);
    return refused === undefined ? [] : [{ node: node.id, text: `clients refuse it: ${refused}` }];
  }
  const text = endpointOf(node, ALL)
    ? 'all its URLs are plain (mqtt:, ws:): clients of an https registry skip it'
    : 'none of its URLs can be used (scheme://host:port, without user info)';
  return [{ node: node.id, text }];
}

type Node = NodeDocument['nodes'][number];

/** The endpoint that a client would make of one node. */
function endpointOf(node: Node, schemes: ReadonlySet<Scheme>): Endpoint | undefined {
  const alone = { nodes: [node], skipped: [], empty: true };
  return toEndpointSet(alone, { schemes, ttlMs: undefined, origin: 'registry' }).endpoints[0];
}
