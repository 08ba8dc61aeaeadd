/** Keeps the current endpoint set: obtains it, refreshes it, and tells what changed. */
import { FailoverError, messageOf, redactUrls } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { DiscoveryStatus, EndpointList } from './endpoint-list.js';
import {
  CONFIRM_AFTER_MS,
  isAccidentallyEmpty,
  isOutdated,
  losesMost,
  type RefusalOf,
  refusalOfAll,
} from './guards.js';
import type { LastKnownGood } from './last-known-good.js';
import { hasSameEndpoints, merge } from './merge.js';
import { type LastAnswer, nextRefreshMs, type RetryHint, retryAfterOf } from './refresh.js';
import type { EndpointSet, Resolver } from './resolver.js';

export interface WatcherDeps {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Milliseconds between refreshes while started, for answers without a TTL; `undefined` for sources that cannot change. */
  readonly refreshMs: number | undefined;
  /** Gives the first list while the source has not answered, and keeps its answers (R66). */
  readonly lastKnownGood?: Pick<LastKnownGood, 'load' | 'save'> | undefined;
  /** Left out: every endpoint may be dialed. */
  readonly refusal?: RefusalOf | undefined;
}

/** Polls of a fleet must not fall into step: each wait is drawn from ±10 % (grpc#12295). */
const REFRESH_JITTER = 0.1;
/** Milliseconds between refreshes because nothing could be reached (R21). */
const RESCAN_MS = 10_000;
/** Milliseconds without a link after which what was learned counts for nothing (D7). */
const REBOOTSTRAP_MS = 300_000;
/** Milliseconds after which an unchanged list is kept anew, so that it does not look old. */
const KEEP_AGAIN_MS = 3_600_000;

/**
 * Owns the endpoint set of one client.
 *
 * A failed or empty answer never replaces a list that was good (R18): it is reported as `discovery-error` and the
 * last list stays. Endpoints that did not change keep their object identity (R22).
 */
export class Watcher implements EndpointList {
  readonly #deps: WatcherDeps;
  #set: EndpointSet | undefined;
  #updatedAt: number | null = null;
  #receivedAt = Number.NEGATIVE_INFINITY;
  readonly #listeners: (() => void)[] = [];
  #error: string | null = null;
  #inFlight: Promise<EndpointSet> | undefined;
  #abort = new AbortController();
  #timer: Timer | undefined;
  #isWatching = false;
  /** What the last question or push says about the next one. */
  #last: LastAnswer = {};
  /** When a list first came that loses most of the endpoints; it must come again to count. */
  #lossSeenAt: number | undefined;
  #skipped = '';
  #rescannedAt = Number.NEGATIVE_INFINITY;
  #unreachableSince: number | undefined;
  #keptAt = Number.NEGATIVE_INFINITY;

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
   * @returns the new set, or the last good one if the resolver failed, also one kept from an earlier life.
   * @throws {@link FailoverError} `ERR_DISCOVERY` if it failed and there never was a good one.
   */
  refresh(): Promise<EndpointSet> {
    if (this.#inFlight) return this.#inFlight;
    const { signal } = this.#abort;
    this.#subscribe(signal);
    const answer = this.#resolve(signal).finally(() => {
      if (signal.aborted) return;
      this.#inFlight = undefined;
      this.#schedule();
    });
    this.#inFlight = this.#set ? answer : this.#orKept(answer, signal);
    return this.#inFlight;
  }

  /** Asks again ahead of time because no endpoint could be reached; at most once in ten seconds (R21). */
  rescan(): void {
    const now = this.#deps.clock.now();
    this.#unreachableSince ??= now;
    if (now - this.#unreachableSince >= REBOOTSTRAP_MS) {
      this.#unreachableSince = now;
      this.#deps.resolver.rebootstrap?.();
    }
    if (now - this.#rescannedAt < RESCAN_MS) return;
    this.#rescannedAt = now;
    this.#refreshQuietly();
  }

  /** An endpoint of the list accepted us. */
  reached(): void {
    this.#unreachableSince = undefined;
  }

  /** Stops refreshing and abandons a question that is under way. A later {@link refresh} starts again. */
  stop(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#isWatching = false;
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
      const answer = await this.#deps.resolver.resolve(signal);
      signal.throwIfAborted();
      return this.#accept(answer);
    } catch (cause) {
      if (signal.aborted) throw new FailoverError('ERR_ENDED', 'Discovery was abandoned', { cause });
      const error = this.#report(cause);
      if (!this.#set) throw error;
      return this.#set;
    }
  }

  /** The answer, or before it the list that an earlier life of this client has kept. */
  async #orKept(answer: Promise<EndpointSet>, signal: AbortSignal): Promise<EndpointSet> {
    const { lastKnownGood } = this.#deps;
    if (!lastKnownGood) return answer;
    const kept = lastKnownGood.load().then((set) => {
      if (signal.aborted || !set) throw new Error('there is no list to begin with');
      return this.#set ?? this.#apply(set);
    });
    return Promise.any([answer, kept]).catch(() => answer);
  }

  /** Where the source can push, a pushed list goes the way of an answer. */
  #subscribe(signal: AbortSignal): void {
    const { resolver } = this.#deps;
    if (this.#isWatching || !resolver.watch) return;
    this.#isWatching = true;
    const onChange = (set: EndpointSet) => {
      if (signal.aborted) return;
      try {
        this.#accept(set);
      } catch (cause) {
        this.#report(cause);
        // A list that must come again is asked for soon. No other push moves the next question (R64).
        if (retryAfterOf(cause) !== undefined && !this.#inFlight && !signal.aborted) this.#schedule();
      }
    };
    const onFailure = (cause: unknown) => {
      if (!signal.aborted) this.#report(new Error(`push: ${messageOf(cause)}`, { cause }), false);
    };
    resolver.watch(onChange, onFailure, signal);
  }

  /** Applies an answer that may be believed; throws for one that may not. */
  #accept(answer: EndpointSet): EndpointSet {
    const { clock, refusal = () => undefined } = this.#deps;
    const refused = refusalOfAll(this.#set, answer, refusal);
    if (refused) throw new Error(`the list has no endpoint that may be dialed: ${refused}`);
    if (isAccidentallyEmpty(answer)) throw new Error('the list has no endpoints');
    if (isOutdated(this.#set, answer)) throw new Error('the list is older than the one in use');
    if (losesMost(this.#set, answer)) {
      this.#lossSeenAt ??= clock.now();
      if (clock.now() - this.#lossSeenAt < CONFIRM_AFTER_MS) throw unconfirmed();
    }
    this.#lossSeenAt = undefined;
    this.#last = { ttlMs: answer.ttlMs };
    this.#updatedAt = clock.wallNow();
    this.#error = null;
    const before = this.#set;
    const set = this.#apply(answer);
    this.#keep(set, before);
    this.#reportSkipped(answer.skipped ?? []);
    return set;
  }

  /** Told once, not with every answer. */
  #reportSkipped(skipped: readonly string[]): void {
    const text = skipped.join('; ');
    if (text === this.#skipped) return;
    this.#skipped = text;
    if (text !== '') this.#report(new Error(`some of the list cannot be used: ${text}`), false);
  }

  #apply(answer: EndpointSet): EndpointSet {
    const { set, ...changes } = merge(this.#set, answer);
    this.#set = set;
    this.#receivedAt = this.#deps.clock.now();
    if (changes.added.length + changes.changed.length + changes.removed.length > 0) {
      const { source, revision = null } = answer;
      this.#deps.events.emit('topology', { ...changes, source, revision });
      for (const listener of this.#listeners) listener();
    }
    return set;
  }

  /** Keeps a list for the next life of this client, when it is new or was kept long ago. */
  #keep(set: EndpointSet, before: EndpointSet | undefined): void {
    const { lastKnownGood, clock } = this.#deps;
    const isSame = before !== undefined && hasSameEndpoints(before, set);
    if (!lastKnownGood || set.storable === false) return;
    if (isSame && clock.now() - this.#keptAt < KEEP_AGAIN_MS) return;
    this.#keptAt = clock.now();
    lastKnownGood.save(set).catch((cause) => {
      this.#report(new Error(`the list could not be kept: ${messageOf(cause)}`, { cause }), false);
    });
  }

  /**
   * Tells of a failure; the list stays.
   *
   * @param decides - Whether it is the answer to a question, and so counts for the status and the next question.
   */
  #report(cause: unknown, decides = true): FailoverError {
    const reason = redactUrls(messageOf(cause));
    if (decides) {
      this.#error = reason;
      const { ttlMs, failures = 0 } = this.#last;
      this.#last = { ttlMs, retryAfterMs: retryAfterOf(cause), failures: failures + 1 };
    }
    const error = new FailoverError('ERR_DISCOVERY', `Discovery failed: ${reason}`, {
      cause,
      retryable: true,
    });
    this.#deps.events.emit('discovery-error', { source: this.#set?.source ?? null, error });
    return error;
  }

  #schedule(): void {
    const { refreshMs, clock, random, resolver } = this.#deps;
    if (refreshMs === undefined) return;
    if (this.#timer) clock.clearTimeout(this.#timer);
    const wait = nextRefreshMs(refreshMs, resolver.refreshJitter ?? REFRESH_JITTER, this.#last, random);
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#refreshQuietly();
    }, wait);
  }

  #refreshQuietly(): void {
    this.refresh().catch(() => {
      // Already reported as `discovery-error`; the next timer is armed.
    });
  }
}

function unconfirmed(): Error & RetryHint {
  const text = 'the list loses more than half of the endpoints, and must come twice for that';
  return Object.assign(new Error(text), { retryAfterMs: CONFIRM_AFTER_MS });
}
