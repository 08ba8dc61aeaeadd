/** Which failures are facts of a broker node, true for every client that dials it, and which are one client's own. */
import type { IClientOptions } from 'mqtt';
import type { Endpoint } from '../endpoint.js';
import type { Outcome } from './outcomes.js';

/** `wsOptions` that decide where a WebSocket really leads. */
const DETOURS = ['agent', 'createConnection', 'lookup', 'socketPath'] as const;

/** Whether a client with these options reaches brokers in its own way, so that its failures say nothing to others. */
export function hasOwnWay(options: Partial<IClientOptions>): boolean {
  const { createWebsocket, transformWsUrl, wsOptions } = options;
  if (createWebsocket || transformWsUrl || 'lookup' in options) return true;
  return wsOptions !== undefined && DETOURS.some((name) => name in wsOptions);
}

/** What clients that share facts call an endpoint: where it is, not what one list names it; `undefined`: nobody's but ours. */
export function addressOf({ scheme, host, port, path, options }: Endpoint): string | undefined {
  return hasOwnWay(options) ? undefined : `${scheme}://${host}:${port}${path}`;
}

const NODE_FACTS: ReadonlySet<string> = new Set([
  'socket ECONNREFUSED',
  'socket EHOSTUNREACH',
  'socket ETIMEDOUT',
  'socket ENOTFOUND',
  'link transport-timeout',
  'link connack-timeout',
  'connack 136',
  'connack 137',
  'connack 139',
  'connack-v3 3',
  'disconnect 139',
  'http 503',
]);

/** Facts of the node, unless the transport checks who we are: then it may be our certificate that is turned away. */
const ANONYMOUS_NODE_FACTS: ReadonlySet<string> = new Set([
  'socket ECONNRESET',
  'socket EPIPE',
  'link closed-before-connack',
]);

/**
 * Whether an outcome at an endpoint is a fact of the node (C7): unreachable, silent, busy, shutting down. What depends
 * on who asks is none: credentials, trust in a certificate, a conflict, an operation, a link that ends young.
 */
export function isNodeFact({ scheme }: Pick<Endpoint, 'scheme'>, { kind, code }: Outcome): boolean {
  const fact = `${kind} ${code}`;
  if (NODE_FACTS.has(fact)) return true;
  return (scheme === 'mqtt' || scheme === 'ws') && ANONYMOUS_NODE_FACTS.has(fact);
}
