/** From parsed `brokers` to the resolver that serves them. */
import { parseBrokerList } from '../brokers/list.js';
import type { ParsedBrokers } from '../brokers/parsed.js';
import type { Clock } from '../platform/ports.js';
import { FallbackResolver, UnionResolver } from './composite.js';
import { checkSrv } from './dns/check-srv.js';
import type { SrvDeps } from './dns/create-srv-resolver.js';
import { inTime } from './in-time.js';
import { lazy } from './lazy.js';
import type { RegistryWorld } from './registry/create-registry-resolver.js';
import { readTargets } from './registry/target.js';
import type { EndpointSet, Resolver } from './resolver.js';

/** What the sources need beside what the user wrote for `brokers`. */
export interface ResolverDeps {
  readonly clock: Clock;
  readonly srv: SrvDeps;
  readonly registry: RegistryWorld;
}

/** Share by which the polls of a registry vary (R53). */
const POLL_JITTER = 0.2;

/**
 * Makes the resolver for `brokers`. No I/O.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for what this runtime cannot serve.
 */
export function createResolver(brokers: ParsedBrokers, deps: ResolverDeps): Resolver {
  switch (brokers.kind) {
    case 'static': {
      const set: EndpointSet = Object.freeze({ endpoints: brokers.endpoints, source: 'static' });
      return { resolve: () => Promise.resolve(set) };
    }
    case 'function': {
      const resolve = async () => ({
        endpoints: parseBrokerList(await brokers.resolve(), 'brokers()', { origin: 'function' }),
        source: 'function',
      });
      return inTime({ resolve }, deps.clock);
    }
    case 'resolver': {
      const resolve = async (signal: AbortSignal) => checkSet(await brokers.resolver.resolve(signal));
      return inTime({ resolve }, deps.clock);
    }
    case 'srv':
      checkSrv(brokers, deps.srv);
      return lazy(async () => {
        const { createSrvResolver } = await import('./dns/create-srv-resolver.js');
        return createSrvResolver(brokers, deps.srv);
      });
    case 'registry':
      readTargets(brokers.url, deps.registry);
      return lazy(async () => {
        const { createRegistryResolver } = await import('./registry/create-registry-resolver.js');
        return createRegistryResolver(brokers.url, deps.registry);
      }, POLL_JITTER);
    case 'composite': {
      const sources = brokers.sources.map((source) => createResolver(source, deps));
      return brokers.mode === 'union' ? new UnionResolver(sources) : new FallbackResolver(sources);
    }
  }
}

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
