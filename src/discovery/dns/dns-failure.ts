/** Why a question to the DNS brought no answer that can be used. */

/** Closed set of reasons, for programs; the message is for people. */
export type DnsReason =
  | 'nxdomain'
  | 'nodata'
  | 'service-unavailable'
  | 'no-usable-target'
  | 'rcode'
  | 'timeout'
  | 'network'
  | 'malformed'
  | 'truncated'
  | 'doh-cors-or-network'
  | 'doh-http'
  | 'doh-too-large';

/**
 * The `cause` of an `ERR_DISCOVERY` of DNS discovery. Never leaves the library on its own.
 *
 * `service-unavailable` is the domain's own word that it does not offer the service (RFC 2782, target `.`);
 * `doh-cors-or-network` is all that a page is told when a DoH server is unreachable or does not allow it (R39).
 */
export class DnsFailure extends Error {
  override readonly name = 'DnsFailure';
  readonly reason: DnsReason;
  /** Milliseconds for which the answer holds, where a server said so: negative caching (RFC 2308). */
  readonly ttlMs: number | undefined;

  constructor(
    reason: DnsReason,
    message: string,
    details: { cause?: unknown; ttlMs?: number | undefined } = {},
  ) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.reason = reason;
    this.ttlMs = details.ttlMs;
  }
}
