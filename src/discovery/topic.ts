/** Topology over MQTT: the registry's document on a retained topic, laid over the configured source (D11). */
import { FailoverError, messageOf } from '../errors.js';
import type { EndpointSet, Resolver } from './resolver.js';

/** Reads the payload of the topic; rejects for what is no valid document. */
export type ReadTopology = (payload: Uint8Array) => Promise<EndpointSet>;

/**
 * A source whose answers are replaced by a newer document of the topic.
 *
 * Brokers are reached by the configured source first; what a connected broker then says of the cluster is fresher
 * than a seed list, and no fresher than a registry that made its own document later. A document counts as long as
 * its TTL, if it has one.
 */
export class TopicOverlay implements Resolver {
  readonly #base: Resolver;
  readonly #read: ReadTopology;
  readonly #now: () => number;
  #topic: { readonly set: EndpointSet; readonly at: number } | undefined;
  /** Messages so far. */
  #messages = 0;
  #onChange: (set: EndpointSet) => void = () => {};
  #onFailure: (error: unknown) => void = () => {};

  /** @param now - Monotonic milliseconds. */
  constructor(base: Resolver, read: ReadTopology, now: () => number) {
    this.#base = base;
    this.#read = read;
    this.#now = now;
  }

  get refreshJitter(): number | undefined {
    return this.#base.refreshJitter;
  }

  /** A message on the topic; an empty one takes the document back, as it does with retained messages. */
  async received(payload: Uint8Array): Promise<void> {
    this.#messages += 1;
    const message = this.#messages;
    if (payload.length === 0) {
      this.#topic = undefined;
      return;
    }
    try {
      const set = await this.#read(payload);
      // A later message was read sooner.
      if (message !== this.#messages) return;
      if (set.endpoints.length === 0) throw new Error('the document has no usable endpoints');
      if (this.#topic && isOlder(set, this.#topic.set)) return;
      this.#topic = { set, at: this.#now() };
      this.#onChange(set);
    } catch (cause) {
      const reason = messageOf(cause);
      this.#onFailure(
        new FailoverError('ERR_DISCOVERY', `The topology topic was ignored: ${reason}`, { cause }),
      );
    }
  }

  /** The broker does not let us read the topic. */
  refused(cause: Error): void {
    this.#onFailure(
      new FailoverError('ERR_DISCOVERY', `The topology topic cannot be read: ${cause.message}`, { cause }),
    );
  }

  async resolve(signal: AbortSignal): Promise<EndpointSet> {
    try {
      const set = await this.#base.resolve(signal);
      const topic = this.#current();
      return topic && !isOlder(topic, set) ? topic : set;
    } catch (error) {
      signal.throwIfAborted();
      const topic = this.#current();
      if (topic) return topic;
      throw error;
    }
  }

  watch(
    onChange: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): void {
    this.#onChange = onChange;
    this.#onFailure = onFailure;
    signal.addEventListener('abort', () => {
      this.#onChange = this.#onFailure = () => {};
    });
    const changed = (set: EndpointSet) => {
      const topic = this.#current();
      if (!topic || isOlder(topic, set)) onChange(set);
    };
    this.#base.watch?.(changed, onFailure, signal);
  }

  rebootstrap(): void {
    this.#topic = undefined;
    this.#base.rebootstrap?.();
  }

  #current(): EndpointSet | undefined {
    if (!this.#topic) return undefined;
    const { set, at } = this.#topic;
    return set.ttlMs === undefined || this.#now() - at < set.ttlMs ? set : undefined;
  }
}

/** Whether `a` was made before `b`, where both say when. */
function isOlder(a: EndpointSet, b: EndpointSet): boolean {
  return a.generatedAt !== undefined && b.generatedAt !== undefined && a.generatedAt < b.generatedAt;
}
