/** The engine of a client with `tabs: 'shared'`: small, as the rest of it is loaded when it is used. */
import type { ClientSubscribeCallback, PacketCallback } from 'mqtt';
import type { ClientEngine } from '../client/engine.js';
import { FailoverError } from '../errors.js';
import { atMost } from '../platform/at-most.js';
import { SessionStream } from '../session/session-stream.js';
import type { ClientStatus, Explanation } from '../status.js';
import type { Warning } from '../warnings.js';
import type { Relay } from './relay.js';
import type { SharedTab, SharedTabDeps } from './shared-tab.js';

/** What a shared client is made of. */
export interface SharedEngineDeps extends SharedTabDeps {
  /** What the application should know of the id. */
  readonly warnings: readonly Warning[];
}

type Arguments<M extends keyof ClientEngine> = Parameters<ClientEngine[M]>;

/** A call from before the relay was there, and whom to tell if it cannot be loaded. */
interface Early {
  readonly call: (relay: Relay) => void;
  readonly fail: (error: Error) => void;
}

/** Milliseconds that a polite `end()` waits for acknowledgements, as that of any client. */
const END_GRACE_MS = 5_000;

/** Hands everything to the tab's relay, or keeps it until that is there. */
export class SharedEngine implements ClientEngine {
  readonly #deps: SharedEngineDeps;
  #tab: SharedTab | undefined;
  #loading = false;
  #warned = false;
  readonly #early: Early[] = [];
  /** Those who wait until `#early` is handed over. */
  readonly #onHandedOver: (() => void)[] = [];
  #ending: { readonly callbacks: ((error?: Error) => void)[]; resume: boolean } | undefined;

  constructor(deps: SharedEngineDeps) {
    this.#deps = deps;
  }

  takeStream(): SessionStream {
    return this.idleStream();
  }

  idleStream(): SessionStream {
    return new SessionStream(undefined, '', this.#deps.clock, { received: () => {}, closed: () => {} });
  }

  connect(_reason: string): void {
    if (this.#ending) this.#ending.resume = true;
    else void this.#load();
  }

  reconnect(reason: string): void {
    if (this.#ending || !this.#tab) this.connect(reason);
    else this.#call('reconnect').catch(() => {});
  }

  async #load(): Promise<void> {
    if (this.#tab || this.#loading) return;
    this.#loading = true;
    this.#deps.core.revive();
    this.#warnOnce();
    try {
      const { SharedTab } = await import('./shared-tab.js');
      if (!this.#loading) return;
      this.#tab = new SharedTab(this.#deps);
      this.#tab.start();
      for (const { call } of this.#takeEarly()) call(this.#tab.relay);
    } catch (cause) {
      const text = 'The code of option `tabs` could not be loaded: is the chunk beside the bundle?';
      const error = new FailoverError('ERR_LINK', text, { cause, retryable: true });
      for (const { fail } of this.#takeEarly()) fail(error);
      this.#deps.core.emitError(error);
    } finally {
      this.#loading = false;
    }
  }

  #warnOnce(): void {
    const { events, warnings } = this.#deps;
    if (this.#warned) return;
    this.#warned = true;
    for (const warning of warnings) events.emit('warning', warning);
  }

  #with(call: (relay: Relay) => void, fail: (error: Error) => void): void {
    if (this.#tab) call(this.#tab.relay);
    else this.#early.push({ call, fail });
  }

  publish(...[topic, payload, options, callback]: Arguments<'publish'>): void {
    const { maxMessages } = this.#deps.bounds;
    if (this.#early.length >= maxMessages) {
      const error = new FailoverError('ERR_OVERFLOW', `${maxMessages} requests wait already`, {
        retryable: true,
      });
      queueMicrotask(() => callback?.(error));
      return;
    }
    this.#with(
      (relay) => relay.publish(topic, payload, options, callback),
      (error) => callback?.(error),
    );
  }

  subscribe(...[topics, options, callback]: Arguments<'subscribe'>): void {
    const fail: (error: Error) => void = (callback as ClientSubscribeCallback) ?? (() => {});
    this.#with((relay) => relay.subscribe(topics, options, callback), fail);
  }

  unsubscribe(...[topics, options, callback]: Arguments<'unsubscribe'>): void {
    this.#with((relay) => relay.unsubscribe(topics, options, callback), callback as PacketCallback);
  }

  moveTo(id: string): Promise<void> {
    return this.#call('moveTo', id);
  }

  rebalance(): Promise<void> {
    return this.#call('rebalance');
  }

  #call(...args: Parameters<Relay['call']>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#with((relay) => void relay.call(...args).then(resolve, reject), reject);
    });
  }

  async drained(graceMs: number): Promise<void> {
    const settled = this.#tab?.relay.settled();
    if (settled) await atMost(this.#deps.clock, graceMs, () => settled);
  }

  /** As {@link drained}: what is published meanwhile counts, too. */
  flushed(timeoutMs: number): Promise<void> {
    return this.drained(timeoutMs);
  }

  async room(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    const asked = new AbortController();
    const aborted = new Promise<void>((resolve) =>
      signal?.addEventListener('abort', () => resolve(), { signal: asked.signal }),
    );
    await Promise.race([this.#halfEmpty(), aborted]);
    asked.abort();
  }

  async #halfEmpty(): Promise<void> {
    const half = Math.floor(this.#deps.bounds.maxMessages / 2);
    if (this.#early.length > half) await new Promise<void>((resolve) => this.#onHandedOver.push(resolve));
    await this.#tab?.relay.settled(half);
  }

  /** What was asked before the code was there, once. */
  #takeEarly(): Early[] {
    for (const resolve of this.#onHandedOver.splice(0)) resolve();
    return this.#early.splice(0);
  }

  end(...[force, options, callback, graceMs = END_GRACE_MS]: Arguments<'end'>): void {
    if (this.#ending) {
      this.#ending.callbacks.push(callback);
      return;
    }
    const ending = { callbacks: [callback], resume: false };
    this.#ending = ending;
    void this.#leave(force ? 0 : graceMs).then(() => {
      // There is no connection of its own to close: MQTT.js has only its bookkeeping to do.
      this.#deps.core.end(true, options, (error) => {
        this.#ending = undefined;
        for (const each of ending.callbacks) each(error);
        if (ending.resume) this.connect('connect() was called');
      });
    });
  }

  async #leave(graceMs: number): Promise<void> {
    this.#loading = false;
    const error = new FailoverError('ERR_ENDED', 'The client was ended');
    for (const { fail } of this.#takeEarly()) fail(error);
    if (graceMs > 0 && this.#tab?.relay.status?.state === 'connected') await this.drained(graceMs);
    const tab = this.#tab;
    this.#tab = undefined;
    await tab?.leave();
  }

  stayEnded(): void {
    if (this.#ending) this.#ending.resume = false;
  }

  /** MQTT.js has no connection here to tell of; the leader's client keeps what is discovery's. */
  hears(): boolean {
    return false;
  }

  status(): ClientStatus {
    return (
      this.#tab?.relay.status ?? {
        state: this.#tab || this.#loading ? 'connecting' : this.#ending ? 'closed' : 'idle',
        clientId: this.#deps.clientId,
        current: null,
        home: null,
        endpoints: [],
        outbox: { messages: this.#early.length, bytes: 0, oldestAgeMs: 0 },
        discovery: { source: 'static', revision: null, updatedAt: null, error: null },
        counters: {},
      }
    );
  }

  /** As the leader sees the endpoints; for the shared id only. */
  explain(): Explanation[] {
    return this.status().endpoints.map(({ id, url, rank, state, reason }) => {
      const eligible = state === 'healthy' || state === 'suspect' || state === 'probing';
      return { id, url, rank, eligible, reason: reason ?? state };
    });
  }
}
