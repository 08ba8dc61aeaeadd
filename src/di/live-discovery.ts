/** Wires what finds brokers outside a static list, and says which of them may be dialed. Loaded when it is needed. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { Authorisation } from '../discovery/authorisation.js';
import { capped } from '../discovery/capped.js';
import { createResolver, type ResolverDeps } from '../discovery/create-resolver.js';
import { LastKnownGood } from '../discovery/last-known-good.js';
import type { Discovery } from '../discovery/late-list.js';
import { RefusalReport } from '../discovery/refusal-report.js';
import type { Resolver } from '../discovery/resolver.js';
import { sourceKey } from '../discovery/source-key.js';
import { TopicOverlay } from '../discovery/topic.js';
import { TopologyTopic } from '../discovery/topology-topic.js';
import { Watcher } from '../discovery/watcher.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Clock, Platform, Random } from '../platform/ports.js';
import { own, type PartContainer } from './parts.js';
import { tokens } from './tokens.js';

/** Milliseconds between questions to a source whose answers have no TTL. */
const DEFAULT_REFRESH_MS = 30_000;

/** The resolver of what the user wrote for `brokers`. */
export function resolverOf(
  c: PartContainer,
  options: ResolvedOptions,
  brokers: ParsedBrokers,
  platform: Platform,
): Resolver {
  const deps = resolverDeps(options, platform, c.resolve(tokens.clock), c.resolve(tokens.random));
  return createResolver(brokers, deps);
}

/** The list of one client and what comes with it. */
export function discoveryOf(
  c: PartContainer,
  options: ResolvedOptions,
  brokers: ParsedBrokers,
  platform: Platform,
): Discovery {
  const { topic, maxEndpoints, lastKnownGood, refreshMs = DEFAULT_REFRESH_MS } = options.discovery;
  const clock = c.resolve(tokens.clock);
  const events = c.resolve(own.events);
  const { options: mqtt } = c.resolve(own.core);
  const overlaid = topic === undefined ? undefined : overlay(c, topic);
  const source = overlaid?.overlay ?? c.resolve(tokens.resolver);
  const isFixed = brokers.kind === 'static';
  const permit = authorisationOf(brokers, options, platform);
  const list = new Watcher({
    resolver: maxEndpoints === undefined ? source : capped(source, maxEndpoints, () => mqtt.clientId ?? ''),
    clock,
    random: c.resolve(tokens.random),
    events,
    refusal: (endpoint) => permit.refusal(endpoint),
    refreshMs: isFixed ? undefined : refreshMs,
    lastKnownGood:
      lastKnownGood === undefined || (isFixed && topic === undefined)
        ? undefined
        : new LastKnownGood(platform.openTextStore(lastKnownGood), sourceKey(brokers, topic), clock),
  });
  const report = new RefusalReport((endpoint) => permit.refusal(endpoint), events);
  list.onChange(() => report.listChanged(list.current?.endpoints ?? []));
  return { list, permit, topic: overlaid?.listener };
}

/** The topology topic over the configured source. */
function overlay(c: PartContainer, topic: string): { overlay: TopicOverlay; listener: TopologyTopic } {
  const { schemes } = c.resolve(tokens.network);
  const clock = c.resolve(tokens.clock);
  const read = async (payload: Uint8Array) => {
    const { readTopology } = await import('../discovery/registry/read-topology.js');
    return readTopology(payload, schemes);
  };
  const overlay = new TopicOverlay(c.resolve(tokens.resolver), read, () => clock.now());
  const { subscriptions } = c.resolve(own.delivery);
  const isWanted = (name: string) => subscriptions.covers(name);
  const listener = new TopologyTopic({ topic, core: c.resolve(own.core), overlay, isWanted });
  return { overlay, listener };
}

/** What `createResolver` needs, from the options of one client and the runtime. */
export function resolverDeps(
  { discovery, allowInsecure }: ResolvedOptions,
  { dns, fetch, httpCache, network }: Platform,
  clock: Clock,
  random: Random,
): ResolverDeps {
  const { schemes } = network;
  return {
    clock,
    srv: { ...discovery, clock, fetch, dns },
    registry: { ...discovery.registry, allowInsecure, fetch, httpCache, clock, random, schemes },
  };
}

/** Which endpoints one client may dial, by its list, its options and what the runtime sees of addresses. */
export function authorisationOf(
  brokers: ParsedBrokers,
  { discovery, allowInsecure }: ResolvedOptions,
  { addressScope }: Platform,
): Authorisation {
  const { doh, servers = [], allowedHosts } = discovery;
  const dnsHosts = doh ? [doh.hostname] : servers.map(({ host }) => host);
  return new Authorisation({ brokers, allowedHosts, allowInsecure, dnsHosts, addressScope });
}
