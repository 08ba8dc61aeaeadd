/** When the clients of a tier use the next one: Envoy's priority spill, decided by each client alone (S3). */
import type { Endpoint } from '../endpoint.js';
import { hashShare } from './murmur3.js';
import { type Remark, runs, sameTier } from './runs.js';

/**
 * A tier is taken to carry so many times the load it has when all of it is healthy, so that the loss of a node or two
 * does not send anyone away: Envoy's over-provisioning factor.
 */
const OVERPROVISIONING = 1.4;
/** Makes the draws here independent of placement and of slots. The tier is added: one draw per boundary. */
const SPILL_SEED = 0x5b111;

/**
 * `ranked` with the tier first that this client is to use, and the others behind it in their order.
 *
 * With a share h of the better tier available, a client stays there while its own draw is below 1.4 × h. The draw is a
 * hash of the client id: a client decides alike every time, and those who left when h was 0.6 are still away at 0.5.
 * Where no tier has room for the client, the best one that has anything left takes it.
 *
 * @param ranked - Every endpoint that counts as capacity of its tier, available or not; tier after tier.
 */
export function spill(
  clientId: string,
  ranked: readonly Endpoint[],
  isAvailable: (endpoint: Endpoint) => boolean,
  remark?: Remark,
): readonly Endpoint[] {
  const tiers = runs(ranked, sameTier);
  if (tiers.length < 2) return ranked;
  const shares = tiers.map((tier) => availableShare(tier, isAvailable));
  const hasRoom = (share: number, i: number) =>
    share > 0 && hashShare(clientId, SPILL_SEED + priorityOf(tiers[i])) < OVERPROVISIONING * share;
  const withRoom = shares.findIndex(hasRoom);
  const chosen = withRoom >= 0 ? withRoom : shares.findIndex((share) => share > 0);
  if (chosen <= 0) return ranked;
  for (const [i, tier] of tiers.slice(0, chosen).entries()) {
    const left = Math.round(100 * (shares[i] ?? 0));
    const why = `${left} % of tier ${priorityOf(tier)} is available, and this client goes to tier ${priorityOf(tiers[chosen])}`;
    for (const { id } of tier) remark?.(id, why);
  }
  return [...(tiers[chosen] ?? []), ...tiers.filter((_, i) => i !== chosen).flat()];
}

function priorityOf(tier: readonly Endpoint[] | undefined): number {
  return tier?.[0]?.priority ?? 0;
}

/** By weight, which is what an operator says of capacity; by number among last resorts, when nothing else is left. */
function availableShare(tier: readonly Endpoint[], isAvailable: (endpoint: Endpoint) => boolean): number {
  let all = 0;
  let available = 0;
  let lastResorts = 0;
  let availableLastResorts = 0;
  for (const endpoint of tier) {
    const { weight } = endpoint;
    const counts = isAvailable(endpoint);
    if (weight > 0) {
      all += weight;
      if (counts) available += weight;
    } else {
      lastResorts += 1;
      if (counts) availableLastResorts += 1;
    }
  }
  if (available > 0) return available / all;
  return lastResorts > 0 ? availableLastResorts / lastResorts : 0;
}
