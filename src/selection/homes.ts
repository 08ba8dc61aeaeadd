/** The home of many clients, one after another: `rank` for when only its first place matters. */
import { PlacementHash } from './murmur3.js';
import type { Rankable, RankOptions } from './rank.js';

const TWO_POW_52 = 0x10000000000000;

/** Endpoints that compete by hash alone: the same tier, the same zone or not, the same weight. */
interface Peers {
  readonly weight: number;
  readonly indexes: readonly number[];
}

/**
 * The home of a client in each of several lists. Hashes every endpoint id once for a client, however many lists have
 * it, and takes one logarithm for each weight instead of each endpoint; an operator's question is about millions of
 * clients.
 *
 * @returns a function from a client id to the index, in each list, of the endpoint that {@link rank} puts first; -1
 * for an empty list. The array is the same one at every call.
 */
export function homesIn(
  lists: readonly (readonly Rankable[])[],
  options: RankOptions = {},
): (clientId: string) => readonly number[] {
  const ids = [...new Set(lists.flat().map(({ id }) => id))];
  const places = new Map(ids.map((id, index) => [id, index]));
  const hashes = new Float64Array(ids.length);
  const homes: number[] = lists.map(() => -1);
  const contests = lists.map((list) => {
    const hashOf = list.map(({ id }) => places.get(id) as number);
    return { list, hashOf, groups: leaders(list, options) };
  });
  return (clientId) => {
    const hash = new PlacementHash(clientId);
    for (let i = 0; i < ids.length; i += 1) hashes[i] = hash.hash(ids[i] as string);
    for (let i = 0; i < contests.length; i += 1) {
      const { list, hashOf, groups } = contests[i] as (typeof contests)[number];
      homes[i] = winner(list, groups, (index) => hashes[hashOf[index] as number] as number);
    }
    return homes;
  };
}

/** The endpoints that can be first at all: those of the best tier, there of the best group, by weight. */
function leaders(list: readonly Rankable[], { zone }: RankOptions): readonly Peers[] {
  const placeOf = ({ priority = 0, weight = 1, zone: at }: Rankable) => {
    const away = zone === undefined || at === zone ? 0 : 1;
    return { priority, group: weight > 0 ? away : 2 + away };
  };
  const places = list.map(placeOf);
  const priority = Math.min(...places.map((place) => place.priority));
  const tier = places.filter((place) => place.priority === priority);
  const group = Math.min(...tier.map((place) => place.group));
  const byWeight = new Map<number, number[]>();
  for (const [index, place] of places.entries()) {
    if (place.priority !== priority || place.group !== group) continue;
    // Weight 0 competes as if all were 1: only others of weight 0 are left.
    const weight = (list[index] as Rankable).weight ?? 1;
    const peers = byWeight.get(weight || 1) ?? [];
    byWeight.set(weight || 1, [...peers, index]);
  }
  return [...byWeight].map(([weight, indexes]) => ({ weight, indexes }));
}

function winner(
  list: readonly Rankable[],
  groups: readonly Peers[],
  hashAt: (index: number) => number,
): number {
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const { weight, indexes } of groups) {
    // Of one weight, the highest hash has the lowest score.
    let first = indexes[0] as number;
    let highest = hashAt(first);
    for (let i = 1; i < indexes.length; i += 1) {
      const index = indexes[i] as number;
      const hash = hashAt(index);
      if (hash > highest || (hash === highest && isBefore(list, index, first))) {
        first = index;
        highest = hash;
      }
    }
    const score = -Math.log((highest + 0.5) / TWO_POW_52) / weight;
    if (score < bestScore || (score === bestScore && isBefore(list, first, best))) {
      best = first;
      bestScore = score;
    }
  }
  return best;
}

function isBefore(list: readonly Rankable[], a: number, b: number): boolean {
  return (list[a] as Rankable).id < (list[b] as Rankable).id;
}
