/** From parsed `brokers` to the resolver that serves them. */
import { type ParsedBrokers, parseBrokerList } from '../brokers.js';
import { FailoverError } from '../errors.js';
import { createSrvResolver, type SrvDeps } from './dns/create-srv-resolver.js';
import type { EndpointSet, Resolver } from './resolver.js';

/** What the sources need beside what the user wrote for `brokers`. */
export type ResolverDeps = SrvDeps;

/**
 * Makes the resolver for `brokers`. No I/O.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for what this runtime, or this version, cannot serve.
 */
export function createResolver(brokers: ParsedBrokers, deps: ResolverDeps): Resolver {
  switch (brokers.kind) {
    case 'static': {
      const set: EndpointSet = Object.freeze({ endpoints: brokers.endpoints, source: 'static' });
      return { resolve: () => Promise.resolve(set) };
    }
    case 'function':
      return {
        resolve: async () => ({
          endpoints: parseBrokerList(await brokers.resolve(), 'brokers()', { origin: 'function' }),
          source: 'function',
        }),
      };
    case 'resolver':
      return { resolve: async (signal) => checkSet(await brokers.resolver.resolve(signal)) };
    case 'srv':
      return createSrvResolver(brokers, deps);
    case 'registry':
    case 'composite':
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`brokers\` names ${LATER[brokers.kind]}, which this version does not have yet: give a list or your own async function`,
      );
  }
}

const LATER = {
  registry: 'a registry endpoint',
  composite: 'several sources',
} as const;

/** A user's resolver is outside data: what it returns is read like any other list. */
function checkSet(set: EndpointSet): EndpointSet {
  return {
    endpoints: parseBrokerList(set?.endpoints, 'brokers.resolve().endpoints', { origin: 'resolver' }),
    source: typeof set.source === 'string' ? set.source : 'resolver',
    ...(set.revision === undefined ? {} : { revision: String(set.revision) }),
    ...(isDuration(set.ttlMs) ? { ttlMs: set.ttlMs } : {}),
    ...(isDuration(set.spreadMs) ? { spreadMs: set.spreadMs } : {}),
    ...(set.loads instanceof Map ? { loads: set.loads } : {}),
  };
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}
