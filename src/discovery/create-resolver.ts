/** From parsed `brokers` to the resolver that serves them. */
import { type ParsedBrokers, parseBrokerList } from '../brokers.js';
import { FailoverError } from '../errors.js';
import type { EndpointSet, Resolver } from './resolver.js';

/**
 * Makes the resolver for `brokers`.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for the sources that this version cannot serve yet.
 */
export function createResolver(brokers: ParsedBrokers): Resolver {
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
    case 'registry':
    case 'composite':
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`brokers\` names ${LATER[brokers.kind]}, which this version does not have yet: give a list or your own async function`,
      );
  }
}

const LATER = {
  srv: 'DNS SRV discovery',
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
