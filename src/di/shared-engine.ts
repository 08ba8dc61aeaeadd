/** Makes the engine of a client with `tabs: 'shared'`: it only relays to the one client that one of the tabs connects. */
import type { FailoverClient } from '../client/client.js';
import { LateEngine } from '../client/late-engine.js';
import type { ManagedSetup } from '../client/setup.js';
import type { FailoverOptions } from '../options/options.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Locks, Page } from '../platform/page.js';
import type { Network, Platform } from '../platform/ports.js';
import { ephemeralWarnings, type StoredId, storedId } from '../tabs/stored-id.js';
import { tokens } from './tokens.js';

/** Where `tabs: 'shared'` runs, and how it makes the one client with the connection. */
interface Sharing {
  readonly page: Page;
  readonly locks: Locks;
  readonly platform: Platform;
  readonly open: (options: FailoverOptions) => FailoverClient;
}

/** What the client of one tab is made of. */
export function sharedEngine(
  given: FailoverOptions,
  options: ResolvedOptions,
  { page, locks, platform, open }: Sharing,
): Pick<ManagedSetup, 'options' | 'start'> {
  const { clock, random } = platform;
  // Not the id that the first of separate tabs has: both kinds may be open.
  const kept: StoredId = given.clientId ? { id: given.clientId } : storedId(page.lasting, random);
  const clientId = given.clientId ?? `${kept.id}-s`;
  const warnings = ephemeralWarnings(kept.ephemeral);
  const { tabs: _, ...rest } = given;
  const openThrough = (guard: (network: Network) => Network) =>
    open({
      ...rest,
      clientId,
      manualConnect: true,
      overrides: (container) => {
        given.overrides?.(container);
        const network = guard(container.resolve(tokens.network));
        container.register(tokens.network, { useValue: network });
      },
    });
  const deps = { page, locks, clock, random, clientId, warnings, bounds: options.outbox, open: openThrough };
  return {
    options: { ...options.mqtt, clientId },
    start: (core, events) =>
      new LateEngine({
        load: async () => {
          const { SharedEngine } = await import('../tabs/shared-engine.js');
          return () => new SharedEngine({ ...deps, core, events });
        },
        core,
        events,
        platform,
        options,
      }),
  };
}
