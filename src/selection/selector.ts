/** Strategies for the order in which a client tries endpoints. */
import type { Endpoint } from '../endpoint.js';
import type { Random } from '../platform/ports.js';
import { rank } from './rank.js';

/** Orders endpoints for one client. */
export interface Selector {
  /**
   * Ranks every endpoint, best first; the tail is the fail-over order. Must not mutate or keep `endpoints`, and must
   * return each of them once. Health is applied afterwards.
   *
   * @param key - The client id.
   */
  rank(key: string, endpoints: readonly Endpoint[]): readonly Endpoint[];
}

/** Consistent by client id: the default. */
export function clientIdSelector(zone: string | undefined): Selector {
  return { rank: (key, endpoints) => rank(key, endpoints, { zone }) };
}

/** In the order of the list within each priority tier, as other clients do; everyone's first choice is the same. */
export function orderedSelector(): Selector {
  return { rank: (_key, endpoints) => [...endpoints].sort((a, b) => a.priority - b.priority) };
}

/**
 * One draw per client for all its life: like `client-id`, but for a key that dies with the process.
 *
 * Drawing anew at every attempt would move clients needlessly.
 */
export function randomSelector(random: Random, zone: string | undefined): Selector {
  const key = `${random.next()}`;
  return { rank: (_key, endpoints) => rank(key, endpoints, { zone }) };
}
