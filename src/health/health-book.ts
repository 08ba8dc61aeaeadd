/** What one client has learned about each endpoint, and the order in which that lets it try them. */
import type { Endpoint } from '../endpoint.js';
import type { EndpointState, EventSink } from '../events.js';
import type { Clock, Random } from '../platform/ports.js';
import { addressOf } from './node-facts.js';
import { type Member, type NodeFact, type NodeKnowledge, SharedHealth } from './shared-health.js';

/** When failures eject, and for how long; see `HealthOptions`. */
export interface HealthBounds {
  readonly failures: number;
  readonly ejectMs: number;
  readonly maxEjectMs: number;
  readonly panicAbove: number;
}

/** What `status()` shows of one endpoint's health. */
export interface HealthView {
  readonly state: EndpointState;
  readonly reason: string | null;
  /** Milliseconds since 1970 when an ejected endpoint may be used again. */
  readonly retryAt: number | null;
}

/** Whom a failure is put down to: the node, as any client would find it, or what this client alone has to do with it. */
export type Blame = 'node' | 'client';

interface Entry {
  /** Failures in a row that are this client's own. */
  failures: number;
  /** Failures in a row that are facts of the node; CONNACK to any client clears them. */
  nodeFailures: number;
  /** Who saw the last of those, if it was another client: its word counts once in a row. */
  witness: symbol | undefined;
  /** What the ejection rests on; what rests on the node, any client may disprove. */
  blame: Blame;
  /** Ejections in a row; each makes the next one longer. */
  ejections: number;
  /** When the last of them was to end, on the monotonic clock. */
  lastEjectedUntil: number;
  /** On the monotonic clock; an entry whose time has passed is half open: one success closes it. */
  ejectedUntil: number;
  state: EndpointState;
  reason: string | null;
  /** The endpoint as it was when it turned out unfit; another object with its id gets a new chance. */
  unfit: Endpoint | undefined;
}

/** A link that ends sooner than this after CONNACK counts as a failure of its endpoint (C3 table, R143). */
export const SHORT_LINK_MS = 5_000;
/** Share of an ejection that is added at random, so that clients do not come back together. */
const EJECT_JITTER = 0.2;

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
  readonly #random: Random;
  readonly #events: EventSink;
  readonly #shared: SharedHealth;
  readonly #entries = new Map<string, Entry>();
  /** Where the endpoints of the list are, by id. */
  readonly #addresses = new Map<string, string>();

  /** @param shared - What the clients of the process know together; left out, this one keeps to itself. */
  constructor(
    bounds: HealthBounds,
    clock: Clock,
    random: Random,
    events: EventSink,
    shared: SharedHealth = new SharedHealth(clock),
  ) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
    this.#shared = shared;
  }

  /** An attempt or a young link failed, and the endpoint is to blame. */
  failed(id: string, reason: string, blame: Blame = 'client'): void {
    const address = this.#addresses.get(id);
    this.#entry(id).witness = undefined;
    this.#blame(id, reason, blame);
    if (address !== undefined && blame === 'node')
      this.#shared.tell(address, this, { kind: 'failed', reason });
  }

  /** The endpoint asked to be left alone for so many milliseconds. */
  cool(id: string, ms: number, reason: string, blame: Blame = 'client'): void {
    const address = this.#addresses.get(id);
    const until = this.#clock.now() + ms;
    this.#coolUntil(id, until, reason, blame);
    if (address !== undefined && blame === 'node')
      this.#shared.tell(address, this, { kind: 'cooled', until, reason });
  }

  /** An attempt at the endpoint begins: if it has just returned, this client tries it for all (R141). */
  attempt(id: string): void {
    const address = this.#addresses.get(id);
    if (address !== undefined && this.#isHalfOpen(id)) this.#shared.claimTrial(address, this);
  }

  /** The endpoint cannot serve this configuration, whatever we wait: not before its entry in the list changes. */
  unfit(endpoint: Endpoint, reason: string): void {
    const entry = this.#entry(endpoint.id);
    entry.unfit = endpoint;
    entry.reason = reason;
    this.#change(endpoint.id, entry, 'unusable');
  }

  /** CONNECT was accepted. */
  accepted(id: string): void {
    const address = this.#addresses.get(id);
    this.#clear(id, this.#entry(id), null);
    if (address !== undefined) this.#shared.tell(address, this, { kind: 'accepted' });
  }

  /** A probe off the critical path succeeded or failed. Success shows in `state`, but readmits nobody by itself. */
  probed(id: string, ok: boolean): void {
    const entry = this.#entry(id);
    if (ok && entry.state !== 'healthy') {
      entry.reason = 'a probe succeeded';
      this.#change(id, entry, 'probing');
    } else if (!ok) {
      // Told to nobody: it may be this client's own transport that is turned away.
      this.#blame(id, 'a probe failed', 'node');
    }
  }

  /** An accepted link ended after `durationMs`. */
  linkEnded(id: string, durationMs: number, reason: string): void {
    if (durationMs < SHORT_LINK_MS) {
      this.failed(id, reason);
      return;
    }
    const entry = this.#entry(id);
    entry.failures = 0;
    entry.ejections = Math.max(0, entry.ejections - 1);
  }

  /**
   * Drops what is known of endpoints that are no longer in the list, and of unfit ones that have changed; asks the other
   * clients of the process about new ones.
   */
  retain(endpoints: readonly Endpoint[]): void {
    const present = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    for (const [id, { unfit }] of this.#entries) {
      if (!present.has(id) || (unfit && unfit !== present.get(id))) this.#entries.delete(id);
    }
    const before = new Map(this.#addresses);
    this.#addresses.clear();
    for (const endpoint of endpoints) {
      const address = addressOf(endpoint);
      if (address !== undefined) this.#addresses.set(endpoint.id, address);
    }
    const now = new Set(this.#addresses.values());
    for (const address of before.values()) if (!now.has(address)) this.#shared.leave(address, this);
    for (const [id, address] of [...this.#addresses]) {
      if (before.get(id) !== address) this.#adopt(id, this.#shared.join(address, this));
    }
  }

  /** Takes no part in what the other clients of the process find out, until the next {@link retain}. */
  leave(): void {
    for (const address of this.#addresses.values()) this.#shared.leave(address, this);
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
    const fit = ranked.filter(({ id }) => !this.#entries.get(id)?.unfit);
    const out = fit.filter(({ id }) => this.#isOut(id));
    if (out.length === 0 || out.length > this.#bounds.panicAbove * fit.length) return fit;
    const rest = fit.filter((endpoint) => !out.includes(endpoint));
    out.sort((a, b) => this.#entry(a.id).ejectedUntil - this.#entry(b.id).ejectedUntil);
    return [...rest, ...out];
  }

  view(id: string): HealthView {
    const entry = this.#entries.get(id);
    if (!entry) return { state: 'healthy', reason: null, retryAt: null };
    return {
      state: this.#isHalfOpen(id) ? 'suspect' : entry.state,
      reason: entry.reason,
      retryAt: this.#isEjected(id) ? this.#wall(entry.ejectedUntil) : null,
    };
  }

  /** Another client of the process saw something. */
  #learn(id: string, fact: NodeFact, witness: symbol): void {
    const entry = this.#entries.get(id);
    if (entry?.unfit) return;
    if (fact.kind === 'accepted') {
      if (entry?.blame === 'node' && entry.failures === 0)
        this.#clear(id, entry, 'it accepted another client');
      else if (entry) entry.nodeFailures = 0;
      return;
    }
    const reason = `as another client found: ${fact.reason}`;
    if (fact.kind === 'cooled') {
      this.#coolUntil(id, fact.until, reason, 'node');
    } else if (entry?.witness !== witness) {
      this.#entry(id).witness = witness;
      this.#blame(id, reason, 'node');
    }
  }

  /** What the others knew of an endpoint before it was in our list. */
  #adopt(id: string, { failures, failedAt, cooledUntil, reason, witness }: NodeKnowledge): void {
    const now = this.#clock.now();
    const entry = this.#entries.get(id);
    // What we saw ourselves is newer, or the same.
    if (entry && entry.state !== 'healthy') return;
    const { failures: most, ejectMs } = this.#bounds;
    const said = `as another client found: ${reason}`;
    if (failures > 0 && now < failedAt + ejectMs) {
      this.#entry(id).witness = witness;
      for (let n = Math.min(failures, most); n > 0; n -= 1) this.#blame(id, said, 'node');
    }
    if (cooledUntil > now) this.#coolUntil(id, cooledUntil, said, 'node');
  }

  #blame(id: string, reason: string, blame: Blame): void {
    const entry = this.#entry(id);
    if (blame === 'node') this.#doubt(id);
    if (blame === 'node') entry.nodeFailures += 1;
    else entry.failures += 1;
    entry.reason = reason;
    if (this.#isEjected(id)) return;
    // Half open: its time was up, and its first chance is gone.
    const halfOpen = entry.state === 'ejected';
    if (entry.state !== 'suspect') entry.blame = blame;
    else if (blame === 'client') entry.blame = 'client';
    if (!halfOpen && entry.failures + entry.nodeFailures < this.#bounds.failures) {
      this.#change(id, entry, 'suspect');
      return;
    }
    this.#eject(id, entry);
  }

  #eject(id: string, entry: Entry): void {
    const now = this.#clock.now();
    const { ejectMs, maxEjectMs } = this.#bounds;
    // What was long ago says nothing of today.
    if (now - entry.lastEjectedUntil > maxEjectMs) entry.ejections = 0;
    entry.failures = 0;
    entry.nodeFailures = 0;
    entry.ejections += 1;
    const jitter = 1 + EJECT_JITTER * this.#random.next();
    entry.ejectedUntil = now + Math.min(maxEjectMs, ejectMs * entry.ejections * jitter);
    entry.lastEjectedUntil = entry.ejectedUntil;
    this.#change(id, entry, 'ejected');
  }

  #coolUntil(id: string, until: number, reason: string, blame: Blame): void {
    const entry = this.#entry(id);
    const wasEjected = this.#isEjected(id);
    if (blame === 'node') this.#doubt(id);
    if (wasEjected && until <= entry.ejectedUntil) return;
    entry.blame = wasEjected && entry.blame === 'client' ? 'client' : blame;
    entry.reason = reason;
    entry.ejectedUntil = until;
    this.#change(id, entry, 'ejected');
  }

  #clear(id: string, entry: Entry, reason: string | null): void {
    entry.ejectedUntil = 0;
    entry.nodeFailures = 0;
    entry.witness = undefined;
    entry.reason = reason;
    this.#change(id, entry, 'healthy');
    entry.reason = null;
  }

  #doubt(id: string): void {
    const address = this.#addresses.get(id);
    if (address !== undefined) this.#shared.doubt(address, this);
  }

  #isEjected(id: string): boolean {
    return (this.#entries.get(id)?.ejectedUntil ?? 0) > this.#clock.now();
  }

  #isHalfOpen(id: string): boolean {
    return this.#entries.get(id)?.state === 'ejected' && !this.#isEjected(id);
  }

  /** Ejected, or just returned and being tried by another client of the process. */
  #isOut(id: string): boolean {
    if (this.#isEjected(id)) return true;
    const address = this.#addresses.get(id);
    if (address === undefined || !this.#isHalfOpen(id)) return false;
    return this.#entries.get(id)?.blame === 'node' && this.#shared.isTriedByAnother(address, this);
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = {
        failures: 0,
        nodeFailures: 0,
        witness: undefined,
        blame: 'client',
        ejections: 0,
        lastEjectedUntil: 0,
        ejectedUntil: 0,
        state: 'healthy',
        reason: null,
        unfit: undefined,
      };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  #change(id: string, entry: Entry, state: EndpointState): void {
    if (entry.state === state && state !== 'ejected') return;
    entry.state = state;
    const until = state === 'ejected' ? this.#wall(entry.ejectedUntil) : null;
    this.#events.emit('health', { endpoint: id, state, reason: entry.reason ?? 'accepted', until });
  }

  #wall(at: number): number {
    return Math.round(this.#clock.wallNow() + (at - this.#clock.now()));
  }
}
