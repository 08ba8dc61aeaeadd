/** Endpoint sets from a registry over HTTP: one URL, or several that serve the same list (R61). */
import type { Clock, Random } from '../../platform/ports.js';
import type { EndpointSet, Resolver } from '../resolver.js';
import { failure } from './failure.js';
import { pollFloorMs } from './freshness.js';
import type { RegistryHttp } from './http.js';
import type { RegistrySource } from './registry-source.js';

export interface RegistryResolverDeps {
  readonly sources: readonly RegistrySource[];
  readonly http: RegistryHttp;
  readonly clock: Clock;
  readonly random: Random;
  /** As the user gave it. */
  readonly pollMs: number | undefined;
  /** As the user gave it: true asks a document registry for an event stream, false forbids every kind of push. */
  readonly push: boolean | undefined;
}

/** What the watcher gave to {@link RegistryResolver.watch}. */
interface Subscription {
  readonly onChange: (set: EndpointSet) => void;
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
  started: boolean;
}

/**
 * Asks one source after another, from a random one on, and stays with the one that answers. Each rests by itself after
 * failures, whoever asks: however often the client looks for a broker, the registry is not the one to pay.
 */
export class RegistryResolver implements Resolver {
  readonly #deps: RegistryResolverDeps;
  /** Index of the source to ask first. */
  #first: number | undefined;
  #last: { readonly set: EndpointSet; readonly at: number } | undefined;
  #subscription: Subscription | undefined;

  constructor(deps: RegistryResolverDeps) {
    this.#deps = deps;
  }

  async resolve(signal: AbortSignal): Promise<EndpointSet> {
    const { clock, pollMs } = this.#deps;
    if (this.#last && clock.now() - this.#last.at < pollFloorMs(pollMs)) return this.#last.set;
    return this.#ask(signal);
  }

  watch(
    onChange: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): void {
    this.#subscription = { onChange, onFailure, signal, started: false };
    this.#startPush();
  }

  async #ask(signal: AbortSignal): Promise<EndpointSet> {
    const { sources, clock, random } = this.#deps;
    const first = this.#first ?? Math.floor(random.next() * sources.length);
    for (let tried = 0; tried < sources.length; tried += 1) {
      const index: number = (first + tried) % sources.length;
      const source = sources[index] as RegistrySource;
      if (source.restMs > 0) continue;
      try {
        const set = await source.ask(signal, this.#last !== undefined);
        this.#first = index;
        this.#last = { set, at: clock.now() };
        this.#startPush();
        return set;
      } catch {
        signal.throwIfAborted();
      }
    }
    const text = sources.map(({ error }) => error).join('; ');
    throw failure(text, { retryAfterMs: Math.min(...sources.map(({ restMs }) => restMs)) });
  }

  /** Once there is a subscriber, and an answer that shows how the source pushes. */
  #startPush(): void {
    const { sources, http, clock, random, push } = this.#deps;
    const subscription = this.#subscription;
    const source = sources[this.#first ?? 0] as RegistrySource;
    if (!subscription || subscription.started || subscription.signal.aborted) return;
    if (push === false || !this.#last) return;
    const { kind } = source;
    if (kind !== 'consul' && kind !== 'etcd' && !push) return;
    subscription.started = true;
    // Loaded when it is used: a static file needs none of it.
    import('./push.js')
      .then(({ keepPushed }) =>
        keepPushed({
          source: () => sources[this.#first ?? 0] as RegistrySource,
          http,
          clock,
          random,
          ...subscription,
        }),
      )
      .catch(subscription.onFailure);
  }
}
