/** SRV records as a source of endpoints. */
import { FailoverError, messageOf } from '../../errors.js';
import type { Clock } from '../../platform/ports.js';
import type { EndpointSet, Resolver } from '../resolver.js';
import { DnsFailure } from './dns-failure.js';
import type { DnsQuery } from './dns-query.js';
import { type SrvSource, srvEndpoints } from './srv-endpoints.js';

export interface SrvResolverDeps {
  readonly query: DnsQuery;
  /** The host policy; see `host-policy.ts`. */
  readonly allowed: (host: string) => boolean;
  readonly clock: Clock;
  /** Milliseconds that an answer holds at least. */
  readonly minTtlMs: number;
}

/** Milliseconds that NXDOMAIN and "no SRV records" are believed (RFC 2308 §5, R20). */
const NEGATIVE_MS = { min: 10_000, max: 300_000 } as const;
/** Milliseconds that a failed resolution is not repeated, doubling from `min` (RFC 9520 §3.2, R20). */
const FAILURE_MS = { min: 1_000, max: 30_000 } as const;

/**
 * Asks for the SRV records of one name.
 *
 * Failures are remembered for a while and repeated without a question, so that nothing above can flood a server.
 */
export class SrvResolver implements Resolver {
  readonly #source: SrvSource;
  readonly #deps: SrvResolverDeps;
  #held: { readonly error: FailoverError; readonly until: number } | undefined;
  #failures = 0;
  /** Whether there ever was a list. */
  #hasList = false;

  constructor(source: SrvSource, deps: SrvResolverDeps) {
    this.#source = source;
    this.#deps = deps;
  }

  /** @throws {@link FailoverError} `ERR_DISCOVERY`, whose `cause` has a `reason`. */
  async resolve(signal: AbortSignal): Promise<EndpointSet> {
    const { clock } = this.#deps;
    if (this.#held && clock.now() < this.#held.until) throw this.#held.error;
    this.#held = undefined;
    try {
      const set = await this.#ask(signal);
      this.#failures = 0;
      this.#hasList = true;
      return set;
    } catch (cause) {
      signal.throwIfAborted();
      if (this.#hasList && cause instanceof DnsFailure && cause.reason === 'service-unavailable')
        return this.#closed(cause);
      const error = this.#error(cause);
      this.#held = { error, until: clock.now() + this.#holdMs(cause) };
      throw error;
    }
  }

  async #ask(signal: AbortSignal): Promise<EndpointSet> {
    const { query, allowed, minTtlMs } = this.#deps;
    const { name } = this.#source;
    const answer = await query(name, signal);
    const { endpoints, ttlMs, dropped } = srvEndpoints(this.#source, answer, allowed);
    const skipped = dropped.map(({ target, reason }) => `${JSON.stringify(target)}: ${reason}`);
    return { endpoints, ttlMs: Math.max(ttlMs, minTtlMs), source: 'srv', skipped };
  }

  /** The operator has closed the service: live links stay, and nothing new is dialed until a later answer (R10). */
  #closed({ message, ttlMs = 0 }: DnsFailure): EndpointSet {
    const holdMs = Math.max(ttlMs, this.#deps.minTtlMs);
    return { endpoints: [], empty: true, source: 'srv', ttlMs: holdMs, skipped: [message] };
  }

  #error(cause: unknown): FailoverError {
    const reason = messageOf(cause);
    const message = `SRV lookup of ${this.#source.name} failed: ${reason}`;
    return new FailoverError('ERR_DISCOVERY', message, { cause, retryable: true });
  }

  #holdMs(cause: unknown): number {
    if (cause instanceof DnsFailure && (cause.reason === 'nxdomain' || cause.reason === 'nodata')) {
      this.#failures = 0;
      return Math.min(Math.max(cause.ttlMs ?? 0, NEGATIVE_MS.min), NEGATIVE_MS.max);
    }
    const holdMs = Math.min(FAILURE_MS.min * 2 ** this.#failures, FAILURE_MS.max);
    this.#failures += 1;
    return holdMs;
  }
}
