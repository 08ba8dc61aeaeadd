/** A list whose code is loaded when it is first asked for: that of every source but a static list. */
import { chunk } from '../chunk.js';
import type { Endpoint } from '../endpoint.js';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { DialPermit, DiscoveryStatus, EndpointList } from './endpoint-list.js';
import type { EndpointSet } from './resolver.js';
import type { TopologyTopic } from './topology-topic.js';

/** What is loaded. */
export interface Discovery {
  readonly list: EndpointList;
  readonly permit: DialPermit;
  readonly topic: TopologyTopic | undefined;
}

/** Stands for the list, and for what comes with it, before it is there and after. */
export class LateList implements EndpointList, DialPermit {
  readonly #load: () => Promise<Discovery>;
  readonly #events: EventSink;
  readonly #listeners: (() => void)[] = [];
  #loaded: Discovery | undefined;
  #error: string | null = null;
  #stops = 0;

  /** @param load - Called until it has succeeded once. */
  constructor(load: () => Promise<Discovery>, events: EventSink) {
    this.#load = chunk(load);
    this.#events = events;
  }

  get current(): EndpointSet | undefined {
    return this.#loaded?.list.current;
  }

  get receivedAt(): number {
    return this.#loaded?.list.receivedAt ?? Number.NEGATIVE_INFINITY;
  }

  onChange(listener: () => void): void {
    if (this.#loaded) this.#loaded.list.onChange(listener);
    else this.#listeners.push(listener);
  }

  async refresh(): Promise<EndpointSet> {
    const stops = this.#stops;
    const { list } = this.#loaded ?? (await this.#loadNow());
    if (stops !== this.#stops) throw new FailoverError('ERR_ENDED', 'Discovery was abandoned');
    return list.refresh();
  }

  async #loadNow(): Promise<Discovery> {
    try {
      const loaded = await this.#load();
      if (!this.#loaded) {
        this.#loaded = loaded;
        for (const listener of this.#listeners.splice(0)) loaded.list.onChange(listener);
      }
      return this.#loaded;
    } catch (cause) {
      const text = 'Discovery failed: its code could not be loaded; is the chunk beside the bundle?';
      const error = new FailoverError('ERR_DISCOVERY', text, { cause, retryable: true });
      this.#error = error.message;
      this.#events.emit('discovery-error', { source: null, error });
      throw error;
    }
  }

  rescan(): void {
    this.#loaded?.list.rescan();
  }

  reached(): void {
    this.#loaded?.list.reached();
  }

  stop(): void {
    this.#stops += 1;
    this.#loaded?.list.stop();
  }

  status(): DiscoveryStatus {
    if (this.#loaded) return this.#loaded.list.status();
    return { source: null, revision: null, updatedAt: null, error: this.#error };
  }

  refusal(endpoint: Endpoint): string | undefined {
    return this.#loaded ? this.#loaded.permit.refusal(endpoint) : 'it is not known yet who named it';
  }

  admitted<A extends { readonly address: string }>(
    endpoint: Endpoint,
    addresses: readonly A[],
  ): readonly A[] {
    return this.#loaded?.permit.admitted(endpoint, addresses) ?? [];
  }

  /** A link is there, and so is what led to it. */
  linkUp(): void {
    this.#loaded?.topic?.linkUp();
  }

  linkDown(): void {
    this.#loaded?.topic?.linkDown();
  }

  /** See {@link TopologyTopic.received}. */
  received(topic: string, payload: Uint8Array): boolean {
    return this.#loaded?.topic?.received(topic, payload) ?? false;
  }
}
