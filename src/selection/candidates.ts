/**
 * Who is eligible, and in which order (R132): the operator's word, what this runtime and this configuration can use,
 * and health decide who; tier, zone and hash decide the order; then come the reasons of the moment to step aside.
 *
 * Everything here is about one client now. Placement itself is {@link rank}, which knows none of it.
 */
import type { EndpointList } from '../discovery/endpoint-list.js';
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { Outcome } from '../health/outcomes.js';
import type { HealthView } from '../health/verdicts.js';
import type { Explanation } from '../status.js';
import { freshLoads, shunLoaded } from './load.js';
import { type Remark, type SameRun, sameLocality } from './runs.js';
import { checkedSelector, type Selector } from './selector.js';
import { Recoveries, spareYoung } from './slow-start.js';
import { spill } from './spill.js';
import { Standing, type StandingDeps } from './standing.js';

export interface CandidatesDeps extends StandingDeps {
  readonly watcher: EndpointList;
  readonly selector: Selector;
  readonly zone: string | undefined;
  /** Puts the endpoint first that a broker has sent us to; outside the list it is the `guest`. */
  readonly redirects: {
    readonly guest?: Endpoint | undefined;
    order(ranked: readonly Endpoint[]): readonly Endpoint[];
  };
  readonly clientId: () => string;
}

/** Why the endpoint in use is to be left: the operator's word, or that the list no longer has it (R45). */
export type LeaveWord = 'draining' | 'down' | 'unlisted';

/** What one ordering is for. */
interface Purpose {
  readonly clientId: string;
  /** Whether a node that has just come back is spared. */
  readonly sparesYoung: boolean;
  readonly remark?: Remark;
}

/** Orders the endpoints of the present list for one client. */
export class Candidates {
  readonly #deps: CandidatesDeps;
  readonly #selector: Selector;
  readonly #standing: Standing;
  readonly #recoveries: Recoveries;
  readonly #same: SameRun;
  #hasConnected = false;

  constructor(deps: CandidatesDeps) {
    const { clock, events, zone } = deps;
    this.#deps = deps;
    this.#standing = new Standing(deps);
    this.#recoveries = new Recoveries(clock);
    this.#same = sameLocality(zone);
    // Later: whoever asked for the ranking is not prepared for what a listener may do.
    this.#selector = checkedSelector(deps.selector, zone, (error) =>
      clock.soon(() => events.emit('discovery-error', { source: 'selection', error })),
    );
  }

  /** The known endpoints by placement alone: first is home. A guest, which only we know of, is last. */
  ranking(clientId = this.#deps.clientId()): readonly Endpoint[] {
    const { watcher, redirects } = this.#deps;
    const ranked = watcher.current ? this.#selector.rank(clientId, watcher.current.endpoints) : [];
    return redirects.guest && clientId === this.#deps.clientId() ? [...ranked, redirects.guest] : ranked;
  }

  /** The first by placement that this runtime can dial, whatever its state: what `status()` calls home. */
  home(): Endpoint | undefined {
    return this.ranking().find((endpoint) => !this.#deps.refusal(endpoint));
  }

  /** The endpoints that this runtime can dial, by placement; first the one that a broker has sent us to. */
  dialable(): readonly Endpoint[] {
    return this.#deps.redirects.order(this.ranking().filter((endpoint) => !this.#deps.refusal(endpoint)));
  }

  /** Where this client would be, given a free choice: eligible endpoints, of which ejected ones may be back soon. */
  preferred(): readonly Endpoint[] {
    const fit = this.#ordered({ clientId: this.#deps.clientId(), sparesYoung: false });
    return fit.filter(({ state }) => state === 'up');
  }

  /**
   * Endpoints worth leaving `current` for: better by placement, and preferred now. Spill, load and fullness hold a
   * client back on its way home; they never send a live connection away.
   */
  better(current: Endpoint): readonly Endpoint[] {
    const before = (ranked: readonly Endpoint[]) => {
      const place = ranked.findIndex(({ id }) => id === current.id);
      return place < 0 ? [] : ranked.slice(0, place);
    };
    const placed = before(this.dialable());
    // At home, as most clients are at most times.
    if (placed.length === 0) return [];
    const isPlaced = new Set(placed);
    return before(this.preferred()).filter((endpoint) => isPlaced.has(endpoint));
  }

  /**
   * What to dial, in lots: a lot is for when nothing of those before is left. First what is up, ejected ones at its
   * end; then what is draining; then what is down (R134).
   */
  lots(): readonly (readonly Endpoint[])[] {
    const fit = this.#ordered({ clientId: this.#deps.clientId(), sparesYoung: this.#hasConnected });
    const lot = (state: Endpoint['state']) =>
      this.#deps.health.order(fit.filter((endpoint) => endpoint.state === state));
    return [lot('up'), lot('draining'), lot('down')];
  }

  /** Why `current` is to be left, with the endpoint as the list has it now; `undefined` when it may be kept. */
  leaveWord(current: Endpoint): LeaveWord | undefined {
    const listed = this.listed(current);
    if (!listed) return this.#deps.watcher.current ? 'unlisted' : undefined;
    return listed.state === 'up' ? undefined : listed.state;
  }

  /** `endpoint` as the list has it now; a guest counts as listed. */
  listed({ id }: Endpoint): Endpoint | undefined {
    const { watcher, redirects } = this.#deps;
    const listed = watcher.current?.endpoints.find((endpoint) => endpoint.id === id);
    return listed ?? (redirects.guest?.id === id ? redirects.guest : undefined);
  }

  /** See {@link Standing.saidFull}. */
  saidFull(id: string, outcome: Outcome | undefined, reason: string): boolean {
    return this.#standing.saidFull(id, outcome, reason);
  }

  /** See {@link Standing.isFull}. */
  isFull(id: string): boolean {
    return this.#standing.isFull(id);
  }

  /** CONNECT was accepted. To be told before the health book is. */
  accepted(id: string): void {
    this.#hasConnected = true;
    this.#recoveries.back(id);
    this.#standing.accepted(id);
  }

  /** A probe was answered. */
  answered(id: string): void {
    this.#recoveries.back(id);
  }

  /**
   * One error for each endpoint when none of them can serve this client, and no wait changes that (C2); `undefined` while
   * one could, or where this runtime can dial none of them in the first place.
   */
  misfits(): readonly FailoverError[] | undefined {
    const { health, refusal } = this.#deps;
    const dialable = this.ranking().filter((endpoint) => !refusal(endpoint));
    const errors = dialable.flatMap(({ id }) => health.misfit(id) ?? []);
    return errors.length > 0 && errors.length === dialable.length ? errors : undefined;
  }

  /** Drops what is known of endpoints that are no longer in the list. */
  retain(endpoints: readonly Endpoint[]): void {
    const present = new Set(endpoints.map(({ id }) => id));
    this.#standing.retain(present);
    this.#recoveries.retain(present);
  }

  /** See {@link Standing.view}. */
  view(endpoint: Endpoint): HealthView {
    return this.#standing.view(endpoint);
  }

  /** How a client would be placed now, and why: by rank, with what keeps an endpoint from being dialed (R139). */
  explain(clientId = this.#deps.clientId()): Explanation[] {
    const remarks = new Map<string, string>();
    const remark: Remark = (id, why) => remarks.set(id, why);
    this.#ordered({ clientId, sparesYoung: this.#hasConnected, remark });
    return this.ranking(clientId).map((endpoint, rank) => {
      const { id, url, origin } = endpoint;
      const { state, reason } = this.view(endpoint);
      const eligible = this.#standing.isEligible(endpoint, state);
      const why = (eligible ? remarks.get(id) : undefined) ?? reason;
      const shown = why ?? (rank === 0 ? 'first by rank' : 'next by rank');
      return { id, url, rank, eligible, reason: shown, origin };
    });
  }

  /** The endpoints that can be used at all, in the order of one client; ejection has no part in it. */
  #ordered({ clientId, sparesYoung, remark }: Purpose): readonly Endpoint[] {
    const { watcher, redirects, clock } = this.#deps;
    const available = new Set<Endpoint>();
    const fit = this.ranking(clientId).filter((endpoint) => {
      const { state } = this.view(endpoint);
      if (state === 'ejected') this.#recoveries.away(endpoint.id);
      else if (this.#standing.isEligible(endpoint, state)) available.add(endpoint);
      return state !== 'unusable';
    });
    const isAvailable = (endpoint: Endpoint) => available.has(endpoint);
    let ordered: readonly Endpoint[] = fit;
    if (this.#selector.tiered) {
      ordered = spill(clientId, ordered, isAvailable, remark);
      if (sparesYoung) {
        const shareOf = (endpoint: Endpoint) => this.#recoveries.share(endpoint);
        ordered = spareYoung(clientId, ordered, this.#same, shareOf, remark);
      }
      const loads = watcher.current && freshLoads(watcher.current, watcher.receivedAt, clock);
      if (loads) ordered = shunLoaded(ordered, this.#same, isAvailable, loads, remark);
    }
    return redirects.order(this.#standing.fullLast(ordered));
  }
}
