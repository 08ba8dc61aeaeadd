/** One attempt after another: who may be tried, the dial, CONNECT on the winner, and what failures teach. */

import type { Credentials } from '../dial/credentials.js';
import type { Dialed, Dialer } from '../dial/dialer.js';
import type { Endpoint } from '../endpoint.js';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { HealthBook } from '../health/health-book.js';
import { isNodeFact } from '../health/node-facts.js';
import { classify, coolRangeOf, isDistrust } from '../health/outcomes.js';
import type { Clock, DialTarget, Random } from '../platform/ports.js';
import type { Candidates } from '../selection/candidates.js';
import type { ConnectOptions } from '../session/connect-options.js';
import type { Link } from '../session/link.js';
import type { SessionListener, SessionPort } from '../session/session.js';
import { inWords, traceFailure, traceStep } from '../trace.js';
import type { Conflict } from './conflict.js';
import type { Pacing } from './pacing.js';
import type { Pass } from './pass.js';
import type { Redirects } from './redirect.js';

/** What becomes of a pass. */
export interface PassListener {
  /** An endpoint accepted CONNECT. */
  accepted(link: Link): void;
  /** The accepted link ended. */
  ended(error: FailoverError): void;
  /** No candidate is left, or going on is pointless. */
  exhausted(pass: Pass): void;
}

export interface ConnectorDeps {
  readonly candidates: Candidates;
  readonly health: HealthBook;
  readonly dialer: Dialer;
  readonly session: SessionPort;
  readonly connectOptions: Pick<ConnectOptions, 'target'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly pacing: Pacing;
  readonly conflict: Conflict;
  readonly credentials: Credentials;
  readonly redirects: Redirects;
  readonly events: EventSink;
  readonly connackTimeoutMs: number;
  /** Bounds transport and CONNACK of an attempt together; MQTT.js's `connectTimeout`. */
  readonly attemptTimeoutMs: number;
}

/** Milliseconds that an endpoint which sends us away is left alone (R95). */
const REDIRECT_COOL_MS = 60_000;

/** What is only needed while CONNECT waits for its answer. */
interface Pending {
  readonly signal: AbortSignal;
  readonly onAbort: () => void;
  readonly refused: (error: FailoverError) => void;
}

/** CONNECT on its way, and then its link, which lasts: the pass that led to it is let go with the answer. */
class Opening implements SessionListener {
  readonly #listener: PassListener;
  #pending: Pending | undefined;

  constructor(listener: PassListener, pending: Pending) {
    this.#listener = listener;
    this.#pending = pending;
    pending.signal.addEventListener('abort', pending.onAbort);
  }

  accepted(link: Link): void {
    this.#answered();
    this.#listener.accepted(link);
  }

  refused(error: FailoverError): void {
    this.#answered()?.refused(error);
  }

  ended(error: FailoverError): void {
    this.#listener.ended(error);
  }

  #answered(): Pending | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.signal.removeEventListener('abort', pending.onAbort);
    return pending;
  }
}

/** Runs passes. Knows no states and no timers; the supervisor says when. */
export class Connector {
  readonly #deps: ConnectorDeps;
  #attempts = 0;

  constructor(deps: ConnectorDeps) {
    this.#deps = deps;
  }

  /** Attempts since the client was made. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Endpoints to try next in `pass`: of the best lot in which not all have failed. */
  untried(pass: Pass): readonly Endpoint[] {
    for (const lot of this.#deps.candidates.lots()) {
      const left = lot.filter(({ id }) => !pass.hasFailed(id));
      if (left.length > 0) return left;
    }
    return [];
  }

  /** Milliseconds until one of those that are left in `pass` has rested; `undefined` when none is left. */
  untilRested(pass: Pass): number | undefined {
    const roomy = this.#roomy(this.untried(pass));
    return roomy.length === 0 ? undefined : this.#deps.pacing.untilRested(roomy.map(({ id }) => id));
  }

  /** Tries candidates until one accepts, or none is left. Aborting `signal` ends it without a word. */
  run(pass: Pass, signal: AbortSignal, listener: PassListener): void {
    if (signal.aborted) return;
    const targets = pass.conclusion === 'go-on' ? this.#candidates(pass) : [];
    if (targets.length === 0) {
      listener.exhausted(pass);
      return;
    }
    const startedAt = this.#deps.clock.now();
    this.#deps.health.attempt((targets[0] as DialTarget).endpoint.id);
    const onFailure = ({ endpoint }: DialTarget, error: Error) => {
      this.#attempted(endpoint);
      this.#failed(pass, endpoint, error as FailoverError);
    };
    this.#deps.dialer.dial(targets, signal, onFailure).then(
      (dialed) => {
        if (signal.aborted) dialed?.transport.destroy();
        else if (dialed) this.connect(pass, dialed, startedAt, signal, listener);
        else this.run(pass, signal, listener);
      },
      () => {
        // Only an abort rejects, and who aborted does not want to hear of it.
      },
    );
  }

  /**
   * Opens a transport to one endpoint, for a planned move.
   *
   * @throws {@link FailoverError} of that endpoint, or the abort reason.
   */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<Dialed> {
    const { dialer, connectOptions, events } = this.#deps;
    let failure: Error | undefined;
    const dialed = await dialer.dial([connectOptions.target(endpoint)], signal, (_target, error) => {
      this.#attempted(endpoint);
      traceFailure(events, endpoint.id, 'failed', error as FailoverError);
      this.#warn(endpoint, error as FailoverError);
      failure = error;
    });
    if (!dialed) throw failure ?? new FailoverError('ERR_TRANSPORT', `Cannot reach ${endpoint.id}`);
    return dialed;
  }

  /** Sends CONNECT over an open transport; on refusal the pass goes on with the others. */
  connect(pass: Pass, dialed: Dialed, startedAt: number, signal: AbortSignal, listener: PassListener): void {
    const { session, clock, events, connackTimeoutMs, attemptTimeoutMs } = this.#deps;
    const { endpoint } = dialed.target;
    this.#attempted(endpoint);
    pass.sawConnection = true;
    const spentMs = clock.now() - startedAt;
    const ms = dialed.tookMs ?? spentMs;
    traceStep(events, endpoint.id, 'dialed', `dialed in ${inWords(ms)}`, ms);
    // A listener may have ended the client.
    if (signal.aborted) {
      dialed.transport.destroy();
      return;
    }
    const left = Math.max(1, attemptTimeoutMs - spentMs);
    const hasOthers = this.untried(pass).some(({ id }) => id !== endpoint.id);
    const patienceMs = hasOthers ? pass.patienceMs(endpoint.id) : connackTimeoutMs;
    const refused = (error: FailoverError) => {
      this.#failed(pass, endpoint, error);
      this.run(pass, signal, listener);
    };
    const opening = new Opening(listener, { signal, onAbort: () => session.abandon(), refused });
    session.open(dialed, Math.min(connackTimeoutMs, patienceMs, left), opening);
  }

  /** Endpoints that may be tried now: not within a second of the last time. */
  #candidates(pass: Pass): DialTarget[] {
    const { connectOptions, pacing } = this.#deps;
    const isRested = ({ id }: Endpoint) => pacing.restLeft(id) === 0;
    const untried = this.untried(pass);
    if (!this.#roomy(untried).some(isRested)) return [];
    return pass.order(untried.filter(isRested)).map((endpoint) => connectOptions.target(endpoint));
  }

  /** Those worth a second's wait: a full one is not asked because the others have to rest (S7). */
  #roomy(untried: readonly Endpoint[]): readonly Endpoint[] {
    const roomy = untried.filter(({ id }) => !this.#deps.candidates.isFull(id));
    return roomy.length === 0 ? untried : roomy;
  }

  /** A broker names another endpoint: it cools, and the other is preferred if it may be. */
  redirected(endpoint: Endpoint, { reasonCode = 0, serverReference }: FailoverError): void {
    const { redirects, candidates, health, events } = this.#deps;
    const { id: from } = endpoint;
    const { to, reason } = redirects.follow(endpoint, reasonCode, serverReference, candidates.dialable());
    health.cool(from, REDIRECT_COOL_MS, to === null ? 'it sends us away' : `it sends us to ${to}`);
    events.emit('redirect', { from, to, code: reasonCode, reason });
  }

  #attempted({ id }: Endpoint): void {
    this.#deps.pacing.attempted(id);
    this.#attempts += 1;
  }

  #failed(pass: Pass, endpoint: Endpoint, error: FailoverError): void {
    const { candidates, health, conflict, credentials, pacing, events } = this.#deps;
    const { id } = endpoint;
    const action = error.outcome && classify(error.outcome);
    traceFailure(events, id, 'failed', error);
    if (action === 'reauth' && credentials.canRefresh && pass.mayRefresh(id)) {
      // One refresh and one retry at the same endpoint; then it counts.
      credentials.refused();
      pacing.left(id);
      return;
    }
    const coolMs = this.coolMs(error);
    const blamed = pass.failed(id, error, coolMs);
    this.#deps.redirects.failed(id);
    this.#warn(endpoint, error);
    if (action === 'redirect') {
      this.redirected(endpoint, error);
      return;
    }
    if (error.code === 'ERR_CONNACK_TIMEOUT') conflict.connackMissed();
    else if (error.code !== 'ERR_REFUSED') conflict.endpointDied(id);
    if (action === 'unfit') health.unfit(endpoint, error);
    else if (candidates.saidFull(id, error.outcome, error.message)) return;
    else if (blamed) this.blame(endpoint, error, coolMs);
  }

  /** Puts a failure down to the endpoint: it counts, or leaves it alone for a while; the other clients hear of facts. */
  blame(endpoint: Endpoint, { outcome, message }: FailoverError, coolMs: number): void {
    const { health, credentials } = this.#deps;
    // What failed at a URL of the application's own says nothing of the endpoint's.
    const shared = outcome && !credentials.replacesUrl && isNodeFact(endpoint, outcome);
    if (coolMs > 0) health.cool(endpoint.id, coolMs, message, shared ? 'node' : 'client');
    else health.failed(endpoint.id, message, shared ? 'node' : 'client');
  }

  /** Milliseconds for which an endpoint is to be left alone: by its own word, or by the table of outcomes. */
  coolMs({ outcome, cause }: FailoverError): number {
    const { retryAfterMs } = (cause ?? {}) as { retryAfterMs?: unknown };
    if (typeof retryAfterMs === 'number') return retryAfterMs;
    const [least, most] = (outcome && coolRangeOf(outcome)) ?? [0, 0];
    return least + this.#deps.random.next() * (most - least);
  }

  /** A certificate that fails the check may be an attack, and is nothing that trying again mends: somebody should know. */
  #warn({ id }: Endpoint, { outcome, message }: FailoverError): void {
    if (!outcome || !isDistrust(outcome)) return;
    this.#deps.events.emit('security', { endpoint: id, code: outcome.code, reason: message });
  }
}
