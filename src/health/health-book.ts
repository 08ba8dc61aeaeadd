/** What one client holds of each endpoint, by what it saw itself and what the others of its process found. */
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock, Random } from '../platform/ports.js';
import { addressOf } from './node-facts.js';
import type { Member, NodeFact, NodeKnowledge, SharedHealth } from './shared-health.js';
import { type Blame, type HealthBounds, type HealthView, Verdicts } from './verdicts.js';

/** A link that ends sooner than this after CONNACK counts as a failure of its endpoint (C3 table, R143). */
export const SHORT_LINK_MS = 5_000;

/**
 * Passive health: consecutive failures eject an endpoint for a growing time.
 *
 * An accepted TCP connection proves nothing; only CONNACK does, and only a link that holds clears the count (R143).
 *
 * Facts of a node are told to the other clients of the process, and theirs are learned (C7). The verdict is each
 * client's own, by its own bounds, and no single other client can bring it about where it takes two failures: what
 * fails for one again and again may be that one's fault.
 */
export class HealthBook implements Member {
  readonly witness = Symbol('health-book');
  readonly #bounds: HealthBounds;
  readonly #clock: Clock;
  readonly #shared: SharedHealth | undefined;
  readonly #verdicts: Verdicts;
  /** Where the endpoints of the list are, by id; only for what is shared. */
  readonly #addresses = new Map<string, string>();
  /** Who saw the last failure of an endpoint, if it was another client: its word counts once in a row. */
  #witnesses: Map<string, symbol> | undefined;

  /** @param shared - What the clients of the process know together; left out, this one keeps to itself. */
  constructor(bounds: HealthBounds, clock: Clock, random: Random, events: EventSink, shared?: SharedHealth) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#shared = shared;
    this.#verdicts = new Verdicts(bounds, clock, random, events);
  }

  /** An attempt or a young link failed, and the endpoint is to blame. */
  failed(id: string, reason: string, blame: Blame = 'client'): void {
    const address = this.#addresses.get(id);
    this.#witnesses?.delete(id);
    this.#blame(id, reason, blame);
    if (address !== undefined && blame === 'node')
      this.#shared?.tell(address, this, { kind: 'failed', reason });
  }

  /** The endpoint asked to be left alone for so many milliseconds. */
  cool(id: string, ms: number, reason: string, blame: Blame = 'client'): void {
    const address = this.#addresses.get(id);
    const until = this.#clock.now() + ms;
    this.#coolUntil(id, until, reason, blame);
    if (address !== undefined && blame === 'node')
      this.#shared?.tell(address, this, { kind: 'cooled', until, reason });
  }

  /** An attempt at the endpoint begins: if it has just returned, this client tries it for all (R141). */
  attempt(id: string): void {
    const address = this.#addresses.get(id);
    if (address !== undefined && this.#verdicts.isHalfOpen(id)) this.#shared?.claimTrial(address, this);
  }

  /** The endpoint cannot serve this configuration, whatever we wait: not before its entry in the list changes. */
  unfit(endpoint: Endpoint, error: FailoverError): void {
    this.#verdicts.unfit(endpoint, error);
  }

  /** How an endpoint turned out unfit, if it did. */
  misfit(id: string): FailoverError | undefined {
    return this.#verdicts.of(id)?.unfit?.error;
  }

  /** The user insists: unfit endpoints get another chance. */
  refit(): void {
    this.#verdicts.refit();
  }

  /** CONNECT was accepted. */
  accepted(id: string): void {
    const address = this.#addresses.get(id);
    this.#clear(id, null);
    if (address !== undefined) this.#shared?.tell(address, this, { kind: 'accepted' });
  }

  /** A probe off the critical path succeeded or failed. Success shows in `state`, but readmits nobody by itself. */
  probed(id: string, ok: boolean): void {
    if (ok) this.#verdicts.answered(id);
    // Told to nobody: it may be this client's own transport that is turned away.
    else this.#blame(id, 'a probe failed', 'node');
  }

  /** An accepted link ended after `durationMs`. */
  linkEnded(id: string, durationMs: number, reason: string): void {
    if (durationMs < SHORT_LINK_MS) this.failed(id, reason);
    else this.#verdicts.forgive(id);
  }

  /**
   * Drops what is known of endpoints that are no longer in the list, and of unfit ones that have changed; asks the other
   * clients of the process about new ones.
   */
  retain(endpoints: readonly Endpoint[]): void {
    const present = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    this.#verdicts.retain(present);
    this.#witnesses?.forEach((_, id, witnesses) => {
      if (!present.has(id)) witnesses.delete(id);
    });
    if (this.#shared) this.#share(endpoints, this.#shared);
  }

  #share(endpoints: readonly Endpoint[], shared: SharedHealth): void {
    const before = new Map(this.#addresses);
    this.#addresses.clear();
    for (const endpoint of endpoints) {
      const address = addressOf(endpoint);
      if (address !== undefined) this.#addresses.set(endpoint.id, address);
    }
    const now = new Set(this.#addresses.values());
    for (const address of before.values()) if (!now.has(address)) shared.leave(address, this);
    for (const [id, address] of [...this.#addresses]) {
      if (before.get(id) !== address) this.#adopt(id, shared.join(address, this));
    }
  }

  /** Takes no part in what the other clients of the process find out, until the next {@link retain}. */
  leave(): void {
    for (const address of this.#addresses.values()) this.#shared?.leave(address, this);
    this.#addresses.clear();
  }

  learn(address: string, fact: NodeFact, witness: symbol): void {
    for (const [id, at] of [...this.#addresses]) {
      if (at === address) this.#learn(id, fact, witness);
    }
  }

  /**
   * The order to try `ranked` in: healthy ones first, then ejected ones by the time of their return (R134).
   *
   * When more than `panicAbove` of them are ejected, ejection says more about us than about them: the ranking stands
   * as it is (panic mode, S6).
   */
  order(ranked: readonly Endpoint[]): readonly Endpoint[] {
    const fit = ranked.filter(({ id }) => !this.#verdicts.of(id)?.unfit);
    const out = fit.filter(({ id }) => this.#isOut(id));
    if (out.length === 0 || out.length > this.#bounds.panicAbove * fit.length) return fit;
    const rest = fit.filter((endpoint) => !out.includes(endpoint));
    const until = ({ id }: Endpoint) => this.#verdicts.of(id)?.ejectedUntil ?? 0;
    out.sort((a, b) => until(a) - until(b));
    return [...rest, ...out];
  }

  view(id: string): HealthView {
    return this.#verdicts.view(id);
  }

  /** Another client of the process saw something. */
  #learn(id: string, fact: NodeFact, witness: symbol): void {
    const verdict = this.#verdicts.of(id);
    if (verdict?.unfit) return;
    if (fact.kind === 'accepted') {
      if (verdict?.blame === 'node' && verdict.failures === 0) this.#clear(id, 'it accepted another client');
      else if (verdict) this.#verdicts.clearNodeFailures(id);
      return;
    }
    const reason = `as another client found: ${fact.reason}`;
    if (fact.kind === 'cooled') {
      this.#coolUntil(id, fact.until, reason, 'node');
    } else if (this.#witnesses?.get(id) !== witness) {
      this.#saw(id, witness);
      this.#blame(id, reason, 'node');
    }
  }

  /** What the others knew of an endpoint before it was in our list. */
  #adopt(id: string, { failures, failedAt, cooledUntil, reason, witness }: NodeKnowledge): void {
    const now = this.#clock.now();
    const verdict = this.#verdicts.of(id);
    // What we saw ourselves is newer, or the same.
    if (verdict && verdict.state !== 'healthy') return;
    const { failures: most, ejectMs } = this.#bounds;
    const said = `as another client found: ${reason}`;
    if (failures > 0 && now < failedAt + ejectMs) {
      if (witness) this.#saw(id, witness);
      else this.#witnesses?.delete(id);
      for (let n = Math.min(failures, most); n > 0; n -= 1) this.#blame(id, said, 'node');
    }
    if (cooledUntil > now) this.#coolUntil(id, cooledUntil, said, 'node');
  }

  #saw(id: string, witness: symbol): void {
    this.#witnesses ??= new Map();
    this.#witnesses.set(id, witness);
  }

  #blame(id: string, reason: string, blame: Blame): void {
    if (blame === 'node') this.#doubt(id);
    this.#verdicts.blame(id, reason, blame);
  }

  #coolUntil(id: string, until: number, reason: string, blame: Blame): void {
    if (blame === 'node') this.#doubt(id);
    this.#verdicts.coolUntil(id, until, reason, blame);
  }

  #clear(id: string, reason: string | null): void {
    this.#witnesses?.delete(id);
    this.#verdicts.clear(id, reason);
  }

  #doubt(id: string): void {
    const address = this.#addresses.get(id);
    if (address !== undefined) this.#shared?.doubt(address, this);
  }

  /** Ejected, or just returned and being tried by another client of the process. */
  #isOut(id: string): boolean {
    if (this.#verdicts.isEjected(id)) return true;
    const address = this.#addresses.get(id);
    if (address === undefined || !this.#verdicts.isHalfOpen(id)) return false;
    return this.#verdicts.of(id)?.blame === 'node' && this.#shared?.isTriedByAnother(address, this) === true;
  }
}
