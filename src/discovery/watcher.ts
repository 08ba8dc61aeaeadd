/** Keeps the current endpoint set: obtains it, refreshes it, and tells what changed. */
import type { Endpoint } from '../endpoint.js';
import { FailoverError, redactUrls } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { EndpointSet, Resolver } from './resolver.js';

/** What `status().discovery` shows. */
export interface DiscoveryStatus {
  readonly source: string | null;
  readonly revision: string | null;
  /** Wall-clock milliseconds of the last successful answer. */
  readonly updatedAt: number | null;
  /** Message of the last failure, if it is newer than the last success. */
  readonly error: string | null;
}

export interface WatcherDeps {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /**
   * Milliseconds between refreshes while started; `undefined` for sources that cannot change. Where answers have a
   * TTL, its lower bound instead, up to {@link MIN_TTL_MS}.
   */
  readonly refreshMs: number | undefined;
}

/** Polls of a fleet must not fall into step: each wait is drawn from ±10 % (grpc#12295). */
const REFRESH_JITTER = 0.1;

/** Bounds in milliseconds of a source's own TTL (R16). */
const MIN_TTL_MS = 60_000;
const MAX_TTL_MS = 86_400_000;

/** Milliseconds after a failure, doubling, unless the usual wait is shorter (R18). */
const RETRY_MS = { first: 10_000, max: 60_000 } as const;

/** Milliseconds between refreshes because nothing could be reached (R21). */
const RESCAN_MS = 10_000;

/** Milliseconds that a source may take (R32). */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Owns the endpoint set of one client.
 *
 * A failed or empty answer never replaces a list that was good (R18): it is reported as `discovery-error` and the
 * last list stays. Endpoints that did not change keep their object identity (R22).
 */
export class Watcher {
  readonly #deps: WatcherDeps;
  #set: EndpointSet | undefined;
  #updatedAt: number | null = null;
  #receivedAt = Number.NEGATIVE_INFINITY;
  readonly #listeners: (() => void)[] = [];
  #error: string | null = null;
  #inFlight: Promise<EndpointSet> | undefined;
  #abort = new AbortController();
  #timer: Timer | undefined;
  /** Failures since the last good answer. */
  #failures = 0;
  #rescannedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: WatcherDeps) {
    this.#deps = deps;
  }

  /** The last good endpoint set, if there is one. */
  get current(): EndpointSet | undefined {
    return this.#set;
  }

  /** When that set was obtained, on the monotonic clock. */
  get receivedAt(): number {
    return this.#receivedAt;
  }

  /** Calls `listener` after every change of the endpoints, for as long as the client lives. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Asks the resolver now; callers at the same time share one question.
   *
   * @returns the new set, or the last good one if the resolver failed.
   * @throws {@link FailoverError} `ERR_DISCOVERY` if it failed and there never was a good one.
   */
  refresh(): Promise<EndpointSet> {
    if (this.#inFlight) return this.#inFlight;
    const { signal } = this.#abort;
    const answer = this.#resolve(signal).finally(() => {
      if (signal.aborted) return;
      this.#inFlight = undefined;
      this.#schedule();
    });
    this.#inFlight = answer;
    return answer;
  }

  /** Asks again ahead of time because no endpoint could be reached; at most once in ten seconds (R21). */
  rescan(): void {
    const now = this.#deps.clock.now();
    if (now - this.#rescannedAt < RESCAN_MS) return;
    this.#rescannedAt = now;
    this.#refreshQuietly();
  }

  /** Stops refreshing and abandons a question that is under way. A later {@link refresh} starts again. */
  stop(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#inFlight = undefined;
  }

  status(): DiscoveryStatus {
    return {
      source: this.#set?.source ?? null,
      revision: this.#set?.revision ?? null,
      updatedAt: this.#updatedAt,
      error: this.#error,
    };
  }

  async #resolve(signal: AbortSignal): Promise<EndpointSet> {
    try {
      const answer = await this.#ask(signal);
      signal.throwIfAborted();
      // No brokers at all is a failure of the source, not a decision of the operator (R18, R46).
      if (answer.endpoints.length === 0) throw new Error('the list has no endpoints');
      return this.#apply(answer);
    } catch (cause) {
      if (signal.aborted) throw new FailoverError('ERR_ENDED', 'Discovery was abandoned', { cause });
      return this.#keep(cause);
    }
  }

  /** A source that never answers must not hold the client up for ever. */
  async #ask(signal: AbortSignal): Promise<EndpointSet> {
    const { resolver, clock } = this.#deps;
    const question = new AbortController();
    let timer: Timer | undefined;
    const noAnswer = new Promise<never>((_, reject) => {
      const giveUp = (reason: Error) => {
        question.abort(reason);
        reject(reason);
      };
      signal.addEventListener('abort', () => giveUp(signal.reason), { once: true });
      timer = clock.setTimeout(
        () => giveUp(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)),
        ANSWER_TIMEOUT_MS,
      );
    });
    try {
      return await Promise.race([resolver.resolve(question.signal), noAnswer]);
    } finally {
      if (timer) clock.clearTimeout(timer);
    }
  }

  #apply(answer: EndpointSet): EndpointSet {
    const before = new Map(this.#set?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
    const added: string[] = [];
    const changed: string[] = [];
    const endpoints = answer.endpoints.map((endpoint) => {
      const known = before.get(endpoint.id);
      before.delete(endpoint.id);
      if (!known) added.push(endpoint.id);
      else if (sameEndpoint(known, endpoint)) return known;
      else changed.push(endpoint.id);
      return endpoint;
    });
    const removed = [...before.keys()];
    this.#set = Object.freeze({ ...answer, endpoints: Object.freeze(endpoints) });
    this.#updatedAt = this.#deps.clock.wallNow();
    this.#receivedAt = this.#deps.clock.now();
    this.#error = null;
    this.#failures = 0;
    if (added.length + changed.length + removed.length > 0) {
      const { source, revision = null } = answer;
      this.#deps.events.emit('topology', { added, removed, changed, source, revision });
      for (const listener of this.#listeners) listener();
    }
    return this.#set;
  }

  #keep(cause: unknown): EndpointSet {
    const reason = redactUrls(cause instanceof Error ? cause.message : String(cause));
    this.#error = reason;
    this.#failures += 1;
    const error = new FailoverError('ERR_DISCOVERY', `Discovery failed: ${reason}`, {
      cause,
      retryable: true,
    });
    this.#deps.events.emit('discovery-error', { source: this.#set?.source ?? null, error });
    if (!this.#set) throw error;
    return this.#set;
  }

  #schedule(): void {
    const { refreshMs, clock, random } = this.#deps;
    if (refreshMs === undefined) return;
    if (this.#timer) clock.clearTimeout(this.#timer);
    const wait = this.#waitMs(refreshMs) * (1 + REFRESH_JITTER * (2 * random.next() - 1));
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#refreshQuietly();
    }, wait);
  }

  #waitMs(refreshMs: number): number {
    const ttlMs = this.#set?.ttlMs;
    const floor = Math.min(refreshMs, MIN_TTL_MS);
    const usual = ttlMs === undefined ? refreshMs : Math.min(Math.max(ttlMs, floor), MAX_TTL_MS);
    if (this.#failures === 0) return usual;
    return Math.min(usual, RETRY_MS.first * 2 ** (this.#failures - 1), RETRY_MS.max);
  }

  #refreshQuietly(): void {
    this.refresh().catch(() => {
      // Already reported as `discovery-error`; the next timer is armed.
    });
  }
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.url === b.url &&
    a.path === b.path &&
    a.priority === b.priority &&
    a.weight === b.weight &&
    a.zone === b.zone &&
    a.state === b.state &&
    a.since === b.since &&
    a.drainBy === b.drainBy &&
    a.origin === b.origin &&
    sameOptions(a.options, b.options)
  );
}

function sameOptions(a: object, b: object): boolean {
  const left = Object.entries(a);
  const right = b as Record<string, unknown>;
  return left.length === Object.keys(b).length && left.every(([key, value]) => right[key] === value);
}
