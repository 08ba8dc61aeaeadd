/** What is asked of a client's connection: to start, to hurry, to pause, to start over, to move, to stop. */
import type { Endpoint } from '../endpoint.js';
import { describe, FailoverError } from '../errors.js';
import type { ClientState } from '../events.js';
import type { Candidates } from '../selection/candidates.js';
import type { LinkWatcher } from './links.js';
import type { MoveControl, MoveOptions } from './move.js';
import { type LoadMove, makeParts, type Parts, type SupervisorDeps } from './parts.js';
import { StateMachine } from './state-machine.js';
import type { State, WaitingState } from './wait.js';

/** Decides what a request means in the present state, and within the retry budget. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #parts: Parts;
  readonly #machine: StateMachine;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#parts = makeParts(deps);
    this.#machine = new StateMachine(deps, this.#parts);
  }

  get state(): ClientState {
    return this.#machine.state.name;
  }

  /** The endpoint we are connected to. */
  get current(): Endpoint | undefined {
    return this.#machine.link?.endpoint;
  }

  /** Counts since the client was made. */
  get counters(): Readonly<Record<'attempts' | 'connects' | 'failovers' | 'failedPasses', number>> {
    return { ...this.#machine.counters, attempts: this.#parts.connector.attempts };
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

  /** Tells `watcher` of links from now on, after those who use them. */
  observe(watcher: LinkWatcher): void {
    this.#parts.audience.add(watcher);
  }

  /** Begins to connect; does nothing while it is already under way or connected. */
  start(reason: string): void {
    if (!STOPPED.has(this.state)) return;
    this.#anew();
    this.#machine.discover(reason);
  }

  /** Gives up whatever is under way. The session, if any, is left to the caller. */
  stop(reason: string): void {
    this.#machine.stop(reason);
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
    const { name, resume } = this.#machine.state;
    if (WAITING.has(name)) {
      if (!this.#parts.budget.take()) {
        // Not the minute of a client without a network, now that it is back.
        if (name === 'paused' && !this.#machine.isOffline)
          this.#machine.wait({ state: 'backoff', waitMs: this.#parts.pacing.afterFailedPass(), reason });
        return;
      }
      this.#parts.conflict.reset();
      if (resume) resume();
      else this.#machine.beginPass(reason);
    } else if (STOPPED.has(name)) {
      this.#parts.conflict.reset();
      if (this.#parts.budget.take()) this.start(reason);
      else this.#startLater(reason);
    }
  }

  /** The network is gone: a wait goes on as one for it, with one attempt a minute, as nobody can be sure (R158). */
  pause(reason: string): void {
    if (this.#machine.state.name === 'backoff' && !this.#machine.state.resume && this.#machine.isOffline)
      this.#machine.wait({ state: 'backoff', waitMs: 1, reason });
  }

  #startLater(reason: string): void {
    const { clock } = this.#deps;
    this.#anew();
    const resume = () => this.#machine.discover(reason);
    const timer = clock.setTimeout(resume, this.#parts.budget.reserve());
    const leave = () => clock.clearTimeout(timer);
    this.#machine.enter(
      { name: 'backoff', leave, resume },
      `${reason} too often: waiting for the retry budget`,
    );
  }

  /**
   * Leaves the present connection politely, if there is one, and starts over; at the next free call of the retry budget
   * when that is spent. Endpoints that could not serve the client get another chance.
   */
  restart(reason: string): void {
    this.#deps.health.refit();
    if (!this.#machine.link) {
      this.retryNow(reason);
      return;
    }
    const waitMs = this.#parts.budget.take() ? 0 : this.#parts.budget.reserve();
    const state: State = { name: 'connecting' };
    this.#machine.dropLink();
    this.#machine.enter(state, reason);
    void this.#deps.session.close().then(() => {
      if (this.#machine.state === state) this.#machine.wait({ state: 'backoff', waitMs, reason });
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
    if (!from || this.#machine.state.name !== 'connected') {
      throw new FailoverError('ERR_LINK', `Cannot move to ${to}: the client is ${this.#machine.state.name}`, {
        retryable: true,
      });
    }
    const target = this.#parts.candidates.dialable().find(({ id }) => id === to);
    if (!target)
      throw new FailoverError('ERR_NO_ENDPOINT', `Cannot move to ${describe(to)}: no such endpoint`);
    const abort = new AbortController();
    const state: State = { name: 'moving', leave: () => abort.abort() };
    const wasEnded = this.#machine.stopWatch();
    this.#machine.enter(state, reason);
    const isMoving = () => this.#machine.state === state;
    const control: MoveControl = {
      ...this.#machine.passes,
      signal: abort.signal,
      isMoving,
      wasEnded,
      leaveLink: () => this.#machine.departFrom(from),
      startOver: (why) => this.#machine.beginPass(why),
      accepted: (link) => {
        this.#machine.passes.accepted(link);
        return this.#machine.link === link;
      },
    };
    try {
      const move = await this.#loadMove(to);
      await move(from, target, reason, options, control, { ...this.#deps, ...this.#parts });
    } catch (error) {
      // The link still stands: nothing has happened.
      if (isMoving() && this.#machine.link) {
        this.#machine.enter({ name: 'connected' }, `the move to ${to} failed`);
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
}

const WAITING: ReadonlySet<ClientState> = new Set<WaitingState>([
  'backoff',
  'paused',
  'conflict',
  'auth-wait',
]);
const STOPPED: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);
