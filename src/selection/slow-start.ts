/** Sparing a node that has just come back: reconnecting clients return to it over a minute, not at once (R136). */
import type { Endpoint } from '../endpoint.js';
import type { Clock } from '../platform/ports.js';
import { hashShare } from './murmur3.js';
import { type Remark, runs, type SameRun } from './runs.js';

/** Milliseconds until a node that came back is like any other. */
const WARM_UP_MS = 60_000;
/** The share of its clients that a node gets from the first moment on; Envoy's minimum. */
const LEAST_SHARE = 0.1;
/** Makes the draws here independent of placement: else the clients that rank a node high would all accept it. */
const SLOW_START_SEED = 0x510357a7;

/** How warm a node is `ageMs` after it came back, from 0 to 1: what it takes of its clients, but for the least share. */
export function warmShare(ageMs: number): number {
  return Math.min(1, Math.max(0, ageMs / WARM_UP_MS));
}

/**
 * `ranked` with the young endpoints that this client does not accept yet behind the others of their run.
 *
 * A client accepts an endpoint when its draw for the two of them is below the endpoint's share. The draw never
 * changes and the share only grows, so an endpoint that was accepted once stays accepted (monotone). Shares count
 * relative to the oldest of the run, a tenth at least: when all came back together, as after a power cut, nobody need
 * be spared. (A least share of each alone would make the share of a younger one shrink while the older one outgrows it.)
 *
 * @param shareOf - {@link warmShare} of an endpoint; 1 for those that never were away.
 */
export function spareYoung(
  clientId: string,
  ranked: readonly Endpoint[],
  same: SameRun,
  shareOf: (endpoint: Endpoint) => number,
  remark?: Remark,
): readonly Endpoint[] {
  const young = new Map<Endpoint, number>();
  for (const endpoint of ranked) {
    const share = shareOf(endpoint);
    if (share < 1) young.set(endpoint, share);
  }
  if (young.size === 0) return ranked;
  return runs(ranked, same).flatMap((run) => {
    const oldest = run.reduce((most, endpoint) => Math.max(most, young.get(endpoint) ?? 1), 0);
    const isAccepted = (endpoint: Endpoint) => {
      const share = young.get(endpoint);
      if (share === undefined) return true;
      const relative = oldest > 0 ? Math.max(LEAST_SHARE, share / oldest) : 1;
      return hashShare(`${clientId}\0${endpoint.id}`, SLOW_START_SEED) < relative;
    };
    const accepted: Endpoint[] = [];
    const spared: Endpoint[] = [];
    for (const endpoint of run) (isAccepted(endpoint) ? accepted : spared).push(endpoint);
    for (const { id } of spared) remark?.(id, 'it has just come back, and takes its clients one by one');
    return [...accepted, ...spared];
  });
}

/** Remembers which endpoints went away and came back, as far as this client saw it or the list says so. */
export class Recoveries {
  readonly #clock: Clock;
  /** Made with the first: most clients never have one, and a process may have thousands of clients. */
  #away: Set<string> | undefined;
  #backAt: Map<string, number> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The endpoint is out of use. */
  away(id: string): void {
    this.#away ??= new Set();
    this.#away.add(id);
    this.#backAt?.delete(id);
  }

  /** The endpoint answers; means something only if it was away. */
  back(id: string): void {
    if (!this.#away?.delete(id)) return;
    this.#backAt ??= new Map();
    this.#backAt.set(id, this.#clock.now());
  }

  /** {@link warmShare} of an endpoint now. */
  share({ id, since }: Endpoint): number {
    const seenAt = this.#backAt?.get(id);
    const seen = seenAt === undefined ? 1 : warmShare(this.#clock.now() - seenAt);
    const told = since === undefined ? WARM_UP_MS : this.#clock.wallNow() - since;
    // Well in the future: one of the two clocks is wrong, perhaps by years, and tells us nothing.
    return Math.min(seen, told < -WARM_UP_MS ? 1 : warmShare(told));
  }

  /** Forgets endpoints that are no longer in the list. */
  retain(present: ReadonlySet<string>): void {
    this.#away?.forEach((id, _, away) => {
      if (!present.has(id)) away.delete(id);
    });
    this.#backAt?.forEach((_, id, backAt) => {
      if (!present.has(id)) backAt.delete(id);
    });
  }
}
