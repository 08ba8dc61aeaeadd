/** Cutting a ranking where the order no longer comes from the hash. */
import type { Endpoint } from '../endpoint.js';

/** Tells why an endpoint does not stand where its rank would put it; `explain()` collects these. */
export type Remark = (id: string, why: string) => void;

/** Whether two endpoints are alike in all that comes before the hash. */
export type SameRun = (a: Endpoint, b: Endpoint) => boolean;

/** Same tier. */
export const sameTier: SameRun = (a, b) => a.priority === b.priority;

/** Same tier, equally far from `zone`, and both or neither a last resort: only the hash ranks one before the other. */
export function sameLocality(zone: string | undefined): SameRun {
  const isNear = (endpoint: Endpoint) => zone === undefined || endpoint.zone === zone;
  return (a, b) => sameTier(a, b) && isNear(a) === isNear(b) && a.weight > 0 === b.weight > 0;
}

/** `ranked`, cut between every two neighbours that are not the same; nothing is reordered. */
export function runs(ranked: readonly Endpoint[], same: SameRun): Endpoint[][] {
  const cut: Endpoint[][] = [];
  let previous: Endpoint | undefined;
  for (const endpoint of ranked) {
    const run = cut.at(-1);
    if (run && previous && same(previous, endpoint)) run.push(endpoint);
    else cut.push([endpoint]);
    previous = endpoint;
  }
  return cut;
}
