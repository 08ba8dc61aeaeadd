/** What the connection knows of discovery: a list of endpoints that may change, and which of them may be dialed. */
import type { Endpoint } from '../endpoint.js';
import type { EndpointSet } from './resolver.js';

/** What `status().discovery` shows. */
export interface DiscoveryStatus {
  /** Kind of source that gave the list: `static`, `srv`, `registry`, …; `null` while there is none. */
  readonly source: string | null;
  /** Version of the list as its source counts it, if it does. */
  readonly revision: string | null;
  /** Wall-clock milliseconds of the last successful answer. */
  readonly updatedAt: number | null;
  /** Message of the last failure, if it is newer than the last success. */
  readonly error: string | null;
}

/** The endpoint set of one client. */
export interface EndpointList {
  /** The last good endpoint set, if there is one. */
  readonly current: EndpointSet | undefined;
  /** When that set was obtained, on the monotonic clock. */
  readonly receivedAt: number;
  /** Calls `listener` after every change of the endpoints, for as long as the client lives. */
  onChange(listener: () => void): void;
  /**
   * Asks the source now; callers at the same time share one question.
   *
   * @returns the new set, or the last good one if the source failed, also one kept from an earlier life.
   * @throws {@link FailoverError} `ERR_DISCOVERY` if it failed and there never was a good one.
   */
  refresh(): Promise<EndpointSet>;
  /** Asks again ahead of time because no endpoint could be reached; at most once in ten seconds (R21). */
  rescan(): void;
  /** An endpoint of the list accepted us. */
  reached(): void;
  /** Stops refreshing and abandons a question that is under way. A later {@link refresh} starts again. */
  stop(): void;
  status(): DiscoveryStatus;
}

/** Says what may be dialed; see `Authorisation`. */
export interface DialPermit {
  /** Why `endpoint` must not be dialed; `undefined` when it may. */
  refusal(endpoint: Endpoint): string | undefined;
  /** Those of the addresses that a host was resolved to, just before the dial, that may be used (R191). */
  admitted<A extends { readonly address: string }>(endpoint: Endpoint, addresses: readonly A[]): readonly A[];
}
