/**
 * The state machine of a client: discover, dial, stay connected, and start over when the connection ends.
 *
 * Each state owns what it started, a timer or an abort controller, and gives it back when it is left. Everything
 * else is asked: the watcher where the brokers are, the selector and the health book in which order, the dialer for
 * a transport, the session for CONNACK.
 */

import type { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import { describe, FailoverError } from '../errors.js';
import type { ClientState } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import { Candidates } from '../selection/candidates.js';
import type { Selector } from '../selection/selector.js';
import type { Link } from '../session/session.js';
import { Conflict } from './conflict.js';
import { Connector, type ConnectorDeps, type PassListener } from './connector.js';
import { watchCredentials } from './credentials-watch.js';
import { type LinkEnd, LinkEnds, type Return } from './link-end.js';
import { LinkAudience, type LinkObserver, type LinkWatcher } from './links.js';
import { type MoveControl, type MoveDeps, type MoveOptions, move } from './move.js';
import { Pacing, type PacingBounds, type SpreadHint } from './pacing.js';
import { allFailed, Pass } from './pass.js';
import { Redirects } from './redirect.js';
import { RetryBudget } from './retry-budget.js';
import { type Wait, type WaitingState, waitAfter } from './wait.js';
import { Whereabouts } from './whereabouts.js';

export interface SupervisorOptions extends PacingBounds {
  readonly connackTimeoutMs: number;
  /** Bounds transport and CONNACK of an attempt together; MQTT.js's `connectTimeout`. */
  readonly attemptTimeoutMs: number;
  /** False: one pass over the endpoints, and the first lost link is the last. */
  readonly reconnect: boolean;
  /** The client's own zone. */
  readonly zone?: string | undefined;
}

/** What a connector needs beside what the supervisor itself makes for it. */
type SharedDeps = Omit<
  ConnectorDeps,
  'candidates' | 'pacing' | 'conflict' | 'redirects' | 'connackTimeoutMs' | 'attemptTimeoutMs'
>;

export interface SupervisorDeps extends SharedDeps {
  readonly core: MqttCore;
  readonly watcher: Watcher;
  readonly selector: Selector;
  /** Why an endpoint must not be dialed at all; `undefined` when it may. */
  readonly refusal: (endpoint: Endpoint) => string | undefined;
  readonly links: LinkObserver;
  readonly options: SupervisorOptions;
}

interface State {
  readonly name: ClientState;
  /** Gives back what the state owns. */
  readonly leave?: () => void;
  /** How a wait goes on when it is cut short; left out, with a pass. */
  readonly resume?: () => void;
  /** When it ends by itself, on the monotonic clock, where an endpoint that is new in the list ends it before. */
  readonly endsAt?: number;
}

/** Decides when to dial what. Sends and receives nothing itself. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #pacing: Pacing;
  readonly #conflict: Conflict;
  readonly #budget: RetryBudget;
  readonly #redirects: Redirects;
  readonly #candidates: Candidates;
  readonly #connector: Connector;
  readonly #passes: PassListener;
  readonly #audience: LinkAudience;
  readonly #ends: LinkEnds;
  readonly #moves: MoveDeps;
  #state: State = { name: 'idle' };
  #link: { readonly link: Link; readonly since: number } | undefined;
  readonly #whereabouts = new Whereabouts();
  /** The endpoints of the list, as they were when it changed last. */
  #listed: ReadonlySet<Endpoint> = new Set();
  #started = false;
  /** How often the client was ended. */
  #stops = 0;
  #counters = { connects: 0, failovers: 0, failedPasses: 0 };

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#pacing = new Pacing(deps.options, deps.clock, deps.random);
    this.#conflict = new Conflict(deps.clock, deps.random);
    this.#budget = new RetryBudget(deps.clock);
    this.#redirects = new Redirects(deps.clock);
    const { connackTimeoutMs, attemptTimeoutMs, zone } = deps.options;
    this.#candidates = new Candidates({
      ...deps,
      zone,
      redirects: this.#redirects,
      clientId: () => this.#clientId,
    });
    this.#connector = new Connector({
      ...deps,
      candidates: this.#candidates,
      pacing: this.#pacing,
      conflict: this.#conflict,
      redirects: this.#redirects,
      connackTimeoutMs,
      attemptTimeoutMs,
    });
    this.#audience = new LinkAudience(deps.links);
    this.#ends = new LinkEnds({
      ...deps,
      pacing: this.#pacing,
      conflict: this.#conflict,
      candidates: this.#candidates,
      connector: this.#connector,
      hint: (linkMs) => this.#hint(linkMs),
    });
    this.#moves = { ...deps, connector: this.#connector, pacing: this.#pacing };
    deps.watcher.onChange(() => this.#listChanged());
    this.#passes = {
      accepted: (link) => this.#accepted(link),
      ended: (error) => this.#linkEnded(error),
      exhausted: (pass) => this.#exhausted(pass),
    };
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
    return { ...this.#counters, attempts: this.#connector.attempts };
  }

  /** Who is eligible, and in which order. */
  get candidates(): Candidates {
    return this.#candidates;
  }

  /** A probe off the critical path succeeded or failed. */
  probed(id: string, ok: boolean): void {
    if (ok) this.#candidates.answered(id);
    this.#deps.health.probed(id, ok);
  }

  /** Begins to connect; does nothing while it is already under way or connected. */
  start(reason: string): void {
    if (!STOPPED.has(this.#state.name)) return;
    this.#anew();
    this.#discover(reason);
  }

  /** Somebody asks for a fresh start. */
  #anew(): void {
    this.#pacing.reset();
    this.#deps.health.refit();
  }

  /**
   * Cuts a wait short, as often as the retry budget allows; else the request joins the wait that is running. A client
   * that is stopped starts, at the next free call of the budget if need be.
   */
  retryNow(reason: string): void {
    const { name, resume } = this.#state;
    if (WAITING.has(name)) {
      if (!this.#budget.take()) return;
      this.#conflict.reset();
      if (resume) resume();
      else this.#beginPass(reason);
    } else if (STOPPED.has(name)) {
      this.#conflict.reset();
      if (this.#budget.take()) this.start(reason);
      else this.#startLater(reason);
    }
  }

  #startLater(reason: string): void {
    const { clock } = this.#deps;
    this.#anew();
    const resume = () => this.#discover(reason);
    const timer = clock.setTimeout(resume, this.#budget.reserve());
    const leave = () => clock.clearTimeout(timer);
    this.#enter({ name: 'backoff', leave, resume }, `${reason} too often: waiting for the retry budget`);
  }

  /**
   * Leaves the present connection politely, if there is one, and starts over; at the next free call of the retry budget
   * when that is spent. Endpoints that could not serve the client get another chance.
   */
  restart(reason: string): void {
    this.#deps.health.refit();
    if (!this.#link) {
      this.retryNow(reason);
      return;
    }
    const waitMs = this.#budget.take() ? 0 : this.#budget.reserve();
    const state: State = { name: 'connecting' };
    this.#dropLink();
    this.#enter(state, reason);
    void this.#deps.session.close().then(() => {
      if (this.#state === state) this.#wait({ state: 'backoff', waitMs, reason });
    });
  }

  /**
   * Moves a working link to another endpoint, as {@link move} does; to the endpoint that the link is on, it is renewed,
   * with fresh credentials.
   *
   * @throws {@link FailoverError} if it did not come about; the client is, or soon will be, where it was.
   */
  async move(to: string, reason: string, options: MoveOptions): Promise<void> {
    const from = this.current;
    if (!from || this.#state.name !== 'connected') {
      throw new FailoverError('ERR_LINK', `Cannot move to ${to}: the client is ${this.#state.name}`, {
        retryable: true,
      });
    }
    const target = this.#candidates.dialable().find(({ id }) => id === to);
    if (!target)
      throw new FailoverError('ERR_NO_ENDPOINT', `Cannot move to ${describe(to)}: no such endpoint`);
    const abort = new AbortController();
    const state: State = { name: 'moving', leave: () => abort.abort() };
    const wasEnded = this.#stopWatch();
    this.#enter(state, reason);
    const isMoving = () => this.#state === state;
    const control: MoveControl = {
      ...this.#passes,
      signal: abort.signal,
      isMoving,
      wasEnded,
      leaveLink: () => {
        this.#link = undefined;
        this.#whereabouts.departed(from.id);
        this.#audience.linkDown();
      },
      startOver: (why) => this.#beginPass(why),
      accepted: (link) => {
        this.#accepted(link);
        return this.#link?.link === link;
      },
    };
    try {
      await move(from, target, reason, options, control, this.#moves);
    } catch (error) {
      // The link still stands: nothing has happened.
      if (isMoving() && this.#link) {
        this.#enter({ name: 'connected' }, `the move to ${to} failed`);
        if (!wasEnded()) this.#deps.links.resume();
      }
      throw error;
    }
  }

  /** Tells `watcher` of links from now on, after those who use them. */
  observe(watcher: LinkWatcher): void {
    this.#audience.add(watcher);
  }

  /** Gives up whatever is under way. The session, if any, is left to the caller. */
  stop(reason: string): void {
    this.#stops += 1;
    this.#deps.watcher.stop();
    this.#deps.session.abandon();
    this.#deps.health.leave();
    this.#dropLink();
    this.#enter({ name: 'closed' }, reason);
  }

  /** Forgets the link without counting it as lost: we leave it ourselves. */
  #dropLink(): void {
    if (this.#link) this.#audience.linkDown();
    this.#link = undefined;
    this.#whereabouts.forget();
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
    if (this.#state !== state) return;
    this.#deps.watcher.refresh().then(
      () => {
        if (this.#state === state) this.#beginPass(reason);
      },
      (error: FailoverError) => {
        if (this.#state === state) this.#giveUpPass(error, new Pass());
      },
    );
  }

  /**
   * The list has changed: what is known of endpoints that it no longer has, or has otherwise, is void, and one that is
   * new may be what we wait for.
   */
  #listChanged(): void {
    const { watcher, health, refusal } = this.#deps;
    const before = this.#listed;
    this.#listed = new Set(watcher.current?.endpoints);
    this.#candidates.retain([...this.#listed]);
    health.retain([...this.#listed]);
    const isNew = (each: Endpoint) => !before.has(each) && each.state !== 'down' && !refusal(each);
    if (this.#state.endsAt !== undefined && [...this.#listed].some(isNew))
      this.#hurry(this.#state.endsAt, 'the list has a new endpoint');
  }

  /** Ends a wait within the retry budget, and not in the same moment as a whole fleet. */
  #hurry(endsAt: number, reason: string): void {
    const budgetMs = this.#budget.take() ? 0 : this.#budget.reserve();
    const waitMs = budgetMs + this.#pacing.atOnce(this.#hint());
    if (this.#deps.clock.now() + waitMs < endsAt) this.#wait({ state: 'backoff', waitMs, reason });
  }

  #hint(linkMs = 0): SpreadHint {
    const listMs = this.#deps.watcher.current?.spreadMs ?? 0;
    return { spreadMs: Math.max(linkMs, listMs), clientId: this.#clientId };
  }

  #beginPass(reason: string, pass = new Pass(this.#whereabouts.bias)): void {
    if (!this.#deps.watcher.current) {
      this.#discover(reason);
      return;
    }
    const abort = new AbortController();
    const state: State = { name: 'connecting', leave: () => abort.abort() };
    this.#enter(state, reason);
    if (this.#state !== state) return;
    if (this.#started && pass.failures === 0) this.#deps.core.emit('reconnect');
    this.#started = true;
    this.#connector.run(pass, abort.signal, this.#passes);
  }

  #accepted(link: Link): void {
    const { clock, health, events } = this.#deps;
    const { id } = link.endpoint;
    const now = clock.now();
    this.#link = { link, since: now };
    this.#counters.connects += 1;
    this.#deps.watcher.reached();
    this.#conflict.accepted(id);
    this.#redirects.linked();
    // A listener may end the client or ask for another connection inside any of these events.
    const isDropped = () => this.#link?.link !== link;
    this.#candidates.accepted(id);
    health.accepted(id);
    if (isDropped()) return;
    this.#enter({ name: 'connected' }, `accepted by ${id}`);
    if (isDropped()) return;
    const failover = this.#whereabouts.arrived(link, now);
    if (failover) {
      this.#counters.failovers += 1;
      events.emit('failover', failover);
    }
    if (!isDropped()) this.#audience.linkUp(link);
  }

  /** Whether a listener has ended the client since: every event may be the last. */
  #stopWatch(): () => boolean {
    const stops = this.#stops;
    return () => this.#stops !== stops;
  }

  #linkEnded(error: FailoverError): void {
    const { clock, options } = this.#deps;
    if (!this.#link) return;
    const { link, since } = this.#link;
    const now = clock.now();
    this.#link = undefined;
    const wasStopped = this.#stopWatch();
    const end: LinkEnd = { link, error, heldMs: now - since, ours: this.#audience.linkDown(error) };
    const verdict = this.#ends.judge(end);
    this.#whereabouts.lost({ id: link.endpoint.id, at: now, reason: error.message, shun: verdict.shun });
    this.#ends.blame(end, verdict);
    if (wasStopped()) return;
    if (options.reconnect) this.#comeBack(link.endpoint.id, this.#ends.comeBack(end, verdict));
    else this.stop(error.message);
  }

  #comeBack(endpoint: string, wait: Return): void {
    const { clock, events } = this.#deps;
    const { state, waitMs, reason, security } = wait;
    this.#wait(wait);
    if (security !== undefined) events.emit('security', { endpoint, code: security, reason });
    if (state !== 'conflict') return;
    const retryAt = Math.round(clock.wallNow() + waitMs);
    events.emit('conflict', { clientId: this.#clientId, endpoint, retryAt });
  }

  /** @param pass - The pass to go on with; left out, the wait ends with a new one. */
  #wait({ state: name, waitMs, reason, heedsList }: Wait, pass?: Pass): void {
    const { clock } = this.#deps;
    if (waitMs <= 0) {
      this.#beginPass(reason, pass);
      return;
    }
    const abort = new AbortController();
    const timer = clock.setTimeout(() => this.#beginPass('the wait is over', pass), waitMs);
    const leave = () => {
      clock.clearTimeout(timer);
      abort.abort();
    };
    this.#enter({ name, leave, ...(heedsList ? { endsAt: clock.now() + waitMs } : {}) }, reason);
    if (name !== 'auth-wait') return;
    watchCredentials(this.#deps, abort.signal, () => {
      const mayTry = this.#budget.take();
      if (mayTry) this.#beginPass('the application has other credentials');
      return mayTry;
    });
  }

  /** No candidate is left, unless some only need to rest for a moment. */
  #exhausted(pass: Pass): void {
    const untried = this.#connector.untried(pass);
    if (pass.conclusion === 'go-on' && untried.length > 0) {
      const waitMs = this.#pacing.untilRested(untried.map(({ id }) => id));
      const reason = 'the endpoints that are left were tried within the last second';
      this.#wait({ state: 'backoff', waitMs, reason }, pass);
      return;
    }
    pass.exhausted();
    const misfits = this.#candidates.misfits();
    if (misfits) this.#giveUpPass(allFailed('No endpoint can serve this client', misfits, false), pass);
    else this.#giveUpPass(pass.error(), pass);
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
      this.#deps.health.leave();
      this.#enter({ name: 'failed' }, error.message);
      return;
    }
    if (watcher.current) watcher.rescan();
    // No wait helps: only another list does, or the user.
    if (this.#candidates.misfits())
      this.#enter({ name: 'failed', endsAt: Number.POSITIVE_INFINITY }, error.message);
    else this.#wait(waitAfter(pass, error, this.#pacing));
  }
}

const WAITING: ReadonlySet<ClientState> = new Set<WaitingState>(['backoff', 'conflict', 'auth-wait']);
const STOPPED: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);
