/** Several sources as one: the best that answers, or all of them together (D12, R69). */
import type { Endpoint } from '../endpoint.js';
import { FailoverError, messageOf } from '../errors.js';
import type { EndpointSet, Resolver } from './resolver.js';

/**
 * The first source, in the order given, that answers.
 *
 * A source that has answered once is not replaced by a later one because it fails: its last list is better than a
 * seed list that was written when the product shipped. So a failure is thrown, and the watcher keeps what it has,
 * until {@link FallbackResolver.rebootstrap} says that the learned endpoints are no use.
 */
export class FallbackResolver implements Resolver {
  readonly refreshJitter: number | undefined;
  readonly #sources: readonly Resolver[];
  /** Index of the source that the present list is from. */
  #serving: number | undefined;

  constructor(sources: readonly Resolver[]) {
    this.#sources = sources;
    this.refreshJitter = widestJitter(sources);
  }

  async resolve(signal: AbortSignal): Promise<EndpointSet> {
    const last = this.#serving ?? this.#sources.length - 1;
    const errors: unknown[] = [];
    for (const [index, source] of this.#sources.slice(0, last + 1).entries()) {
      try {
        const set = nonEmpty(await source.resolve(signal));
        this.#serving = index;
        return without(errors, set);
      } catch (error) {
        signal.throwIfAborted();
        errors.push(error);
      }
    }
    throw allFailed(errors);
  }

  /** Listens to every source; what a worse one than the serving source says is not passed on. */
  watch(
    onChange: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): void {
    this.#sources.forEach((source, index) => {
      const changed = (set: EndpointSet) => {
        if (set.endpoints.length === 0 || index > (this.#serving ?? Number.POSITIVE_INFINITY)) return;
        this.#serving = index;
        onChange(set);
      };
      source.watch?.(changed, onFailure, signal);
    });
  }

  /** Every endpoint that was learned has failed for long: any source will do again (D7). */
  rebootstrap(): void {
    this.#serving = undefined;
    for (const source of this.#sources) source.rebootstrap?.();
  }
}

/**
 * All sources merged. Of endpoints with one id the earlier source's counts; a source that fails contributes its last
 * answer, and only when none answers is it a failure.
 */
export class UnionResolver implements Resolver {
  readonly refreshJitter: number | undefined;
  readonly #sources: readonly Resolver[];
  readonly #latest: (EndpointSet | undefined)[];

  constructor(sources: readonly Resolver[]) {
    this.#sources = sources;
    this.refreshJitter = widestJitter(sources);
    this.#latest = sources.map(() => undefined);
  }

  async resolve(signal: AbortSignal): Promise<EndpointSet> {
    const answers = await Promise.allSettled(
      this.#sources.map(async (source) => nonEmpty(await source.resolve(signal))),
    );
    signal.throwIfAborted();
    const errors: unknown[] = [];
    answers.forEach((answer, index) => {
      if (answer.status === 'fulfilled') this.#latest[index] = answer.value;
      else errors.push(answer.reason);
    });
    if (errors.length === this.#sources.length) throw allFailed(errors);
    return without(errors, this.#merged());
  }

  watch(
    onChange: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): void {
    this.#sources.forEach((source, index) => {
      const changed = (set: EndpointSet) => {
        if (set.endpoints.length === 0) return;
        this.#latest[index] = set;
        onChange(this.#merged());
      };
      source.watch?.(changed, onFailure, signal);
    });
  }

  rebootstrap(): void {
    this.#latest.fill(undefined);
    for (const source of this.#sources) source.rebootstrap?.();
  }

  #merged(): EndpointSet {
    const sets = this.#latest.filter((set) => set !== undefined);
    const endpoints = new Map<string, Endpoint>();
    const loads = new Map<string, number>();
    for (const set of sets) {
      for (const endpoint of set.endpoints) {
        if (!endpoints.has(endpoint.id)) endpoints.set(endpoint.id, endpoint);
      }
      for (const [id, load] of set.loads ?? []) if (!loads.has(id)) loads.set(id, load);
    }
    const ttls = present(sets.map(({ ttlMs }) => ttlMs));
    const spreads = present(sets.map(({ spreadMs }) => spreadMs));
    const skipped = sets.flatMap((set) => set.skipped ?? []);
    const revisions = present(sets.map(({ revision }) => revision));
    return {
      endpoints: [...endpoints.values()],
      source: sets.map(({ source }) => source).join('+'),
      ...(revisions.length > 0 ? { revision: revisions.join('+') } : {}),
      ...(ttls.length > 0 ? { ttlMs: Math.min(...ttls) } : {}),
      ...(spreads.length > 0 ? { spreadMs: Math.max(...spreads) } : {}),
      ...(loads.size > 0 ? { loads } : {}),
      // The strictest source's word is that of the whole: its nodes are among the others'.
      ...(sets.some(({ confirmShrink }) => confirmShrink) ? { confirmShrink: true } : {}),
      ...(sets.some(({ storable }) => storable === false) ? { storable: false } : {}),
      ...(skipped.length > 0 ? { skipped } : {}),
    };
  }
}

/** A fleet must not ask one of the sources in step because another of them would not mind. */
function widestJitter(sources: readonly Resolver[]): number | undefined {
  const jitters = present(sources.map(({ refreshJitter }) => refreshJitter));
  return jitters.length > 0 ? Math.max(...jitters) : undefined;
}

function present<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}

/** No brokers at all is a failure of the source, not a decision of the operator (R18, R46). */
function nonEmpty(set: EndpointSet): EndpointSet {
  if (set.endpoints.length > 0) return set;
  throw new FailoverError('ERR_DISCOVERY', `The list from ${set.source} has no endpoints`, {
    retryable: true,
  });
}

/** `set`, which says of the sources that failed that they are not in it. */
function without(errors: readonly unknown[], set: EndpointSet): EndpointSet {
  if (errors.length === 0) return set;
  return { ...set, skipped: [...(set.skipped ?? []), ...errors.map(messageOf)] };
}

/** One error that names each source's failure (R68). */
function allFailed(errors: readonly unknown[]): FailoverError {
  const texts = errors.map(messageOf);
  return new FailoverError('ERR_DISCOVERY', texts.join('; '), {
    cause: errors.length === 1 ? errors[0] : new AggregateError(errors, `${errors.length} sources failed`),
    retryable: true,
  });
}
