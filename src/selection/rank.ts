/**
 * Weighted rendezvous hashing: which endpoint a client prefers, and in which order it would try the others.
 *
 * Pure and the same in every runtime, so a gateway, a page and an operator's terminal agree on where a client belongs.
 */
import { PlacementHash } from './murmur3.js';

/** What {@link rank} needs to know of an endpoint; anything else on the object is carried along untouched. */
export interface Rankable {
  /** Identity that is hashed. List position, URL scheme, load and time never enter the hash (R128). */
  readonly id: string;
  /** Share of the clients, relative to the others of its tier. 0 is the last resort of its tier. @defaultValue 1 */
  readonly weight?: number | undefined;
  /** Tier; a lower number is tried first (RFC 2782). @defaultValue 0 */
  readonly priority?: number | undefined;
  /** Locality; compared with {@link RankOptions.zone}. */
  readonly zone?: string | undefined;
}

/** Preferences of the client that ranks. */
export interface RankOptions {
  /** Endpoints of this zone come before the others of their tier. */
  readonly zone?: string | undefined;
}

const TWO_POW_52 = 0x10000000000000;

interface Scored<T> {
  readonly endpoint: T;
  readonly priority: number;
  /** 0 in the client's zone, 1 outside; 2 and 3 the same for weight 0: a last resort of its tier. */
  readonly group: number;
  /** −ln(u)/weight: the lowest wins, with probability proportional to weight. */
  readonly score: number;
}

function compare<T extends Rankable>(a: Scored<T>, b: Scored<T>): number {
  return (
    a.priority - b.priority ||
    a.group - b.group ||
    a.score - b.score ||
    (a.endpoint.id < b.endpoint.id ? -1 : a.endpoint.id > b.endpoint.id ? 1 : 0)
  );
}

/** Lists up to this long are sorted by insertion: half the cost of `Array.prototype.sort` at 20 endpoints. */
const INSERTION_SORT_MAX = 48;

function sortScored<T extends Rankable>(scored: Scored<T>[]): void {
  if (scored.length > INSERTION_SORT_MAX) {
    scored.sort(compare);
    return;
  }
  for (let i = 1; i < scored.length; i += 1) {
    const item = scored[i] as Scored<T>;
    let at = i;
    while (at > 0 && compare(scored[at - 1] as Scored<T>, item) > 0) {
      scored[at] = scored[at - 1] as Scored<T>;
      at -= 1;
    }
    scored[at] = item;
  }
}

/**
 * Ranks `endpoints` for `clientId`, best first: by priority, then zone, then weighted rendezvous score (R125–R133).
 *
 * Position 0 is the client's *home*; the tail is its fail-over order. Removing an endpoint moves only the clients
 * whose home it was, and spreads them over the others in proportion to weight; adding one moves clients only to it.
 * Does not mutate or keep `endpoints`; cost is one hash per endpoint and one sort.
 *
 * @param clientId - MQTT client id; hashed as UTF-8.
 * @param endpoints - Endpoints with distinct ids.
 * @returns A new array with the same elements.
 */
export function rank<T extends Rankable>(
  clientId: string,
  endpoints: readonly T[],
  options: RankOptions = {},
): T[] {
  const hash = new PlacementHash(clientId);
  const { zone } = options;
  const scored: Scored<T>[] = new Array(endpoints.length);
  for (let i = 0; i < endpoints.length; i += 1) {
    const endpoint = endpoints[i] as T;
    const weight = endpoint.weight ?? 1;
    const u = (hash.hash(endpoint.id) + 0.5) / TWO_POW_52;
    const away = zone === undefined || endpoint.zone === zone ? 0 : 1;
    scored[i] = {
      endpoint,
      priority: endpoint.priority ?? 0,
      group: weight > 0 ? away : 2 + away,
      score: weight > 0 ? -Math.log(u) / weight : -Math.log(u),
    };
  }
  sortScored(scored);
  const ranked: T[] = new Array(scored.length);
  for (let i = 0; i < scored.length; i += 1) ranked[i] = (scored[i] as Scored<T>).endpoint;
  return ranked;
}
