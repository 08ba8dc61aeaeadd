/** From a checked document to the endpoint set of this runtime. */
import { createEndpoint, type Endpoint, type Scheme, toScheme } from '../../endpoint.js';
import type { EndpointSet } from '../resolver.js';
import type { DocumentNode, NodeDocument } from './document.js';

/** What {@link toEndpointSet} does not find in the document. */
export interface SetContext {
  /** Schemes that this runtime can dial and that policy allows. */
  readonly schemes: ReadonlySet<Scheme>;
  /** Milliseconds that the answer holds; without, for ever. */
  readonly ttlMs: number | undefined;
  /** Where the document came from: `origin` of the endpoints, and `source` of the set. */
  readonly origin: 'registry' | 'topic';
}

/**
 * One endpoint for each node that has a URL for us: the first whose scheme may be used (R44). The node's id is the
 * endpoint's, so that a browser on `wss` and a device on `mqtts` are placed alike.
 *
 * @throws Error when there is no endpoint and the document did not say so.
 */
export function toEndpointSet(document: NodeDocument, { schemes, ttlMs, origin }: SetContext): EndpointSet {
  const endpoints: Endpoint[] = [];
  const skipped = [...document.skipped];
  const loads = new Map<string, number>();
  for (const node of document.nodes) {
    const endpoint = firstUsable(node, schemes, origin);
    if (!endpoint) skipped.push(`${node.id}: no URL with a scheme that may be used here`);
    else {
      endpoints.push(endpoint);
      if (node.load !== undefined) loads.set(node.id, node.load);
    }
  }
  if (endpoints.length === 0 && !document.empty) throw new Error(nothingUsable(skipped));
  const { revision, generatedAt, spreadMs } = document;
  return {
    endpoints,
    source: origin,
    loads,
    confirmShrink: true,
    ...(document.empty && endpoints.length === 0 ? { empty: true } : {}),
    ...(skipped.length === 0 ? {} : { skipped }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(revision === undefined ? {} : { revision }),
    ...(generatedAt === undefined ? {} : { generatedAt }),
    ...(spreadMs === undefined ? {} : { spreadMs }),
  };
}

/** Scheme, one authority, and path with query. User info and several hosts do not match: neither is the registry's to say. */
const NODE_URL = /^([a-z]+):\/\/([^/?#@,\\\s]+)([/?][^#\s]*)?$/i;

function firstUsable(
  { urls, load: _, ...place }: DocumentNode,
  schemes: ReadonlySet<Scheme>,
  origin: SetContext['origin'],
): Endpoint | undefined {
  for (const url of urls) {
    const [, name = '', authority = '', path = ''] = NODE_URL.exec(url) ?? [];
    const scheme = toScheme(name);
    if (!scheme || !schemes.has(scheme)) continue;
    try {
      return createEndpoint({ ...place, scheme, authority, path, origin }, 'urls');
    } catch {
      // Not a host and port: as good as no URL.
    }
  }
  return undefined;
}

/** Reasons that are worth reading; a hostile list has a thousand. */
const SHOWN = 3;

function nothingUsable(skipped: readonly string[]): string {
  if (skipped.length === 0) return 'the list has no nodes, and does not say "empty": true';
  const more = skipped.length > SHOWN ? ` and ${skipped.length - SHOWN} more` : '';
  return `the list has no node that can be used: ${skipped.slice(0, SHOWN).join('; ')}${more}`;
}
