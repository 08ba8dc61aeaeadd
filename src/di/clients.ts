/** Makes clients of several brokers: each with a connection of its own, or one for all tabs of a page. */
import type { BrokersInput } from '../brokers/input.js';
import { parseBrokers } from '../brokers/parse.js';
import type { ParsedBrokers } from '../brokers/parsed.js';
import { FailoverClient } from '../client/client.js';
import { InFlight } from '../delivery/in-flight.js';
import { PacketIds } from '../delivery/packet-ids.js';
import { isMixedContent } from '../dial/mixed-content.js';
import { checkSources } from '../discovery/check-sources.js';
import { optionError } from '../errors.js';
import type { FailoverOptions } from '../options/options.js';
import { resolveOptions } from '../options/resolve.js';
import type { PlatformDefaults } from '../options/resolved.js';
import type { Platform } from '../platform/ports.js';
import type { TabIdentities, TabIdentity } from '../tabs/tab-identity.js';
import type { MakeEngine } from './engine-plan.js';
import { sharedEngine } from './shared-engine.js';

/** What a process makes its clients with. */
export interface Workshop {
  readonly platform: Platform;
  readonly makeEngine: MakeEngine;
  readonly defaults: PlatformDefaults;
  /** In pages, whose tabs must not have one id. */
  readonly identities: TabIdentities | undefined;
}

/** @throws {@link FailoverError} `ERR_OPTION` before any I/O. */
export function managedClient(
  brokersInput: BrokersInput,
  given: FailoverOptions,
  workshop: Workshop,
): FailoverClient {
  const { platform, makeEngine, defaults, identities } = workshop;
  const { page, dns, random } = platform;
  const options = resolveOptions(given, defaults);
  const brokers = parseBrokers(brokersInput, { secure: Boolean(given.cert && given.key) });
  checkDialable(brokers, platform, brokersInput);
  const { doh } = options.discovery;
  checkSources(brokers, { dns, doh, allowInsecure: options.allowInsecure });
  const inFlight = new InFlight();
  const packetIds = new PacketIds(inFlight, Math.floor(random.next() * 65_535));
  const locks = given.tabs === 'shared' ? page?.locks : undefined;
  if (page && locks) {
    const open = (own: FailoverOptions) =>
      managedClient(brokersInput, own, { ...workshop, identities: undefined });
    const shared = sharedEngine(given, options, { page, locks, platform, open });
    return new FailoverClient({ ...shared, inFlight, packetIds });
  }
  const identity = identityOf(given, identities);
  return new FailoverClient({
    options: identity ? { ...options.mqtt, clientId: identity.presumed } : options.mqtt,
    inFlight,
    packetIds,
    start: (core, events) => makeEngine({ brokers, options, inFlight, identity }, core, events),
  });
}

/** A list that was written down must have an endpoint for this runtime. */
function checkDialable(
  parsed: ParsedBrokers,
  { network: { schemes }, page }: Platform,
  brokers: BrokersInput,
): void {
  if (parsed.kind !== 'static') return;
  const dialable = parsed.endpoints.filter(({ scheme }) => schemes.has(scheme));
  if (dialable.length === 0) {
    const usable = [...schemes].join(', ');
    throw optionError('brokers', `a list with an endpoint that this runtime can dial (${usable})`, brokers);
  }
  if (dialable.every((endpoint) => isMixedContent(endpoint, page))) {
    const wanted = 'wss: URLs: a page that came over https may not open ws: connections';
    throw optionError('brokers', wanted, dialable[0]?.url);
  }
}

/** An id of the application's own is not touched, unless `tabs` was given to tell its tabs apart. */
function identityOf(
  { clientId, tabs }: FailoverOptions,
  identities: TabIdentities | undefined,
): TabIdentity | undefined {
  if (!clientId) return identities?.next();
  return tabs === undefined ? undefined : identities?.next(clientId);
}
