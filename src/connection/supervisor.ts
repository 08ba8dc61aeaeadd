/**
 * The state machine of a client: discover, dial, stay connected, and start over when the connection ends.
 *
 * Each state owns what it started, a timer or an abort controller, and gives it back when it is left. Everything
 * else is asked: the watcher where the brokers are, the selector and the health book in which order, the dialer for
 * a transport, the session for CONNACK.
 */

import { Spare } from '../dial/spare.js';
import type { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import { describe, FailoverError, isFailoverError } from '../errors.js';
import type { ClientState } from '../events.js';
import { SHORT_LINK_MS } from '../health/health-book.js';
import { type Action, classify, type Outcome } from '../health/outcomes.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import { Candidates } from '../selection/candidates.js';
import type { Selector } from '../selection/selector.js';
import type { Link } from '../session/session.js';
import { Conflict, PEACE_MS } from './conflict.js';
import { Connector, type ConnectorDeps, type PassListener } from './connector.js';
import { Pacing, type PacingBounds } from './pacing.js';
import { Pass, type PassBias } from './pass.js';
import { Redirects } from './redirect.js';
import { RetryBudget } from './retry-budget.js';

/** What the supervisor tells those who use links. */
export interface LinkObserver {
  linkUp(link: Link): void;
  /**
   * @param end - How the link ended, unless we left it ourselves.
   * @returns whether something that we sent is suspected to have ended it: then the endpoint is not to blame (R92).
   */
  linkDown(end?: FailoverError): boolean;
  /** Holds publishes back; resolves with whether everything sent was acknowledged in time. */
  quiesce(): Promise<boolean>;
  /** Ends {@link quiesce} when the link stays. */
  resume(): void;
}

/** What the supervisor tells those who only watch links. */
export interface LinkWatcher {
  linkUp(link: Link): void;
  linkDown(): void;
}

/** How a planned move is done, and told of. */
export interface MoveOptions {
  readonly event: 'move' | 'failback';
  readonly patient: boolean;
}

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
  readonly #observers: LinkWatcher[] = [];
  #state: State = { name: 'idle' };
  #link: { readonly link: Link; readonly since: number } | undefined;
  /** The last link that ended, until another is there. */
  #lost:
    | { readonly id: string; readonly at: number; readonly reason: string; readonly shun: boolean }
    | undefined;
  /** The endpoint that a planned move left, until a link is there again. */
  #departed: string | undefined;
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
    this.#pacing.reset();
    this.#discover(reason);
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
    this.#pacing.reset();
    const resume = () => this.#discover(reason);
    const timer = clock.setTimeout(resume, this.#budget.reserve());
    const leave = () => clock.clearTimeout(timer);
    this.#enter({ name: 'backoff', leave, resume }, `${reason} too often: waiting for the retry budget`);
  }

  /**
   * Leaves the present connection politely, if there is one, and starts over; at the next free call of the retry budget
   * when that is spent.
   */
  restart(reason: string): void {
    if (!this.#link) {
      this.retryNow(reason);
      return;
    }
    const waitMs = this.#budget.take() ? 0 : this.#budget.reserve();
    const state: State = { name: 'connecting' };
    this.#dropLink();
    this.#enter(state, reason);
    void this.#deps.session.close().then(() => {
      if (this.#state === state) this.#wait(waitMs, reason);
    });
  }

  /**
   * Moves a working link to another endpoint: the new transport is opened first, then the old connection is left with
   * DISCONNECT, so that no will is sent, then CONNECT goes out on the new one (R109).
   *
   * To the endpoint that the link is on, it is renewed: with fresh credentials.
   *
   * @param patient - Whether unacknowledged publishes forbid the move; otherwise they are resent over there.
   * @throws {@link FailoverError} if it did not come about; the client is, or soon will be, where it was.
   */
  async move(to: string, reason: string, { event, patient }: MoveOptions): Promise<void> {
    const current = this.#link?.link.endpoint;
    if (!current || this.#state.name !== 'connected') {
      throw new FailoverError('ERR_LINK', `Cannot move to ${to}: the client is ${this.#state.name}`, {
        retryable: true,
      });
    }
    const target = this.#candidates.dialable().find(({ id }) => id === to);
    if (!target)
      throw new FailoverError('ERR_NO_ENDPOINT', `Cannot move to ${describe(to)}: no such endpoint`);
    const abort = new AbortController();
    const state: State = { name: 'moving', leave: () => abort.abort() };
    const wasStopped = this.#stopWatch();
    this.#enter(state, reason);
    try {
      const spare = await this.#spareFor(target, abort.signal, () => this.#state === state, patient);
      await this.#moveOver(state, current, spare, abort.signal, event, reason);
    } catch (error) {
      // The link still stands: nothing has happened.
      if (this.#state === state && this.#link) {
        this.#enter({ name: 'connected' }, `the move to ${to} failed`);
        if (!wasStopped()) this.#deps.links.resume();
      }
      if (isFailoverError(error)) throw error;
      const [code, why] = wasStopped() ? (['ERR_ENDED', 'the client was ended'] as const) : LINK_LOST;
      throw new FailoverError(code, `The move to ${to} was cut short: ${why}`, {
        cause: error,
        retryable: true,
      });
    }
  }

  /** An open transport to `target`, with everything that was sent on the present link acknowledged. */
  async #spareFor(
    target: Endpoint,
    signal: AbortSignal,
    isMoving: () => boolean,
    patient: boolean,
  ): Promise<Spare> {
    const spare = new Spare(await this.#connector.dial(target, signal));
    const quiet = await this.#deps.links.quiesce();
    const problem = !isMoving()
      ? LINK_LOST[1]
      : spare.isBroken
        ? 'the new connection ended before it was used'
        : patient && !quiet
          ? 'publishes are unacknowledged'
          : undefined;
    if (problem === undefined) return spare;
    spare.discard();
    throw new FailoverError('ERR_LINK', `The move to ${target.id} was given up: ${problem}`, {
      retryable: true,
    });
  }

  async #moveOver(
    state: State,
    from: Endpoint,
    spare: Spare,
    signal: AbortSignal,
    event: MoveOptions['event'],
    reason: string,
  ): Promise<void> {
    const { clock, session, events } = this.#deps;
    const target = spare.dialed.target.endpoint;
    const leftAt = clock.now();
    this.#link = undefined;
    this.#departed = from.id;
    this.#linkDown();
    await session.close();
    this.#pacing.left(from.id);
    if (this.#state !== state) {
      spare.discard();
      throw new FailoverError('ERR_ENDED', `The move to ${target.id} was cut short: the client was ended`);
    }
    if (spare.isBroken) {
      this.#beginPass('the new connection ended before it was used');
      throw new FailoverError('ERR_LINK', `The move to ${target.id} failed: its connection ended`, {
        retryable: true,
      });
    }
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => {
        // Entering `connected` leaves `moving`, too.
        if (this.#state.name === 'closed') reject(signal.reason);
      });
      this.#connector.connect(new Pass({ first: from.id }), spare.dialed, leftAt, signal, {
        accepted: (link) => {
          const wasStopped = this.#stopWatch();
          this.#accepted(link);
          const { id } = link.endpoint;
          if (wasStopped()) {
            reject(
              new FailoverError('ERR_ENDED', `The move to ${target.id} was cut short: the client was ended`),
            );
          } else if (id !== target.id) {
            const refused = `${target.id} did not accept the move`;
            reject(new FailoverError('ERR_REFUSED', refused, { endpoint: target.id, retryable: true }));
          } else if (this.#link?.link !== link) {
            const [code, why] = LINK_LOST;
            reject(
              new FailoverError(code, `The move to ${target.id} was cut short: ${why}`, { retryable: true }),
            );
          } else {
            const gapMs = clock.now() - leftAt;
            events.emit(event, { from: from.id, to: id, reason, gapMs, resumed: link.resumed });
            resolve();
          }
        },
        ended: this.#passes.ended,
        exhausted: (pass) => {
          reject(pass.error());
          this.#exhausted(pass);
        },
      });
    });
  }

  /** Tells `observer` of links from now on, after those who use them. */
  observe(observer: LinkWatcher): void {
    this.#observers.push(observer);
  }

  #linkUp(link: Link): void {
    this.#deps.links.linkUp(link);
    for (const observer of this.#observers) observer.linkUp(link);
  }

  #linkDown(end?: FailoverError): boolean {
    for (const observer of this.#observers) observer.linkDown();
    return this.#deps.links.linkDown(end);
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
    if (this.#link) this.#linkDown();
    this.#link = undefined;
    this.#lost = undefined;
    this.#departed = undefined;
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

  /** The list has changed: what is known of endpoints that it no longer has, or has otherwise, is void. */
  #listChanged(): void {
    const endpoints = this.#deps.watcher.current?.endpoints ?? [];
    this.#candidates.retain(endpoints);
    this.#deps.health.retain(endpoints);
  }

  #beginPass(reason: string, pass = new Pass(this.#bias())): void {
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

  #bias(): PassBias {
    if (this.#departed) return { first: this.#departed };
    return this.#lost?.shun ? { last: this.#lost.id } : {};
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
    const lost = this.#lost;
    this.#lost = undefined;
    this.#departed = undefined;
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
    if (!isDropped()) this.#linkUp(link);
  }

  /** Whether a listener has ended the client since: every event may be the last. */
  #stopWatch(): () => boolean {
    const stops = this.#stops;
    return () => this.#stops !== stops;
  }

  #linkEnded(error: FailoverError): void {
    const { clock, health, options } = this.#deps;
    if (!this.#link) return;
    const { link, since } = this.#link;
    const now = clock.now();
    this.#link = undefined;
    const heldMs = now - since;
    const { id } = link.endpoint;
    const action = classify(error.outcome ?? UNKNOWN);
    this.#pacing.linkEnded(heldMs);
    const wasStopped = this.#stopWatch();
    const ours = this.#linkDown(error);
    const shun = BLAMES_ENDPOINT.has(action) && !ours;
    this.#lost = { id, at: now, reason: error.message, shun };
    const holdMs = options.reconnect && !ours ? this.#holdAfter(action, error, heldMs) : undefined;
    if (heldMs >= PEACE_MS) this.#conflict.reset();
    const isFull = this.#candidates.saidFull(id, error.outcome, error.message);
    if (action === 'redirect') this.#connector.redirected(id, error);
    else if (shun && !isFull) this.#connector.blame(link.endpoint, error, this.#connector.coolMs(error));
    else if (!ours && !isFull && action !== 'yield' && holdMs === undefined)
      health.linkEnded(id, heldMs, error.message);
    if (wasStopped()) return;
    if (!options.reconnect) this.stop(error.message);
    else if (holdMs !== undefined) this.#yield(id, holdMs, error.message);
    else this.#comeBack(action, error, link);
  }

  /** The wait after a loss, by what the broker said. */
  #comeBack(action: Action, error: FailoverError, link: Link): void {
    const { credentials, events } = this.#deps;
    const { outcome = UNKNOWN, message } = error;
    const { id } = link.endpoint;
    const code = outcome.kind === 'disconnect' ? outcome.code : undefined;
    if (action === 'reauth' || code === MAXIMUM_CONNECT_TIME) credentials.refused();
    if (action === 'reauth' && !(credentials.canRefresh && this.#pacing.mayRefresh())) {
      this.#wait(this.#pacing.slowLane(), message, 'auth-wait');
    } else if (code === ADMINISTRATIVE_ACTION && this.#pacing.kicked()) {
      const reason = 'an administrator has disconnected us three times in ten minutes';
      this.#wait(this.#pacing.slowLane(), reason);
      events.emit('security', { endpoint: id, code, reason });
    } else {
      this.#wait(this.#delayAfter(outcome, link), message);
    }
  }

  /** A broker that sent us away for a reason of ours is asked again itself, and not before it has rested. */
  #delayAfter(outcome: Outcome, { endpoint, spreadMs = 0 }: Link): number {
    const listHint = this.#deps.watcher.current?.spreadMs ?? 0;
    const hint = { spreadMs: Math.max(spreadMs, listHint), clientId: this.#clientId };
    const delay = this.#pacing.afterLoss(hint);
    if (outcome.kind !== 'disconnect' || BLAMES_ENDPOINT.has(classify(outcome))) return delay;
    return Math.max(delay, this.#pacing.restLeft(endpoint.id), this.#pacing.afterDisconnect(outcome.code));
  }

  /** How long to step back for a twin with our client id; `undefined` when the loss is not of that kind. */
  #holdAfter(action: Action, error: FailoverError, heldMs: number): number | undefined {
    if (action === 'yield') return this.#conflict.takenOver(heldMs);
    const wordless =
      error.outcome?.kind === 'link' &&
      error.outcome.code === 'closed' &&
      error.cause === undefined &&
      heldMs < SHORT_LINK_MS;
    const v3 = (this.#deps.core.options.protocolVersion ?? 4) < 5;
    return v3 && wordless ? this.#conflict.closedSilently(error.endpoint ?? '') : undefined;
  }

  #yield(endpoint: string, holdMs: number, reason: string): void {
    const { clock, events } = this.#deps;
    this.#wait(holdMs, reason, 'conflict');
    const retryAt = Math.round(clock.wallNow() + holdMs);
    events.emit('conflict', { clientId: this.#clientId, endpoint, retryAt });
  }

  /** @param pass - The pass to go on with; left out, the wait ends with a new one. */
  #wait(delayMs: number, reason: string, name: WaitingState = 'backoff', pass?: Pass): void {
    const { clock } = this.#deps;
    if (delayMs <= 0) {
      this.#beginPass(reason, pass);
      return;
    }
    const timer = clock.setTimeout(() => this.#beginPass('the wait is over', pass), delayMs);
    this.#enter({ name, leave: () => clock.clearTimeout(timer) }, reason);
  }

  /** No candidate is left, unless some only need to rest for a moment. */
  #exhausted(pass: Pass): void {
    const untried = this.#connector.untried(pass);
    if (pass.conclusion === 'go-on' && untried.length > 0) {
      const wait = this.#pacing.untilRested(untried.map(({ id }) => id));
      this.#wait(wait, 'the endpoints that are left were tried within the last second', 'backoff', pass);
      return;
    }
    pass.exhausted();
    this.#giveUpPass(pass.error(), pass);
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
    if (pass.conclusion === 'unauthorised') this.#wait(this.#pacing.slowLane(), error.message, 'auth-wait');
    else if (pass.conclusion === 'untrusted') this.#wait(this.#pacing.slowLane(), error.message);
    else this.#wait(Math.max(this.#pacing.afterFailedPass(), pass.restMs), error.message);
  }
}

/** Actions for a link's end after which the endpoint is tried last. */
const BLAMES_ENDPOINT: ReadonlySet<Action> = new Set<Action>(['next', 'cool', 'redirect']);
const UNKNOWN: Outcome = { kind: 'link', code: 'closed' };
/** Reason codes of DISCONNECT that ask for more than their action (C2). */
const ADMINISTRATIVE_ACTION = 0x98;
const MAXIMUM_CONNECT_TIME = 0xa0;

type WaitingState = 'backoff' | 'conflict' | 'auth-wait';
const WAITING: ReadonlySet<ClientState> = new Set<WaitingState>(['backoff', 'conflict', 'auth-wait']);
const LINK_LOST = ['ERR_LINK', 'the connection was lost meanwhile'] as const;
const STOPPED: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);
