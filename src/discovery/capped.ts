/** A bound on how many endpoints of a large list one client keeps in view (D8, R15). */
import type { Endpoint } from '../endpoint.js';
import { rank } from '../selection/rank.js';
import type { EndpointSet, Resolver } from './resolver.js';

/**
 * `resolver`, of whose answers the client keeps `max` endpoints: those it has, as long as they are listed, and for the
 * rest the first by its own ranking. Not a draw, so that a restart keeps the subset, and every client its home.
 */
export function capped(resolver: Resolver, max: number, clientId: () => string): Resolver {
  let kept: ReadonlySet<string> = new Set();
  const cap = (set: EndpointSet): EndpointSet => {
    const ranked = rank(clientId(), set.endpoints);
    const known = ranked.filter(({ id }) => kept.has(id));
    const chosen = new Set<Endpoint>();
    // Home is kept also when it is new.
    for (const endpoint of [...ranked.slice(0, 1), ...known, ...ranked]) {
      if (chosen.size < max) chosen.add(endpoint);
    }
    kept = new Set([...chosen].map(({ id }) => id));
    return { ...set, endpoints: set.endpoints.filter((endpoint) => chosen.has(endpoint)) };
  };
  const { watch } = resolver;
  return {
    resolve: async (signal) => cap(await resolver.resolve(signal)),
    rebootstrap: () => resolver.rebootstrap?.(),
    get refreshJitter() {
      return resolver.refreshJitter;
    },
    ...(watch
      ? {
          watch: (onChange, onFailure, signal) =>
            watch.call(resolver, (set) => onChange(cap(set)), onFailure, signal),
        }
      : {}),
  };
}
