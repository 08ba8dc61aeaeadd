/** The real client, MQTT.js included, whose time, chance and network are the test's. */

import type { BrokersInput } from '../../../src/brokers/input.js';
import { loadDiscovery, loadMoves, loadStore } from '../../../src/di/chunks.js';
import { connect, type FailoverClient, type FailoverOptions, tokens } from '../../../src/index.js';
import type { Network, Random } from '../../../src/platform/ports.js';
import type { VirtualClock } from '../../support/virtual-clock.js';
import { OwnedClock } from './owned-clock.js';

// Code is loaded in real time, for which a virtual clock does not wait.
await Promise.all([loadDiscovery(), loadMoves(), loadStore()]);

/** What a client of {@link virtualClient} lives in. */
export interface VirtualWorld {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: Network;
}

/** A client, and its view of the clock: what it has armed can be counted. */
export function virtualClient(
  brokers: BrokersInput,
  { clock, random, network }: VirtualWorld,
  options: FailoverOptions,
): { readonly client: FailoverClient; readonly own: OwnedClock } {
  const own = new OwnedClock(clock);
  const client = connect(brokers, {
    ...options,
    timerVariant: own.intervals(),
    overrides: (container) => {
      container.register(tokens.clock, { useValue: own });
      container.register(tokens.random, { useValue: random });
      container.register(tokens.network, { useValue: network });
      options.overrides?.(container);
    },
  });
  return { client, own };
}

/** Lets everything happen that needs no time. */
export async function rest(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
