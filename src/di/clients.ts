/** Makes clients of several brokers: each with a connection of its own, or one for all tabs of a page. */
import type { BrokersInput } from '../brokers/input.js';
import { parseBrokers } from '../brokers/parse.js';
import type { ParsedBrokers } from '../brokers/parsed.js';
import { FailoverClient } from '../client/client.js';
import { isMixedContent } from '../dial/mixed-content.js';
import { optionError } from '../errors.js';
import type { FailoverOptions } from '../options/options.js';
import { resolveOptions } from '../options/resolve.js';
import type { PlatformDefaults, ResolvedOptions } from '../options/resolved.js';
import type { Locks, Page } from '../platform/page.js';
import type { Network, Platform } from '../platform/ports.js';
import { SharedEngine } from '../tabs/shared-engine.js';
import { ephemeralWarnings, type StoredId, storedId } from '../tabs/stored-id.js';
import type { TabIdentities, TabIdentity } from '../tabs/tab-identity.js';
import { type Composition, composeClient } from './container.js';
import type { ProcessParts } from './parts.js';
import { tokens } from './tokens.js';

/** What a process makes its clients with. */
export interface Workshop {
  readonly process: ProcessParts;
  readonly defaults: PlatformDefaults;
  /** In pages, whose tabs must not have one id. */
  readonly identities: TabIdentities | undefined;
}

/** @throws {@link FailoverError} `ERR_OPTION` before any I/O. */
export function managedClient(
  brokers: BrokersInput,
  options: FailoverOptions,
  workshop: Workshop,
): FailoverClient {
  const { process, defaults, identities } = workshop;
  const { platform } = process;
  const resolved = resolveOptions(options, defaults);
  const parsed = parseBrokers(brokers, { secure: Boolean(options.cert && options.key) });
  checkDialable(parsed, platform, brokers);
  const { page } = platform;
  const locks = options.tabs === 'shared' ? page?.locks : undefined;
  if (page && locks) {
    const setup = composeClient(parsed, resolved, process);
    const open = (given: FailoverOptions) =>
      managedClient(brokers, given, { process, defaults, identities: undefined });
    return sharedClient(options, resolved, setup, { page, locks, platform, open });
  }
  const identity = identityOf(options, identities);
  const mqttOptions = identity ? { ...resolved.mqtt, clientId: identity.presumed } : resolved.mqtt;
  return new FailoverClient({
    options: mqttOptions,
    ...composeClient(parsed, resolved, process, identity),
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

/** Where `tabs: 'shared'` runs, and how it makes the one client with the connection. */
interface Sharing {
  readonly page: Page;
  readonly locks: Locks;
  readonly platform: Platform;
  readonly open: (options: FailoverOptions) => FailoverClient;
}

/** One tab of several with one connection: this client only relays, and the one that it may make as leader connects. */
function sharedClient(
  options: FailoverOptions,
  { mqtt: mqttOptions, outbox }: ResolvedOptions,
  { inFlight, packetIds }: Composition,
  { page, locks, platform, open }: Sharing,
): FailoverClient {
  const { clock, random } = platform;
  // Not the id that the first of separate tabs has: both kinds may be open.
  const kept: StoredId = options.clientId ? { id: options.clientId } : storedId(page.lasting, random);
  const clientId = options.clientId ?? `${kept.id}-s`;
  const warnings = ephemeralWarnings(kept.ephemeral);
  const { tabs: _, ...rest } = options;
  return new FailoverClient({
    options: { ...mqttOptions, clientId },
    inFlight,
    packetIds,
    start: (core, events) => {
      const openThrough = (guard: (network: Network) => Network) =>
        open({
          ...rest,
          clientId,
          manualConnect: true,
          overrides: (container) => {
            options.overrides?.(container);
            const network = guard(container.resolve(tokens.network));
            container.register(tokens.network, { useValue: network });
          },
        });
      const deps = { page, locks, clock, random, clientId, core, events, warnings, bounds: outbox };
      return new SharedEngine({ ...deps, open: openThrough });
    },
  });
}
