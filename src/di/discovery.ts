/** Wires what finds brokers: a static list at once, everything else by code that is loaded when it is first needed. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { FixedList } from '../discovery/fixed-list.js';
import { LateList } from '../discovery/late-list.js';
import { lazy } from '../discovery/lazy.js';
import type { EndpointSet, Resolver } from '../discovery/resolver.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Platform } from '../platform/ports.js';
import { loadDiscovery } from './chunks.js';
import { own, type PartContainer } from './parts.js';
import { tokens } from './tokens.js';

export function registerDiscovery(
  register: PartContainer['register'],
  options: ResolvedOptions,
  brokers: ParsedBrokers,
  platform: Platform,
): void {
  const { topic, maxEndpoints, allowedHosts } = options.discovery;
  const given = brokers.kind === 'static' ? setOf(brokers) : undefined;
  const source: Resolver | undefined = given && { resolve: () => Promise.resolve(given) };
  register(tokens.resolver, (c) => {
    const resolver = async () => (await loadDiscovery()).resolverOf(c, options, brokers, platform);
    return source ?? lazy(resolver);
  });
  register(own.watcher, (c) => {
    const events = c.resolve(own.events);
    // A broker may send us to one of the allowed hosts: who judges that is loaded.
    const isOpen = [topic, maxEndpoints, allowedHosts].some((option) => option !== undefined);
    const isFixed = !isOpen && c.resolve(tokens.resolver) === source;
    if (given && isFixed) return new FixedList(given, c.resolve(tokens.clock), events);
    return new LateList(
      async () => (await loadDiscovery()).discoveryOf(c, options, brokers, platform),
      events,
    );
  });
  register(own.topologyTopic, (c) => {
    const list = c.resolve(own.watcher);
    return topic !== undefined && list instanceof LateList ? list : undefined;
  });
}

function setOf({ endpoints }: ParsedBrokers & { readonly kind: 'static' }): EndpointSet {
  return Object.freeze({ endpoints, source: 'static' });
}
