/** Load hints of a registry: the second choice instead of the first, when that is clearly better (R135). */
import type { EndpointSet } from '../discovery/resolver.js';
import type { Endpoint } from '../endpoint.js';
import type { Clock } from '../platform/ports.js';
import type { Remark, SameRun } from './runs.js';

/** A first choice below this load is taken whatever the second one's is. */
const BUSY_LOAD = 0.7;
/** The second choice must be better by this much: small differences are noise, and move clients for nothing. */
const CLEAR_DIFFERENCE = 0.2;
/** Loads older than this many times the list's time to live are worse than none. */
const STALE_AFTER_TTLS = 2;

/**
 * The loads of `set` by endpoint id while they are fresh; `undefined` when they are stale, or there are none.
 *
 * @param receivedAt - On the monotonic clock.
 */
export function freshLoads(
  { loads, ttlMs, generatedAt }: EndpointSet,
  receivedAt: number,
  clock: Clock,
): ReadonlyMap<string, number> | undefined {
  if (!loads || ttlMs === undefined) return undefined;
  const sinceMade = generatedAt === undefined ? 0 : clock.wallNow() - generatedAt;
  const age = Math.max(clock.now() - receivedAt, sinceMade);
  return age < STALE_AFTER_TTLS * ttlMs ? loads : undefined;
}

/**
 * `ranked` with the second available endpoint before the first, if the first is busy and the second clearly less so.
 *
 * Two choices and no more: they even out the load nearly as well as knowing all of it (Azar et al., balanced
 * allocations), and a client that knows stale numbers cannot join a stampede to the one idle node.
 */
export function shunLoaded(
  ranked: readonly Endpoint[],
  same: SameRun,
  isAvailable: (endpoint: Endpoint) => boolean,
  loads: ReadonlyMap<string, number>,
  remark?: Remark,
): readonly Endpoint[] {
  const first = ranked.find(isAvailable);
  const second = ranked.find((endpoint) => endpoint !== first && isAvailable(endpoint));
  if (!first || !second || !same(first, second)) return ranked;
  const busy = loads.get(first.id);
  const other = loads.get(second.id);
  if (busy === undefined || other === undefined) return ranked;
  if (!(busy > BUSY_LOAD && busy - other > CLEAR_DIFFERENCE)) return ranked;
  remark?.(first.id, `its load is ${busy.toFixed(2)}, that of ${second.id} is ${other.toFixed(2)}`);
  return ranked.flatMap((endpoint) =>
    endpoint === first ? [second, first] : endpoint === second ? [] : [endpoint],
  );
}
