/** What `status()` and `explain()` return: plain JSON without secrets. */
import type { DiscoveryStatus } from './discovery/endpoint-list.js';
import type { Origin } from './endpoint.js';
import type { ClientState, EndpointState } from './events.js';

/** One endpoint as the client sees it. */
export interface EndpointStatus {
  /** Identity, as events name it. */
  readonly id: string;
  /** URL without user info. */
  readonly url: string;
  /** Position in this client's preference list; 0 is home. */
  readonly rank: number;
  /** Tier; lower is tried first. */
  readonly priority: number;
  /** Share of the clients within the tier. */
  readonly weight: number;
  /** Locality, if it has one. */
  readonly zone: string | null;
  /** What the client thinks of it. */
  readonly state: EndpointState;
  /** Why it is not simply healthy. */
  readonly reason: string | null;
  /** Milliseconds since 1970 from which an endpoint may be used again that is ejected, or said that it is full. */
  readonly retryAt: number | null;
}

/** Publishes that are not settled yet. */
export interface OutboxStatus {
  /** How many, waiting or in flight. */
  readonly messages: number;
  /** Topic, payload and properties of all of them. */
  readonly bytes: number;
  /** Milliseconds since the oldest of them was published; 0 when there is none. */
  readonly oldestAgeMs: number;
}

/** A snapshot of a client. */
export interface ClientStatus {
  /** What the client is doing. */
  readonly state: ClientState;
  /** The id by which it is placed, and known to brokers. */
  readonly clientId: string;
  /** Id of the endpoint in use. */
  readonly current: string | null;
  /** Id of the preferred endpoint. */
  readonly home: string | null;
  /** In the order of preference; none before the list is there, or in a page the code that reads it. */
  readonly endpoints: readonly EndpointStatus[];
  /** Publishes that are not settled yet, waiting or in flight. */
  readonly outbox: OutboxStatus;
  /** Where the list came from, and how old it is. */
  readonly discovery: DiscoveryStatus;
  /** Counts since the client was made. */
  readonly counters: Readonly<Record<string, number>>;
}

/** One line of `explain()`. */
export interface Explanation {
  /** Identity of the endpoint. */
  readonly id: string;
  /** URL without user info. */
  readonly url: string;
  /** Position in the order of preference; 0 is home. */
  readonly rank: number;
  /** Whether the client would try it now while others are left; an eligible one may still stand back, see `reason`. */
  readonly eligible: boolean;
  /** Why, in words for people. */
  readonly reason: string;
  /** Kind of source that named it (D12); with `tabs: 'shared'` only the leader knows. */
  readonly origin?: Origin;
}

/** The snapshot of a client that knows no endpoints yet. */
export function statusWithoutList(
  state: ClientState,
  clientId: string,
  outbox: OutboxStatus = { messages: 0, bytes: 0, oldestAgeMs: 0 },
): ClientStatus {
  return {
    state,
    clientId,
    current: null,
    home: null,
    endpoints: [],
    outbox,
    discovery: { source: null, revision: null, updatedAt: null, error: null },
    counters: {},
  };
}
