/** What a change of the list means for a fleet. Pure. */

import { homesIn } from '../../selection/homes.js';
import type { Rankable } from '../../selection/rank.js';

/** The answer of `plan`, as its JSON has it. */
export interface Plan {
  /** Clients that were looked at. */
  readonly ids: number;
  /** Clients whose home is another one than before. */
  readonly moved: number;
  /**
   * Of these, clients for whose move there is no reason: their old home is in the new list with no less weight and in
   * no worse tier, and their new one was in the old list with no more weight and in no better tier. Placement by
   * rendezvous hashing has none (promise 1); the number is counted, not assumed.
   */
  readonly needless: number;
  /** Clients by id of their home, every broker of the list named. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

/** Counts client after client; memory does not grow with them. */
export class MoveCount {
  readonly #from: readonly Rankable[];
  readonly #to: readonly Rankable[];
  readonly #homes: (clientId: string) => readonly number[];
  readonly #before: number[];
  readonly #after: number[];
  /** By index of the home before and after: whether it is the same broker, and if not, whether there is a reason to go. */
  readonly #verdicts: readonly (readonly Verdict[])[];
  #ids = 0;
  #moved = 0;
  #needless = 0;

  /** @param place - How clients find their homes; a test may put another placement under the count. */
  constructor(
    from: readonly Rankable[],
    to: readonly Rankable[],
    zone: string | undefined,
    place: typeof homesIn = homesIn,
  ) {
    this.#from = from;
    this.#to = to;
    this.#homes = place([from, to], { zone });
    this.#before = from.map(() => 0);
    this.#after = to.map(() => 0);
    const lost = from.map((old) =>
      isWorse(
        to.find(({ id }) => id === old.id),
        old,
      ),
    );
    const gained = to.map((now) =>
      isWorse(
        from.find(({ id }) => id === now.id),
        now,
      ),
    );
    this.#verdicts = from.map((old, i) =>
      to.map((now, j) => (old.id === now.id ? 'stays' : lost[i] || gained[j] ? 'moves' : 'needless')),
    );
  }

  /** Clients so far. */
  get ids(): number {
    return this.#ids;
  }

  add(clientId: string): void {
    const [before = -1, after = -1] = this.#homes(clientId);
    this.#ids += 1;
    if (before >= 0) this.#before[before] = (this.#before[before] as number) + 1;
    if (after >= 0) this.#after[after] = (this.#after[after] as number) + 1;
    const verdict = this.#verdicts[before]?.[after] ?? 'moves';
    if (verdict === 'stays') return;
    this.#moved += 1;
    if (verdict === 'needless') this.#needless += 1;
  }

  /** The counts, with every broker of `allFrom` and `allTo` named, also those that are nobody's home. */
  plan(allFrom: readonly Rankable[], allTo: readonly Rankable[]): Plan {
    return {
      ids: this.#ids,
      moved: this.#moved,
      needless: this.#needless,
      before: loads(allFrom, this.#from, this.#before),
      after: loads(allTo, this.#to, this.#after),
    };
  }
}

type Verdict = 'stays' | 'moves' | 'needless';

/** Whether `now` is gone, or has less to offer than `then`. */
function isWorse(now: Rankable | undefined, then: Rankable): boolean {
  if (!now) return true;
  return (
    (now.priority ?? 0) > (then.priority ?? 0) ||
    (now.weight ?? 1) < (then.weight ?? 1) ||
    now.zone !== then.zone
  );
}

function loads(
  all: readonly Rankable[],
  counted: readonly Rankable[],
  counts: readonly number[],
): Record<string, number> {
  const byId = new Map(counted.map(({ id }, index) => [id, counts[index] as number]));
  return Object.fromEntries(all.map(({ id }) => [id, byId.get(id) ?? 0]));
}
