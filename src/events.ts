/** The events a client emits on top of MQTT.js's own. Every payload is one plain object without secrets. */
import type { IPublishPacket } from 'mqtt';
import type { StorageFailure } from './delivery/store/failure.js';
import type { FailoverError } from './errors.js';
import type { Warning } from './warnings.js';

/** What the client is doing. */
export type ClientState =
  | 'idle'
  | 'discovering'
  | 'connecting'
  | 'connected'
  | 'moving'
  | 'backoff'
  | 'conflict'
  | 'auth-wait'
  | 'paused'
  | 'closed'
  | 'failed';

/** What the client thinks of one endpoint. */
export type EndpointState = 'healthy' | 'suspect' | 'ejected' | 'probing' | 'draining' | 'down' | 'unusable';

/** Why a queued or in-flight message was given up. */
export type DropReason = 'overflow' | 'expired' | 'too-large' | 'rejected' | 'poison';

/** A PUBLISH as event `message` hands it out: MQTT.js's packet, with one field of ours. */
export interface ReceivedPublish extends IPublishPacket {
  /**
   * Set on a retained message that came on a link whose session was new although the client had been connected before:
   * the restored subscription brings the retained messages again, and this may be one that you have seen (R120).
   */
  readonly afterFailover?: true;
}

/** Payload of `move` and `failback`. */
export interface PlannedMove {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** Milliseconds from DISCONNECT on the old endpoint to CONNACK on the new one. */
  readonly gapMs: number;
  /** Session Present. */
  readonly resumed: boolean;
}

/** Events of a `FailoverClient`, name to payload. Endpoints are named by id. */
export interface FailoverEvents {
  /** CONNACK accepted on another endpoint than before. `resumed` is Session Present. */
  failover: {
    readonly from: string;
    readonly to: string;
    readonly reason: string;
    /** Milliseconds from the loss of the old link to CONNACK on the new one. */
    readonly offlineMs: number;
    readonly resumed: boolean;
  };
  /** A planned move came about: `moveTo`, `rebalance`, or an endpoint that is draining, down or no longer listed. */
  move: PlannedMove;
  /** The client returned to its preferred endpoint. */
  failback: PlannedMove;
  /** The client's state changed. */
  state: { readonly from: ClientState; readonly to: ClientState; readonly reason: string };
  /** The client's opinion of an endpoint changed; `until` is when it may be used again, in milliseconds since 1970. */
  health: {
    readonly endpoint: string;
    readonly state: EndpointState;
    readonly reason: string;
    readonly until: number | null;
  };
  /** The endpoint list changed. */
  topology: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
    readonly source: string;
    readonly revision: string | null;
  };
  /** A publish was given up; its callback got the same error. */
  dropped: {
    readonly topic: string;
    readonly qos: 0 | 1 | 2;
    readonly reason: DropReason;
    readonly error: FailoverError;
  };
  /** The outbox is four fifths full, in messages or bytes: publish less, until `lowwater`. */
  highwater: { readonly messages: number; readonly bytes: number };
  /** The outbox was so full and is half empty again. */
  lowwater: { readonly messages: number; readonly bytes: number };
  /**
   * The store of the outbox fails, or has lost something: what is published from now on is in memory alone, unless
   * `reason` is `corrupt` and only some records cannot be read. What is in the store stays there.
   */
  'storage-degraded': { readonly reason: StorageFailure; readonly error: FailoverError };
  /** The session was lost between PUBREC and PUBCOMP of a QoS 2 publish: a broker may have delivered it already. */
  uncertain: {
    readonly topic: string;
    readonly qos: 2;
    readonly reason: string;
    readonly action: 'republished' | 'rejected';
  };
  /**
   * A subscription could not be restored on a new link. `code` is the broker's, or the one it would have given for a
   * filter that it announced not to support and that was not sent; `null` when SUBSCRIBE itself ended three links.
   * Without `willRetry` it is forgotten: subscribe again, or otherwise, if it matters.
   */
  'subscription-refused': {
    readonly filter: string;
    readonly code: number | null;
    readonly willRetry: boolean;
    readonly endpoint: string;
  };
  /** A broker asked us to use another endpoint; `to` is `null` when that cannot be followed. */
  redirect: {
    readonly from: string;
    readonly to: string | null;
    readonly code: number;
    readonly reason: string;
  };
  /** Another client with our id takes the session from us; we step back until `retryAt`, milliseconds since 1970. */
  conflict: { readonly clientId: string; readonly endpoint: string; readonly retryAt: number | null };
  /** Options that are allowed and yet rarely meant; emitted when the client starts to connect. */
  warning: Warning;
  /**
   * Something that only a person can judge: an endpoint's certificate failed the check (`code` is the TLS error's), or an
   * administrator has disconnected us three times in ten minutes (`code` is 0x98).
   */
  security: { readonly endpoint: string; readonly code: number | string; readonly reason: string };
  /**
   * Discovery failed; the last good list stays in use. With source `selection`, a selector of the application's own
   * failed, and the ranking by client id stands in.
   */
  'discovery-error': { readonly source: string | null; readonly error: FailoverError };
}

/** Where the parts of a client report what happened. */
export interface EventSink {
  emit<E extends keyof FailoverEvents>(event: E, payload: FailoverEvents[E]): void;
}
