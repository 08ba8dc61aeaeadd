/** The engine of a client in a page before its code is there: a page loads that with its first client. */
import { callOut } from '../call-out.js';
import { RetryBudget } from '../connection/retry-budget.js';
import { Drops } from '../delivery/drops.js';
import { Intake } from '../delivery/intake.js';
import { copyPayload, settle } from '../delivery/message.js';
import { Ending } from '../ending.js';
import { FailoverError, messageOf } from '../errors.js';
import type { ClientState, EventSink } from '../events.js';
import { backoffDelay } from '../health/backoff.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options/resolved.js';
import { atMost } from '../platform/at-most.js';
import { LONGEST_TIMER_MS } from '../platform/longest-timer.js';
import type { Clock, Platform } from '../platform/ports.js';
import { SessionStream } from '../session/session-stream.js';
import { type ClientStatus, type Explanation, statusWithoutList } from '../status.js';
import { type EarlyCall, EarlyCalls } from './early-calls.js';
import type { ClientEngine } from './engine.js';

export interface LateEngineDeps {
  /** Loads the code, and gives what makes the engine of it. Called again after a failure. */
  readonly load: () => Promise<() => ClientEngine>;
  readonly core: MqttCore;
  readonly events: EventSink;
  /** Its page tells when it is worth asking again. */
  readonly platform: Pick<Platform, 'clock' | 'random' | 'page'>;
  /** As much may wait for the engine as in its outbox, and attempts to load wait as those to connect do. */
  readonly options: Pick<ResolvedOptions, 'backoff' | 'outbox' | 'reconnect'>;
}

/** Milliseconds after which a request for the code counts as failed; one that is answered later serves the next attempt. */
const LOAD_TIMEOUT_MS = 30_000;

type Arguments<M extends keyof ClientEngine> = Parameters<ClientEngine[M]>;

/** Keeps what it is asked for until the code is there, and hands it over in that order; asks for the code until it has it. */
export class LateEngine implements ClientEngine {
  readonly #deps: LateEngineDeps;
  readonly #early = new EarlyCalls();
  readonly #clock: Clock;
  readonly #drops: Drops;
  readonly #intake: Intake;
  #engine: ClientEngine | undefined;
  /** Everything was handed over: no call waits behind another any more. */
  #isThere = false;
  /** Ends the attempt to load, or the wait for the next one. */
  #stopLoading: (() => void) | undefined;
  /** Ends such a wait with the next attempt. */
  #loadNow: (() => void) | undefined;
  readonly #budget: RetryBudget;
  #failures = 0;
  #state: ClientState = 'idle';
  readonly #ending = new Ending();

  constructor(deps: LateEngineDeps) {
    const { events, platform } = deps;
    this.#deps = deps;
    this.#clock = platform.clock;
    this.#budget = new RetryBudget(this.#clock);
    this.#drops = new Drops(events, undefined);
    this.#intake = new Intake({ outbox: { drops: this.#drops }, clock: this.#clock });
    this.#load();
  }

  takeStream(): SessionStream {
    return this.#engine?.takeStream() ?? this.idleStream();
  }

  idleStream(): SessionStream {
    return SessionStream.idle(this.#clock);
  }

  connect(reason: string): void {
    this.#begin((engine) => engine.connect(reason));
  }

  reconnect(reason: string): void {
    this.#begin((engine) => engine.reconnect(reason));
  }

  #begin(run: EarlyCall['run']): void {
    if (this.#ending.isUnderWay) {
      this.#ending.resumeWith(() => this.#begin(run));
      return;
    }
    if (!this.#engine) this.#deps.core.revive();
    this.#call({ run, fail: () => {} });
    if (this.#state === 'closed') this.#enter('idle', 'the client is to connect again');
    this.#hurry();
  }

  /** Cuts a wait for the next attempt to load short, as often as the retry budget allows. */
  #hurry(): void {
    if (this.#loadNow && this.#budget.take()) this.#loadNow();
  }

  publish(...[topic, payload, options, callback]: Arguments<'publish'>): void {
    if (this.#isThere) {
      this.#engine?.publish(topic, payload, options, callback);
      return;
    }
    const message = this.#intake.accept(topic, payload, options, callback);
    if (!message) return;
    const { maxMessages, maxBytes } = this.#deps.options.outbox;
    const { messages, bytes } = this.#early;
    if (messages >= maxMessages || bytes + message.bytes > maxBytes) {
      const held = `${messages} of ${maxMessages} messages and ${bytes} of ${maxBytes} bytes`;
      this.#drops.drop(message, 'overflow', `${held} wait for the code of the client`);
      return;
    }
    copyPayload(message);
    // With the options as they came: the engine reads more of them.
    const { payload: own, publishedAt } = message;
    const run: EarlyCall['run'] = (engine) => engine.publish(topic, own, options, callback, publishedAt);
    this.#call({ run, fail: (error) => settle(message, error), message });
  }

  subscribe(...[topics, options, callback]: Arguments<'subscribe'>): void {
    const fail = callback as (error: Error) => void;
    // As payloads, topics are the caller's again when `subscribe` returns.
    const own = Array.isArray(topics) ? [...topics] : { ...topics };
    this.#call({ run: (engine) => engine.subscribe(own, options, callback), fail });
  }

  unsubscribe(...[topics, options, callback]: Arguments<'unsubscribe'>): void {
    const own = [...topics];
    this.#call({ run: (engine) => engine.unsubscribe(own, options, callback), fail: callback });
  }

  moveTo(id: string): Promise<void> {
    return this.#ask((engine) => engine.moveTo(id));
  }

  rebalance(): Promise<void> {
    return this.#ask((engine) => engine.rebalance());
  }

  #ask(what: (engine: ClientEngine) => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#call({ run: (engine) => void what(engine).then(resolve, reject), fail: reject });
    });
  }

  #call(call: EarlyCall): void {
    if (this.#isThere && this.#engine) call.run(this.#engine);
    else {
      this.#early.add(call);
      if (!this.#engine && !this.#stopLoading) this.#load();
    }
  }

  drained(graceMs: number): Promise<void> {
    return this.#wait(graceMs, (engine, ms) => engine.drained(ms));
  }

  flushed(timeoutMs: number): Promise<void> {
    return this.#wait(timeoutMs, (engine, ms) => engine.flushed(ms));
  }

  async #wait(ms: number, wait: (engine: ClientEngine, ms: number) => Promise<void>): Promise<void> {
    const until = this.#clock.now() + ms;
    if (this.#early.messages > 0) await atMost(this.#clock, ms, (signal) => this.#early.emptied(signal));
    if (this.#engine) await wait(this.#engine, Math.max(0, until - this.#clock.now()));
  }

  async room(signal: AbortSignal | undefined): Promise<void> {
    const { maxMessages, maxBytes } = this.#deps.options.outbox;
    const { messages, bytes } = this.#early;
    if (messages > maxMessages / 2 || bytes > maxBytes / 2) await this.#early.emptied(signal);
    await this.#engine?.room(signal);
  }

  end(...[force, options, callback, graceMs]: Arguments<'end'>): void {
    this.#early.fail(new FailoverError('ERR_ENDED', 'The client was ended before its code was there'));
    if (this.#engine) {
      this.#engine.end(force, options, callback, graceMs);
      return;
    }
    if (!this.#ending.begins(callback)) return;
    this.#stopLoading?.();
    this.#enter('closed', 'the client was ended');
    this.#deps.core.end(true, options, (error) => this.#ending.over(error));
  }

  stayEnded(): void {
    this.#engine?.stayEnded();
    this.#ending.stay();
  }

  hears(event: string, args: readonly unknown[]): boolean {
    return this.#engine?.hears(event, args) ?? false;
  }

  status(): ClientStatus {
    if (this.#engine) return this.#engine.status();
    const { clientId = '' } = this.#deps.core.options;
    return statusWithoutList(this.#state, clientId, this.#early.outbox(this.#clock.now()));
  }

  explain(clientId: string | undefined): Explanation[] {
    return this.#engine?.explain(clientId) ?? [];
  }

  #load(): void {
    let isOver = false;
    const late = () => this.#failed(new Error(`nothing came within ${LOAD_TIMEOUT_MS / 1_000} s`));
    const timer = this.#clock.setTimeout(late, LOAD_TIMEOUT_MS);
    this.#stopLoading = () => {
      isOver = true;
      this.#clock.clearTimeout(timer);
      this.#stopLoading = undefined;
    };
    this.#deps.load().then(
      (make) => isOver || callOut(() => this.#arrived(make)),
      (cause: unknown) => isOver || callOut(() => this.#failed(cause)),
    );
  }

  #arrived(make: () => ClientEngine): void {
    this.#stopLoading?.();
    try {
      this.#engine = make();
    } catch (cause) {
      const text = `The client could not be made (${messageOf(cause)}): what option \`overrides\` does must not throw`;
      const error = new FailoverError('ERR_OPTION', text, { cause });
      this.#enter('failed', text);
      this.#early.fail(error);
      this.#deps.core.emitError(error);
      return;
    }
    this.#enter('idle', 'the code of the client is there');
    const { client } = this.#deps.core;
    // `drain()` may have been called since `connect()`, which takes publishes again.
    const { disconnecting } = client;
    this.#early.handOver(this.#engine);
    client.disconnecting ||= disconnecting;
    this.#isThere = true;
  }

  #failed(cause: unknown): void {
    this.#stopLoading?.();
    // Nobody has asked for anything: whoever does first asks for the code, too.
    if (this.#early.isEmpty) return;
    const { platform, options, core } = this.#deps;
    this.#failures += 1;
    const text = `The code of the client could not be loaded (${messageOf(cause)}): is the chunk beside the bundle?`;
    const error = new FailoverError('ERR_LINK', text, { cause, retryable: true });
    const again = () => {
      this.#stopLoading?.();
      this.#load();
    };
    const { backoff, reconnect } = options;
    const waitMs = reconnect ? backoffDelay(backoff, this.#failures, platform.random) : LONGEST_TIMER_MS;
    const timer = this.#clock.setTimeout(again, waitMs);
    const unlisten = platform.page?.signals.listen((signal) => signal !== 'offline' && this.#hurry());
    this.#loadNow = again;
    this.#stopLoading = () => {
      this.#clock.clearTimeout(timer);
      unlisten?.();
      this.#loadNow = undefined;
      this.#stopLoading = undefined;
    };
    this.#enter(reconnect ? 'backoff' : 'failed', text);
    // A listener may have ended the client.
    if (!this.#ending.isUnderWay) core.emitError(error);
  }

  #enter(to: ClientState, reason: string): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    this.#deps.events.emit('state', { from, to, reason });
  }
}
