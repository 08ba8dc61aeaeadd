/**
 * The state machine of a client, as it runs by itself: discover, dial, stay connected, and start over when the connection
 * ends. What is asked of it from outside comes by way of the supervisor.
 *
 * Each state owns what it started, a timer or an abort controller, and gives it back when it is left. Everything
 * else is asked: the watcher where the brokers are, the selector and the health book in which order, the dialer for
 * a transport, the session for CONNACK.
 */
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { Link } from '../session/link.js';
import type { PassListener } from './connector.js';
import type { LinkEnd, Return } from './link-end.js';
import type { Parts, SupervisorDeps } from './parts.js';
import { allFailed, Pass } from './pass.js';
import { paused, type State, type Wait, waitAfter, waiting } from './wait.js';

/** Goes from state to state. Sends and receives nothing itself. */
export class StateMachine {
  readonly #deps: SupervisorDeps;
  readonly #parts: Parts;
  /** What follows a pass. */
  readonly passes: PassListener;
  #state: State = { name: 'idle' };
  #link: { readonly link: Link; readonly since: number } | undefined;
  /** The endpoints of the list, as they were when it changed last. */
  #listed: readonly Endpoint[] = [];
  #started = false;
  /** When the last pass began. */
  #passAt = Number.NEGATIVE_INFINITY;
  /** How often the client was ended. */
  #stops = 0;
  readonly #counters = { connects: 0, failovers: 0, failedPasses: 0 };

  constructor(deps: SupervisorDeps, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
    deps.watcher.onChange(() => this.#listChanged());
    this.passes = {
      accepted: (link) => this.#accepted(link),
      ended: (error) => this.#linkEnded(error),
      exhausted: (pass) => this.#exhausted(pass),
    };
  }

  get state(): State {
    return this.#state;
  }

  /** The link in use. */
  get link(): Link | undefined {
    return this.#link?.link;
  }

  /** Counts since the client was made. */
  get counters(): Readonly<Record<'connects' | 'failovers' | 'failedPasses', number>> {
    return this.#counters;
  }

  get isOffline(): boolean {
    return this.#deps.isOnline?.() === false;
  }

  /** Leaves the present state, which gives back what it owns, for another. */
  enter(state: State, reason: string): void {
    const from = this.#state;
    this.#state = state;
    from.leave?.();
    if (from.name !== state.name)
      this.#deps.events.emit('state', { from: from.name, to: state.name, reason });
  }

  /** Asks where the brokers are, then begins a pass. */
  discover(reason: string): void {
    const state: State = { name: 'discovering' };
    this.enter(state, reason);
    if (this.#state !== state) return;
    this.#deps.watcher.refresh().then(
      () => {
        if (this.#state === state) this.beginPass(reason);
      },
      (error: FailoverError) => {
        if (this.#state === state) this.#giveUpPass(error, new Pass());
      },
    );
  }

  /** Tries the candidates, once it is known where the brokers are. */
  beginPass(reason: string, pass = new Pass(this.#parts.whereabouts.nextBias())): void {
    if (!this.#deps.watcher.current) {
      this.discover(reason);
      return;
    }
    const abort = new AbortController();
    const state: State = { name: 'connecting', leave: () => abort.abort(LEFT) };
    this.enter(state, reason);
    if (this.#state !== state) return;
    this.#passAt = this.#deps.clock.now();
    if (this.#started && pass.failures === 0) this.#deps.core.emit('reconnect');
    this.#started = true;
    this.#parts.connector.run(pass, abort.signal, this.passes);
  }

  /**
   * Waits, then begins a pass.
   *
   * @param pass - The pass to go on with; left out, the wait ends with a new one.
   */
  wait(wanted: Wait, pass?: Pass): void {
    const wait = this.isOffline ? paused(wanted, this.#passAt, this.#deps.clock.now()) : wanted;
    const { waitMs, reason } = wait;
    if (waitMs <= 0) {
      this.beginPass(reason, pass);
      return;
    }
    const onEnd = () => this.beginPass('the wait is over', pass);
    const onOthers = () => {
      const mayTry = this.#parts.budget.take();
      if (mayTry) this.beginPass('the application has other credentials');
      return mayTry;
    };
    this.enter(waiting(wait, this.#deps, onEnd, onOthers), reason);
  }

  /** Forgets the link without counting it as lost: we leave it ourselves. */
  dropLink(): void {
    if (this.#link) this.#parts.audience.linkDown();
    this.#link = undefined;
    this.#parts.whereabouts.forget();
  }

  /** Forgets the link for a planned move; where the move fails, its endpoint, which works, is tried first. */
  departFrom(endpoint: Endpoint): void {
    this.#link = undefined;
    this.#parts.whereabouts.departed(endpoint.id);
    this.#parts.audience.linkDown();
  }

  /** Gives up whatever is under way. The session, if any, is left to the caller. */
  stop(reason: string): void {
    this.#stops += 1;
    this.#deps.watcher.stop();
    this.#deps.session.abandon();
    this.#deps.health.leave();
    this.dropLink();
    this.enter({ name: 'closed' }, reason);
  }

  /** Whether a listener has ended the client since: every event may be the last. */
  stopWatch(): () => boolean {
    const stops = this.#stops;
    return () => this.#stops !== stops;
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
    if (waitMs < left) this.wait({ state: 'backoff', waitMs, reason });
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
    this.enter({ name: 'connected' }, `accepted by ${id}`);
    if (isDropped()) return;
    const failover = this.#parts.whereabouts.arrived(link, now);
    if (failover) {
      this.#counters.failovers += 1;
      events.emit('failover', failover);
    }
    if (!isDropped()) this.#parts.audience.linkUp(link);
  }

  #linkEnded(error: FailoverError): void {
    const { clock, options } = this.#deps;
    if (!this.#link) return;
    const { link, since } = this.#link;
    const now = clock.now();
    this.#link = undefined;
    const wasStopped = this.stopWatch();
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
    const { clock, core, events } = this.#deps;
    const { state, waitMs, reason, security } = wait;
    this.wait(wait);
    if (security !== undefined) events.emit('security', { endpoint, code: security, reason });
    if (state !== 'conflict') return;
    const retryAt = Math.round(clock.wallNow() + waitMs);
    events.emit('conflict', { clientId: core.options.clientId ?? '', endpoint, retryAt });
  }

  /** No candidate is left, unless some only need to rest for a moment. */
  #exhausted(pass: Pass): void {
    const waitMs = this.#parts.connector.untilRested(pass);
    if (pass.conclusion === 'go-on' && waitMs !== undefined) {
      const reason = 'the endpoints that are left were tried within the last second';
      this.wait({ state: 'backoff', waitMs, reason }, pass);
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
      this.enter({ name: 'failed' }, error.message);
      return;
    }
    if (watcher.current) watcher.rescan();
    // No wait helps: only another list does, or the user.
    if (this.#parts.candidates.misfits())
      this.enter({ name: 'failed', endsAt: Number.POSITIVE_INFINITY }, error.message);
    else this.wait(waitAfter(pass, error, this.#parts.pacing));
  }
}

/** Why dials end when there is a link, or nobody wants one any more. One for all: a DOMException each has a stack. */
const LEFT = new Error('the client is no longer connecting');
