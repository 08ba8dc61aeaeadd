/**
 * The state machine of a client: discover, dial, stay connected, and start over when the connection ends.
 *
 * Each state owns what it started, a timer or an abort controller, and gives it back when it is left. Everything
 * else is asked: the watcher where the brokers are, the selector and the health book in which order, the dialer for
 * a transport, the session for CONNACK.
 */

import type { Endpoint } from '../endpoint.js';
import { describe, FailoverError } from '../errors.js';
import type { ClientState } from '../events.js';
import type { Candidates } from '../selection/candidates.js';
import type { Link } from '../session/session.js';
import type { PassListener } from './connector.js';
import type { LinkEnd, Return } from './link-end.js';
import type { LinkWatcher } from './links.js';
import type { MoveControl, MoveOptions } from './move.js';
import { type LoadMove, makeParts, type Parts, type SupervisorDeps } from './parts.js';
import { allFailed, Pass } from './pass.js';
import { paused, type State, type Wait, type WaitingState, waitAfter, waiting } from './wait.js';

/** Decides when to dial what. Sends and receives nothing itself. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #parts: Parts;
  readonly #passes: PassListener;
  #state: State = { name: 'idle' };
  #link: { readonly link: Link; readonly since: number } | undefined;
  /** The endpoints of the list, as they were when it changed last. */
  #listed: readonly Endpoint[] = [];
  #started = false;
  /** When the last pass began. */
  #passAt = Number.NEGATIVE_INFINITY;
  /** How often the client was ended. */
  #stops = 0;
  #counters = { connects: 0, failovers: 0, failedPasses: 0 };

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#parts = makeParts(deps);
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
    return { ...this.#counters, attempts: this.#parts.connector.attempts };
  }

  /** Who is eligible, and in which order. */
  get candidates(): Candidates {
    return this.#parts.candidates;
  }

  /** A probe off the critical path succeeded or failed. */
  probed(id: string, ok: boolean): void {
    if (ok) this.#parts.candidates.answered(id);
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
    this.#parts.pacing.reset();
    this.#deps.health.refit();
  }

  /**
   * Cuts a wait short, as often as the retry budget allows; else the request joins the wait that is running. A client
   * that is stopped starts, at the next free call of the budget if need be.
   */
  retryNow(reason: string): void {
    const { name, resume } = this.#state;
    if (WAITING.has(name)) {
      if (!this.#parts.budget.take()) {
        // Not the minute of a client without a network, now that it is back.
        if (name === 'paused' && !this.#isOffline)
          this.#wait({ state: 'backoff', waitMs: this.#parts.pacing.afterFailedPass(), reason });
        return;
      }
      this.#parts.conflict.reset();
      if (resume) resume();
      else this.#beginPass(reason);
    } else if (STOPPED.has(name)) {
      this.#parts.conflict.reset();
      if (this.#parts.budget.take()) this.start(reason);
      else this.#startLater(reason);
    }
  }

  /** The network is gone: a wait goes on as one for it, with one attempt a minute, as nobody can be sure (R158). */
  pause(reason: string): void {
    if (this.#state.name === 'backoff' && !this.#state.resume && this.#isOffline)
      this.#wait({ state: 'backoff', waitMs: 1, reason });
  }

  get #isOffline(): boolean {
    return this.#deps.isOnline?.() === false;
  }

  #startLater(reason: string): void {
    const { clock } = this.#deps;
    this.#anew();
    const resume = () => this.#discover(reason);
    const timer = clock.setTimeout(resume, this.#parts.budget.reserve());
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
    const waitMs = this.#parts.budget.take() ? 0 : this.#parts.budget.reserve();
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
    const target = this.#parts.candidates.dialable().find(({ id }) => id === to);
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
        this.#parts.whereabouts.departed(from.id);
        this.#parts.audience.linkDown();
      },
      startOver: (why) => this.#beginPass(why),
      accepted: (link) => {
        this.#accepted(link);
        return this.#link?.link === link;
      },
    };
    try {
      const move = await this.#loadMove(to);
      await move(from, target, reason, options, control, { ...this.#deps, ...this.#parts });
    } catch (error) {
      // The link still stands: nothing has happened.
      if (isMoving() && this.#link) {
        this.#enter({ name: 'connected' }, `the move to ${to} failed`);
        if (!wasEnded()) this.#deps.links.resume();
      }
      throw error;
    }
  }

  #loadMove(to: string): ReturnType<LoadMove> {
    return this.#deps.loadMove().catch((cause: unknown) => {
      const text = `Cannot move to ${to}: the code of planned moves could not be loaded`;
      throw new FailoverError('ERR_LINK', text, { cause, retryable: true });
    });
  }

  /** Tells `watcher` of links from now on, after those who use them. */
  observe(watcher: LinkWatcher): void {
    this.#parts.audience.add(watcher);
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
    if (this.#link) this.#parts.audience.linkDown();
    this.#link = undefined;
    this.#parts.whereabouts.forget();
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
    const before = new Set(this.#listed);
    this.#listed = watcher.current?.endpoints ?? [];
    this.#parts.redirects.listChanged();
    this.#parts.candidates.retain(this.#listed);
    health.retain(this.#listed);
    const isNew = (each: Endpoint) => !before.has(each) && each.state !== 'down' && !refusal(each);
    if (this.#state.endsAt !== undefined && this.#listed.some(isNew))
      this.#hurry(this.#state.endsAt, 'the list has a new endpoint');
  }

  /** Ends a wait within the retry budget, and not in the same moment as a whole fleet; never later than by itself. */
  #hurry(endsAt: number, reason: string): void {
    const { budget, pacing, hint } = this.#parts;
    const left = endsAt - this.#deps.clock.now();
    const spread = pacing.atOnce(hint());
    if (spread >= left) return;
    const waitMs = spread + (budget.take() ? 0 : budget.reserve());
    if (waitMs < left) this.#wait({ state: 'backoff', waitMs, reason });
  }

  #beginPass(reason: string, pass = new Pass(this.#parts.whereabouts.nextBias())): void {
    if (!this.#deps.watcher.current) {
      this.#discover(reason);
      return;
    }
    const abort = new AbortController();
    const state: State = { name: 'connecting', leave: () => abort.abort(LEFT) };
    this.#enter(state, reason);
    if (this.#state !== state) return;
    this.#passAt = this.#deps.clock.now();
    if (this.#started && pass.failures === 0) this.#deps.core.emit('reconnect');
    this.#started = true;
    this.#parts.connector.run(pass, abort.signal, this.#passes);
  }

  #accepted(link: Link): void {
    const { clock, health, events } = this.#deps;
    const { id } = link.endpoint;
    const now = clock.now();
    this.#link = { link, since: now };
    this.#counters.connects += 1;
    this.#deps.watcher.reached();
    this.#parts.conflict.accepted(id);
    this.#parts.redirects.linked();
    // A listener may end the client or ask for another connection inside any of these events.
    const isDropped = () => this.#link?.link !== link;
    this.#parts.candidates.accepted(id);
    health.accepted(id);
    if (isDropped()) return;
    this.#enter({ name: 'connected' }, `accepted by ${id}`);
    if (isDropped()) return;
    const failover = this.#parts.whereabouts.arrived(link, now);
    if (failover) {
      this.#counters.failovers += 1;
      events.emit('failover', failover);
    }
    if (!isDropped()) this.#parts.audience.linkUp(link);
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
    const end: LinkEnd = { link, error, heldMs: now - since, ours: this.#parts.audience.linkDown(error) };
    const verdict = this.#parts.ends.judge(end);
    this.#parts.whereabouts.lost({
      id: link.endpoint.id,
      at: now,
      reason: error.message,
      shun: verdict.shun,
      connackMs: link.connackMs,
    });
    this.#parts.ends.blame(end, verdict);
    if (wasStopped()) return;
    if (options.reconnect) this.#comeBack(link.endpoint.id, this.#parts.ends.comeBack(end, verdict));
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
  #wait(wanted: Wait, pass?: Pass): void {
    const wait = this.#isOffline ? paused(wanted, this.#passAt, this.#deps.clock.now()) : wanted;
    const { waitMs, reason } = wait;
    if (waitMs <= 0) {
      this.#beginPass(reason, pass);
      return;
    }
    const onEnd = () => this.#beginPass('the wait is over', pass);
    const onOthers = () => {
      const mayTry = this.#parts.budget.take();
      if (mayTry) this.#beginPass('the application has other credentials');
      return mayTry;
    };
    this.#enter(waiting(wait, this.#deps, onEnd, onOthers), reason);
  }

  /** No candidate is left, unless some only need to rest for a moment. */
  #exhausted(pass: Pass): void {
    const waitMs = this.#parts.connector.untilRested(pass);
    if (pass.conclusion === 'go-on' && waitMs !== undefined) {
      const reason = 'the endpoints that are left were tried within the last second';
      this.#wait({ state: 'backoff', waitMs, reason }, pass);
      return;
    }
    pass.exhausted();
    const misfits = this.#parts.candidates.misfits();
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
    if (this.#parts.candidates.misfits())
      this.#enter({ name: 'failed', endsAt: Number.POSITIVE_INFINITY }, error.message);
    else this.#wait(waitAfter(pass, error, this.#parts.pacing));
  }
}

/** Why dials end when there is a link, or nobody wants one any more. One for all: a DOMException each has a stack. */
const LEFT = new Error('the client is no longer connecting');
const WAITING: ReadonlySet<ClientState> = new Set<WaitingState>([
  'backoff',
  'paused',
  'conflict',
  'auth-wait',
]);
const STOPPED: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);
