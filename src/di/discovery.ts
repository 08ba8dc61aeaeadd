/** Wires what finds brokers and says which of them may be dialed. */
import type { ParsedBrokers } from '../brokers.js';
import { Authorisation } from '../discovery/authorisation.js';
import { capped } from '../discovery/capped.js';
import { createResolver, type ResolverDeps } from '../discovery/create-resolver.js';
import { LastKnownGood } from '../discovery/last-known-good.js';
import { RefusalReport } from '../discovery/refusal-report.js';
import { sourceKey } from '../discovery/source-key.js';
import { TopicOverlay } from '../discovery/topic.js';
import { TopologyTopic } from '../discovery/topology-topic.js';
import { Watcher } from '../discovery/watcher.js';
import type { ResolvedOptions } from '../options.js';
import type { Clock, Platform, Random } from '../platform/ports.js';
import { own, type PartContainer } from './parts.js';
import { tokens } from './tokens.js';

/** Milliseconds between questions to a source whose answers have no TTL. */
const DEFAULT_REFRESH_MS = 30_000;

/**
 * Refuses sources that this runtime cannot serve, before any I/O.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function checkSources(brokers: ParsedBrokers, options: ResolvedOptions, platform: Platform): void {
  createResolver(brokers, resolverDeps(options, platform, platform.clock, platform.random));
}

export function registerDiscovery(
  register: PartContainer['register'],
  options: ResolvedOptions,
  brokers: ParsedBrokers,
  platform: Platform,
): void {
  const { discovery } = options;
  register(tokens.resolver, (c) =>
    createResolver(
      brokers,
      resolverDeps(options, platform, c.resolve(tokens.clock), c.resolve(tokens.random)),
    ),
  );
  register(own.authorisation, () => authorisationOf(brokers, options, platform));
  register(own.topicOverlay, (c) => {
    const { schemes } = c.resolve(tokens.network);
    const clock = c.resolve(tokens.clock);
    const read = async (payload: Uint8Array) => {
      const { readTopology } = await import('../discovery/registry/read-topology.js');
      return readTopology(payload, schemes);
    };
    return new TopicOverlay(c.resolve(tokens.resolver), read, () => clock.now());
  });
  register(own.topologyTopic, (c) => {
    const { topic } = discovery;
    if (topic === undefined) return undefined;
    const core = c.resolve(own.core);
    const { subscriptions } = c.resolve(own.delivery);
    const isWanted = (name: string) => subscriptions.covers(name);
    return new TopologyTopic({ topic, core, overlay: c.resolve(own.topicOverlay), isWanted });
  });
  register(own.watcher, (c) => {
    const { topic, maxEndpoints, lastKnownGood, refreshMs = DEFAULT_REFRESH_MS } = discovery;
    const clock = c.resolve(tokens.clock);
    const events = c.resolve(own.events);
    const { options: mqtt } = c.resolve(own.core);
    const source = topic === undefined ? c.resolve(tokens.resolver) : c.resolve(own.topicOverlay);
    const isFixed = brokers.kind === 'static';
    const watcher = new Watcher({
      resolver: maxEndpoints === undefined ? source : capped(source, maxEndpoints, () => mqtt.clientId ?? ''),
      clock,
      random: c.resolve(tokens.random),
      events,
      refreshMs: isFixed ? undefined : refreshMs,
      lastKnownGood:
        lastKnownGood === undefined || (isFixed && topic === undefined)
          ? undefined
          : new LastKnownGood(platform.openTextStore(lastKnownGood), sourceKey(brokers, topic), clock),
    });
    const authorisation = c.resolve(own.authorisation);
    const report = new RefusalReport((endpoint) => authorisation.refusal(endpoint), events);
    watcher.onChange(() => report.listChanged(watcher.current?.endpoints ?? []));
    return watcher;
  });
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
