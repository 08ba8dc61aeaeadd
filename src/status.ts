/** What `status()` and `explain()` return: plain JSON without secrets. */
import type { DiscoveryStatus } from './discovery/watcher.js';
import type { Origin } from './endpoint.js';
import type { ClientState, EndpointState } from './events.js';

/** One endpoint as the client sees it. */
export interface EndpointStatus {
  readonly id: string;
  /** URL without user info. */
  readonly url: string;
  /** Position in this client's preference list; 0 is home. */
  readonly rank: number;
  readonly priority: number;
  readonly weight: number;
  readonly zone: string | null;
  readonly state: EndpointState;
  /** Why it is not simply healthy. */
  readonly reason: string | null;
  /** Milliseconds since 1970 from which an endpoint may be used again that is ejected, or said that it is full. */
  readonly retryAt: number | null;
}

/** A snapshot of a client. */
export interface ClientStatus {
  readonly state: ClientState;
  readonly clientId: string;
  /** Id of the endpoint in use. */
  readonly current: string | null;
  /** Id of the preferred endpoint. */
  readonly home: string | null;
  /** In the order of preference. */
  readonly endpoints: readonly EndpointStatus[];
  /** Publishes that are not settled yet, waiting or in flight. */
  readonly outbox: { readonly messages: number; readonly bytes: number; readonly oldestAgeMs: number };
  readonly discovery: DiscoveryStatus;
  /** Counts since the client was made. */
  readonly counters: Readonly<Record<string, number>>;
}

/** One line of `explain()`. */
export interface Explanation {
  readonly id: string;
  readonly url: string;
  readonly rank: number;
  /** Whether the client would try it now while others are left; an eligible one may still stand back, see `reason`. */
  readonly eligible: boolean;
  readonly reason: string;
  /** Kind of source that named it (D12); with `tabs: 'shared'` only the leader knows. */
  readonly origin?: Origin;
}
