/** The engine of a client with `tabs: 'shared'`: hands everything to the tab's relay. Loaded only where it is used. */
import type { ClientEngine } from '../client/engine.js';
import { Ending } from '../ending.js';
import { atMost } from '../platform/at-most.js';
import { SessionStream } from '../session/session-stream.js';
import { type ClientStatus, type Explanation, statusWithoutList } from '../status.js';
import type { Warning } from '../warnings.js';
import type { Relay } from './relay.js';
import { SharedTab, type SharedTabDeps } from './shared-tab.js';

/** What a shared client is made of. */
export interface SharedEngineDeps extends SharedTabDeps {
  /** What the application should know of the id. */
  readonly warnings: readonly Warning[];
}

type Arguments<M extends keyof ClientEngine> = Parameters<ClientEngine[M]>;

/** Milliseconds that a polite `end()` waits for acknowledgements, as that of any client. */
const END_GRACE_MS = 5_000;

/** Takes part in the tabs' connection from `connect` to `end`. */
export class SharedEngine implements ClientEngine {
  readonly #deps: SharedEngineDeps;
  /** Made with the first request; it asks nobody before `connect`. */
  #tab: SharedTab | undefined;
  #isStarted = false;
  /** What it is while it takes no part. */
  #atRest: 'idle' | 'closed' = 'idle';
  #warned = false;
  readonly #ending = new Ending();

  constructor(deps: SharedEngineDeps) {
    this.#deps = deps;
  }

  takeStream(): SessionStream {
    return this.idleStream();
  }

  idleStream(): SessionStream {
    return SessionStream.idle(this.#deps.clock);
  }

  get #relay(): Relay {
    this.#tab ??= new SharedTab(this.#deps);
    return this.#tab.relay;
  }

  connect(_reason: string): void {
    if (this.#ending.isUnderWay) this.#ending.resumeWith(() => this.#start());
    else this.#start();
  }

  reconnect(reason: string): void {
    if (this.#ending.isUnderWay || !this.#isStarted) this.connect(reason);
    else this.#relay.call('reconnect').catch(() => {});
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#deps.core.revive();
    this.#warnOnce();
    // A listener may have ended the client.
    if (!this.#isStarted) return;
    this.#tab ??= new SharedTab(this.#deps);
    this.#tab.start();
  }

  #warnOnce(): void {
    const { events, warnings } = this.#deps;
    if (this.#warned) return;
    this.#warned = true;
    for (const warning of warnings) events.emit('warning', warning);
  }

  publish(...[topic, payload, options, callback]: Arguments<'publish'>): void {
    this.#relay.publish(topic, payload, options, callback);
  }

  subscribe(...args: Arguments<'subscribe'>): void {
    this.#relay.subscribe(...args);
  }

  unsubscribe(...args: Arguments<'unsubscribe'>): void {
    this.#relay.unsubscribe(...args);
  }

  moveTo(id: string): Promise<void> {
    return this.#relay.call('moveTo', id);
  }

  rebalance(): Promise<void> {
    return this.#relay.call('rebalance');
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
    const half = Math.floor(this.#deps.bounds.maxMessages / 2);
    await Promise.race([this.#tab?.relay.settled(half), aborted]);
    asked.abort();
  }

  end(...[force, options, callback, graceMs = END_GRACE_MS]: Arguments<'end'>): void {
    if (!this.#ending.begins(callback)) return;
    void this.#leave(force ? 0 : graceMs).then(() => {
      // There is no connection of its own to close: MQTT.js has only its bookkeeping to do.
      this.#deps.core.end(true, options, (error) => this.#ending.over(error));
    });
  }

  async #leave(graceMs: number): Promise<void> {
    this.#isStarted = false;
    this.#atRest = 'closed';
    if (graceMs > 0 && this.#tab?.relay.status?.state === 'connected') await this.drained(graceMs);
    const tab = this.#tab;
    this.#tab = undefined;
    await tab?.leave();
  }

  stayEnded(): void {
    this.#ending.stay();
  }

  /** MQTT.js has no connection here to tell of; the leader's client keeps what is discovery's. */
  hears(): boolean {
    return false;
  }

  status(): ClientStatus {
    const relay = this.#tab?.relay;
    if (relay?.status) return relay.status;
    const state = this.#isStarted ? 'connecting' : this.#atRest;
    return statusWithoutList(state, this.#deps.clientId, relay?.outbox);
  }

  /** As the leader sees the endpoints; for the shared id only. */
  explain(): Explanation[] {
    return this.status().endpoints.map(({ id, url, rank, state, reason }) => {
      const eligible = state === 'healthy' || state === 'suspect' || state === 'probing';
      return { id, url, rank, eligible, reason: reason ?? state };
    });
  }
}
