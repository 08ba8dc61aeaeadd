/**
 * The state machine of a client: discover, dial, stay connected, and start over when the connection ends.
 *
 * Each state owns what it started, a timer or an abort controller, and gives it back when it is left. Everything
 * else is asked: the watcher where the brokers are, the selector and the health book in which order, the dialer for
 * a transport, the session for CONNACK.
 */
import type { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { ClientState, EventSink } from '../events.js';
import { type HealthBook, SHORT_LINK_MS } from '../health/health-book.js';
import { type Action, classify, type Outcome } from '../health/outcomes.js';
import type { Clock, DialTarget, Random } from '../platform/ports.js';
import type { Selector } from '../selection/selector.js';
import { Conflict } from './conflict.js';
import type { ConnectOptions } from './connect-options.js';
import type { Dialed, Dialer } from './dialer.js';
import type { MqttCore } from './mqtt-core.js';
import { Pacing, type PacingBounds } from './pacing.js';
import { Pass } from './pass.js';
import type { Link, Session } from './session.js';

/** What the supervisor tells those who use links. */
export interface LinkObserver {
  linkUp(link: Link): void;
  linkDown(): void;
}

export interface SupervisorOptions extends PacingBounds {
  readonly connackTimeoutMs: number;
  /** Bounds transport and CONNACK of an attempt together; MQTT.js's `connectTimeout`. */
  readonly attemptTimeoutMs: number;
  /** False: one pass over the endpoints, and the first lost link is the last. */
  readonly reconnect: boolean;
}

export interface SupervisorDeps {
  readonly watcher: Watcher;
  readonly selector: Selector;
  readonly health: HealthBook;
  readonly dialer: Dialer;
  readonly session: Session;
  readonly connectOptions: ConnectOptions;
  readonly core: MqttCore;
  readonly links: LinkObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Whether this runtime can dial an endpoint at all. */
  readonly canDial: (endpoint: Endpoint) => boolean;
  readonly options: SupervisorOptions;
}

interface State {
  readonly name: ClientState;
  /** Gives back what the state owns. */
  readonly leave?: () => void;
}

/** Decides when to dial what. Sends and receives nothing itself. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #pacing: Pacing;
  readonly #conflict: Conflict;
  #state: State = { name: 'idle' };
  #link: { readonly link: Link; readonly since: number } | undefined;
  /** The last link that ended, until another is there. */
  #lost:
    | { readonly id: string; readonly at: number; readonly reason: string; readonly shun: boolean }
    | undefined;
  #started = false;
  #counters = { attempts: 0, connects: 0, failovers: 0, failedPasses: 0 };

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#pacing = new Pacing(deps.options, deps.clock, deps.random);
    this.#conflict = new Conflict(deps.clock, deps.random);
  }

  get state(): ClientState {
    return this.#state.name;
  }

  /** The endpoint we are connected to. */
  get current(): Endpoint | undefined {
    return this.#link?.link.endpoint;
  }

  /** Counts since the client was made. */
  get counters(): Readonly<Record<'attempts' | 'connects' | 'failovers' | 'failedPasses', number>> {
    return { ...this.#counters };
  }

  /** The known endpoints in the order of preference of `clientId`; health plays no part. */
  ranking(clientId = this.#clientId): readonly Endpoint[] {
    const { watcher, selector } = this.#deps;
    return watcher.current ? selector.rank(clientId, watcher.current.endpoints) : [];
  }

  /** Begins to connect; does nothing while it is already under way or connected. */
  start(reason: string): void {
    if (!STOPPED.has(this.#state.name)) return;
    this.#pacing.reset();
    this.#discover(reason);
  }

  /** Cuts a wait short. */
  retryNow(reason: string): void {
    this.#conflict.reset();
    if (WAITING.has(this.#state.name)) this.#beginPass(reason);
    else this.start(reason);
  }

  /** Leaves the present connection politely, if there is one, and starts over. */
  restart(reason: string): void {
    if (!this.#link) {
      this.retryNow(reason);
      return;
    }
    const state: State = { name: 'connecting' };
    this.#dropLink();
    this.#enter(state, reason);
    void this.#deps.session.close().then(() => {
      if (this.#state === state) this.#beginPass(reason);
    });
  }

  /** Gives up whatever is under way. The session, if any, is left to the caller. */
  stop(reason: string): void {
    this.#deps.watcher.stop();
    this.#deps.session.abandon();
    this.#dropLink();
    this.#enter({ name: 'closed' }, reason);
  }

  /** Forgets the link without counting it as lost: we leave it ourselves. */
  #dropLink(): void {
    if (this.#link) this.#deps.links.linkDown();
    this.#link = undefined;
    this.#lost = undefined;
  }

  get #clientId(): string {
    return this.#deps.core.options.clientId ?? '';
  }

  #enter(state: State, reason: string): void {
    const from = this.#state;
    this.#state = state;
    from.leave?.();
    if (from.name !== state.name)
      this.#deps.events.emit('state', { from: from.name, to: state.name, reason });
  }

  #discover(reason: string): void {
    const state: State = { name: 'discovering' };
    this.#enter(state, reason);
    this.#deps.watcher.refresh().then(
      () => {
        if (this.#state === state) this.#beginPass(reason);
      },
      (error: FailoverError) => {
        if (this.#state === state) this.#giveUpPass(error, new Pass());
      },
    );
  }

  #beginPass(reason: string): void {
    const { watcher, health } = this.#deps;
    if (!watcher.current) {
      this.#discover(reason);
      return;
    }
    health.retain(watcher.current.endpoints);
    const abort = new AbortController();
    const state: State = { name: 'connecting', leave: () => abort.abort() };
    this.#enter(state, reason);
    if (this.#state !== state) return;
    if (this.#started) this.#deps.core.emit('reconnect');
    this.#started = true;
    this.#dial(new Pass(this.#lost?.shun ? this.#lost.id : undefined), abort.signal);
  }

  #dial(pass: Pass, signal: AbortSignal): void {
    if (signal.aborted) return;
    const targets = pass.conclusion === 'go-on' ? this.#candidates(pass) : [];
    if (targets.length === 0) {
      this.#exhausted(pass);
      return;
    }
    const startedAt = this.#deps.clock.now();
    const onFailure = ({ endpoint }: DialTarget, error: Error) => {
      this.#attempted(endpoint);
      this.#attemptFailed(pass, endpoint, error as FailoverError);
    };
    this.#deps.dialer.dial(targets, signal, onFailure).then(
      (dialed) => {
        if (signal.aborted) dialed?.transport.destroy();
        else if (dialed) this.#connect(pass, dialed, startedAt, signal);
        else this.#dial(pass, signal);
      },
      () => {
        // Only an abort rejects, and who aborted has entered another state.
      },
    );
  }

  /** Endpoints that may be tried now: not yet in this pass, and not within a second of the last time. */
  #candidates(pass: Pass): DialTarget[] {
    const { health, connectOptions } = this.#deps;
    const rested = health
      .order(this.#dialable())
      .filter(({ id }) => !pass.hasFailed(id) && this.#pacing.restLeft(id) === 0);
    const first = rested.filter(({ id }) => id !== pass.shunned);
    const last = rested.filter(({ id }) => id === pass.shunned);
    return [...first, ...last].map((endpoint) => connectOptions.target(endpoint));
  }

  #dialable(): readonly Endpoint[] {
    return this.ranking().filter(this.#deps.canDial);
  }

  #attempted({ id }: Endpoint): void {
    this.#pacing.attempted(id);
    this.#counters.attempts += 1;
  }

  #attemptFailed(pass: Pass, endpoint: Endpoint, error: FailoverError): void {
    const { health } = this.#deps;
    const { id } = endpoint;
    const blamed = pass.failed(id, error);
    if (error.code === 'ERR_CONNACK_TIMEOUT') this.#conflict.connackMissed();
    else if (error.code !== 'ERR_REFUSED') this.#conflict.endpointDied();
    if (error.outcome && classify(error.outcome) === 'unfit') health.unfit(endpoint, error.message);
    else if (blamed) health.failed(id, error.message);
  }

  #connect(pass: Pass, dialed: Dialed, startedAt: number, signal: AbortSignal): void {
    const { session, clock, options } = this.#deps;
    const { endpoint } = dialed.target;
    this.#attempted(endpoint);
    pass.sawConnection = true;
    const left = Math.max(1, options.attemptTimeoutMs - (clock.now() - startedAt));
    const onAbort = () => session.abandon();
    signal.addEventListener('abort', onAbort);
    session.open(dialed, Math.min(options.connackTimeoutMs, left), {
      accepted: (link) => {
        signal.removeEventListener('abort', onAbort);
        this.#accepted(link);
      },
      refused: (error) => {
        signal.removeEventListener('abort', onAbort);
        this.#attemptFailed(pass, endpoint, error);
        this.#dial(pass, signal);
      },
      ended: (error) => this.#linkEnded(error),
    });
  }

  #accepted(link: Link): void {
    const { clock, health, events, links } = this.#deps;
    const { id } = link.endpoint;
    const now = clock.now();
    this.#link = { link, since: now };
    this.#counters.connects += 1;
    this.#pacing.accepted();
    health.accepted(id);
    this.#enter({ name: 'connected' }, `accepted by ${id}`);
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost && lost.id !== id) {
      this.#counters.failovers += 1;
      const { resumed } = link;
      events.emit('failover', {
        from: lost.id,
        to: id,
        reason: lost.reason,
        offlineMs: now - lost.at,
        resumed,
      });
    }
    if (this.#link?.link === link) links.linkUp(link);
  }

  #linkEnded(error: FailoverError): void {
    const { clock, health, links, options } = this.#deps;
    if (!this.#link) return;
    const { link, since } = this.#link;
    const now = clock.now();
    this.#link = undefined;
    const heldMs = now - since;
    const { id } = link.endpoint;
    const action = classify(error.outcome ?? UNKNOWN);
    const shun = BLAMES_ENDPOINT.has(action);
    this.#lost = { id, at: now, reason: error.message, shun };
    links.linkDown();
    const holdMs = options.reconnect ? this.#holdAfter(action, error, heldMs) : undefined;
    if (shun) health.failed(id, error.message);
    else if (action !== 'yield' && holdMs === undefined) health.linkEnded(id, heldMs, error.message);
    if (!options.reconnect) this.stop(error.message);
    else if (holdMs !== undefined) this.#yield(id, holdMs, error.message);
    else if (action === 'reauth') this.#wait(this.#pacing.afterRefusal(), error.message, 'auth-wait');
    else this.#wait(this.#delayAfter(error, id, heldMs), error.message);
  }

  /** A broker that sent us away for a reason of ours is asked again itself, and not before it has rested. */
  #delayAfter({ outcome }: FailoverError, id: string, heldMs: number): number {
    const delay = this.#pacing.afterLoss(heldMs);
    if (outcome?.kind !== 'disconnect' || BLAMES_ENDPOINT.has(classify(outcome))) return delay;
    return Math.max(delay, this.#pacing.restLeft(id), this.#pacing.afterDisconnect(outcome.code));
  }

  /** How long to step back for a twin with our client id; `undefined` when the loss is not of that kind. */
  #holdAfter(action: Action, error: FailoverError, heldMs: number): number | undefined {
    if (action === 'yield') return this.#conflict.takenOver(heldMs);
    const wordless =
      error.outcome?.kind === 'link' && error.outcome.code === 'closed' && heldMs < SHORT_LINK_MS;
    const v3 = (this.#deps.core.options.protocolVersion ?? 4) < 5;
    return v3 && wordless ? this.#conflict.closedSilently() : undefined;
  }

  #yield(endpoint: string, holdMs: number, reason: string): void {
    const { clock, events } = this.#deps;
    this.#wait(holdMs, reason, 'conflict');
    const retryAt = Math.round(clock.wallNow() + holdMs);
    events.emit('conflict', { clientId: this.#clientId, endpoint, retryAt });
  }

  #wait(delayMs: number, reason: string, name: 'backoff' | 'conflict' | 'auth-wait' = 'backoff'): void {
    const { clock } = this.#deps;
    if (delayMs <= 0) {
      this.#beginPass(reason);
      return;
    }
    const timer = clock.setTimeout(() => this.#beginPass('the wait is over'), delayMs);
    this.#enter({ name, leave: () => clock.clearTimeout(timer) }, reason);
  }

  /** No candidate is left. If none was even tried, they only need to rest for a moment. */
  #exhausted(pass: Pass): void {
    const ids = this.#dialable().map(({ id }) => id);
    pass.exhausted();
    if (pass.failures > 0 || ids.length === 0) this.#giveUpPass(pass.error(), pass);
    else this.#wait(this.#pacing.untilRested(ids), 'every endpoint was tried within the last second');
  }

  #giveUpPass(error: FailoverError, pass: Pass): void {
    const { core, watcher, options } = this.#deps;
    const state = this.#state;
    this.#counters.failedPasses += 1;
    if (!pass.sawConnection) core.emit('close');
    core.emitError(error);
    // A listener may have ended the client or asked for a retry.
    if (this.#state !== state) return;
    if (!options.reconnect || pass.conclusion === 'fatal') {
      watcher.stop();
      this.#enter({ name: 'failed' }, error.message);
      return;
    }
    watcher.refresh().catch(() => {
      // Reported by the watcher as `discovery-error`.
    });
    if (pass.conclusion === 'unauthorised')
      this.#wait(this.#pacing.afterRefusal(), error.message, 'auth-wait');
    else this.#wait(this.#pacing.afterFailedPass(), error.message);
  }
}

/** Actions for a link's end after which the endpoint is tried last. */
const BLAMES_ENDPOINT: ReadonlySet<Action> = new Set<Action>(['next', 'cool', 'redirect']);
const UNKNOWN: Outcome = { kind: 'link', code: 'closed' };

const WAITING: ReadonlySet<ClientState> = new Set<ClientState>(['backoff', 'conflict', 'auth-wait']);
const STOPPED: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);
