/** How each endpoint stands for one client now: usable or not, by the operator's word, by health, and by its own word. */
import type { Endpoint } from '../endpoint.js';
import type { EventSink } from '../events.js';
import type { HealthBook } from '../health/health-book.js';
import type { Outcome } from '../health/outcomes.js';
import type { HealthView } from '../health/verdicts.js';
import type { Clock, Random } from '../platform/ports.js';
import { FullNodes, saysFull } from './full-nodes.js';

export interface StandingDeps {
  readonly health: HealthBook;
  /** Why an endpoint must not be dialed at all; `undefined` when it may. */
  readonly refusal: (endpoint: Endpoint) => string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** States in which an endpoint is dialed only when nothing else is left, or not at all. */
const INELIGIBLE: ReadonlySet<HealthView['state']> = new Set<HealthView['state']>([
  'ejected',
  'draining',
  'down',
  'unusable',
]);

/** Says of any endpoint why it is, or is not, one to go to. */
export class Standing {
  readonly #deps: StandingDeps;
  readonly #full: FullNodes;

  constructor(deps: StandingDeps) {
    this.#deps = deps;
    this.#full = new FullNodes(deps.clock, deps.random);
  }

  /** State and reason, the strongest first: what cannot be used, the operator's word, health, fullness. */
  view(endpoint: Endpoint): HealthView {
    const { health, refusal } = this.#deps;
    const { id, state } = endpoint;
    const refused = refusal(endpoint);
    if (refused !== undefined) return { state: 'unusable', reason: refused, retryAt: null };
    const view = health.view(id);
    if (view.state === 'unusable') return view;
    if (state !== 'up') return { state, reason: `the list says that it is ${state}`, retryAt: null };
    const hold = this.#full.hold(id);
    if (view.state === 'ejected' || !hold) return view;
    return { state: 'suspect', reason: hold.reason, retryAt: this.#wall(hold.until) };
  }

  /** Whether nothing speaks against an endpoint in this state. */
  isEligible({ id }: Endpoint, state: HealthView['state']): boolean {
    return !INELIGIBLE.has(state) && !this.isFull(id);
  }

  /** Whether an endpoint said that it is full, and is left alone for that. */
  isFull(id: string): boolean {
    return this.#full.hold(id) !== undefined;
  }

  /** `ranked` with the full ones at its end. */
  fullLast(ranked: readonly Endpoint[]): readonly Endpoint[] {
    return this.#full.last(ranked);
  }

  /**
   * An endpoint answered: if it said that it is full, that is remembered, and nobody need blame it.
   *
   * @returns whether it did.
   */
  saidFull(id: string, outcome: Outcome | undefined, reason: string): boolean {
    if (!saysFull(outcome)) return false;
    this.#full.answered(id, reason);
    const { clock, events, health } = this.#deps;
    const until = this.#wall(this.#full.hold(id)?.until ?? clock.now());
    if (health.view(id).state !== 'ejected')
      events.emit('health', { endpoint: id, state: 'suspect', reason, until });
    return true;
  }

  /** CONNECT was accepted: it has room. To be told before the health book is. */
  accepted(id: string): void {
    const { health, events } = this.#deps;
    if (this.#full.accepted(id) && health.view(id).state === 'healthy')
      events.emit('health', { endpoint: id, state: 'healthy', reason: 'accepted', until: null });
  }

  /** Drops what is known of endpoints that are no longer in the list. */
  retain(present: ReadonlySet<string>): void {
    this.#full.retain(present);
  }

  #wall(at: number): number {
    const { clock } = this.#deps;
    return Math.round(clock.wallNow() + (at - clock.now()));
  }
}
