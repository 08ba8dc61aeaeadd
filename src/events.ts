/** The events a client emits on top of MQTT.js's own. Every payload is one plain object without secrets. */
import type { IPublishPacket, MqttClientEventCallbacks } from 'mqtt';
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

/**
 * A step in the life of a connection, as event `trace` names it:
 *
 * | step | what happened | `ms` |
 * | --- | --- | --- |
 * | `dialed` | a transport is open: TCP, TLS, WebSocket | to open it |
 * | `accepted` | CONNACK accepted the client | from CONNECT to CONNACK |
 * | `failed` | an endpoint could not be reached, or refused; `code` is the error's | |
 * | `asking` | an acknowledgement, or a message of a steady flow, is late: the link is asked by a ping | since the request, or the last message |
 * | `lost` | an accepted connection ended without our doing; `code` is the error's | since the broker went silent, if it did |
 * | `resent` | what was in flight is on the way again | |
 * | `restored` | the broker has answered what subscriptions the session lacked | |
 */
export type TraceStep = 'dialed' | 'accepted' | 'failed' | 'asking' | 'lost' | 'resent' | 'restored';

/** Payload of `move` and `failback`. */
export interface PlannedMove {
  /** Id of the endpoint that was left. */
  readonly from: string;
  /** Id of the endpoint in use now. */
  readonly to: string;
  /** Why, in words for people. */
  readonly reason: string;
  /** Milliseconds from DISCONNECT on the old endpoint to CONNACK on the new one. */
  readonly gapMs: number;
  /** Session Present: the broker had the session of the client. */
  readonly resumed: boolean;
}

/** Events of a `FailoverClient`, name to payload. Endpoints are named by id. */
export interface FailoverEvents {
  /** CONNACK accepted on another endpoint than before. */
  failover: {
    /** Id of the endpoint that was lost. */
    readonly from: string;
    /** Id of the endpoint in use now. */
    readonly to: string;
    /** How the old link ended. */
    readonly reason: string;
    /** Milliseconds from the loss of the old link to CONNACK on the new one. */
    readonly offlineMs: number;
    /** Session Present: the broker had the session of the client. */
    readonly resumed: boolean;
  };
  /** A planned move came about: `moveTo`, `rebalance`, or an endpoint that is draining, down or no longer listed. */
  move: PlannedMove;
  /** The client returned to its preferred endpoint. */
  failback: PlannedMove;
  /** The client's state changed. */
  state: {
    /** The state that was left. */
    readonly from: ClientState;
    /** The state that the client is in now. */
    readonly to: ClientState;
    /** Why, in words for people. */
    readonly reason: string;
  };
  /** The client's opinion of an endpoint changed. */
  health: {
    /** Its id. */
    readonly endpoint: string;
    /** The opinion. */
    readonly state: EndpointState;
    /** Why, in words for people. */
    readonly reason: string;
    /** Milliseconds since 1970 from which it may be used again, where that is known. */
    readonly until: number | null;
  };
  /**
   * One step of dialing, connecting, losing and resuming, for people and for measurements: the lines of one fail-over, in
   * order, tell what it was made of. `text` is a sentence without a time or the endpoint's name.
   */
  trace: {
    /** Id of the endpoint. */
    readonly endpoint: string;
    /** What happened. */
    readonly step: TraceStep;
    /** The same for people; it may change. */
    readonly text: string;
    /** Milliseconds that the step took; `null` where there is nothing to measure. See {@link TraceStep}. */
    readonly ms: number | null;
    /** Code of the error, or the broker's reason code, where something failed; else `null`. */
    readonly code: string | number | null;
  };
  /** The endpoint list changed. */
  topology: {
    /** Ids that are new. */
    readonly added: readonly string[];
    /** Ids that are gone. */
    readonly removed: readonly string[];
    /** Ids of which something else is different. */
    readonly changed: readonly string[];
    /** Kind of source that gave the list: `static`, `srv`, `registry`, `topic`, … */
    readonly source: string;
    /** Version of the list as its source counts it, if it does. */
    readonly revision: string | null;
  };
  /** A publish was given up; its callback got the same error. */
  dropped: {
    /** Topic of the publish. */
    readonly topic: string;
    /** QoS of the publish. */
    readonly qos: 0 | 1 | 2;
    /** Which limit or refusal it was. */
    readonly reason: DropReason;
    /** What its callback got. */
    readonly error: FailoverError;
  };
  /** The outbox is four fifths full, in messages or bytes: publish less, until `lowwater`. */
  highwater: {
    /** Publishes that are not settled. */
    readonly messages: number;
    /** Topic, payload and properties of them. */
    readonly bytes: number;
  };
  /** The outbox was so full and is half empty again. */
  lowwater: {
    /** Publishes that are not settled. */
    readonly messages: number;
    /** Topic, payload and properties of them. */
    readonly bytes: number;
  };
  /**
   * The store of the outbox fails, or has lost something: what is published from now on is in memory alone, unless
   * `reason` is `corrupt` and only some records cannot be read. What is in the store stays there.
   */
  'storage-degraded': {
    /** What is wrong with the store. */
    readonly reason: StorageFailure;
    /** `ERR_STORE`; its `cause` is the error of the database. */
    readonly error: FailoverError;
  };
  /** The session was lost between PUBREC and PUBCOMP of a QoS 2 publish: a broker may have delivered it already. */
  uncertain: {
    /** Topic of the publish. */
    readonly topic: string;
    /** Nothing else can be uncertain. */
    readonly qos: 2;
    /** How the session was lost. */
    readonly reason: string;
    /** What was done about it, by option `outbox.qos2`. */
    readonly action: 'republished' | 'rejected';
  };
  /** A subscription could not be restored on a new link. */
  'subscription-refused': {
    /** The filter. */
    readonly filter: string;
    /**
     * The broker's, or the one it would have given for a filter that it announced not to support and that was not sent;
     * `null` when SUBSCRIBE itself ended links, so that the filter rests for a minute and more.
     */
    readonly code: number | null;
    /** False: it is forgotten; subscribe again, or otherwise, if it matters. */
    readonly willRetry: boolean;
    /** Id of the endpoint that refused. */
    readonly endpoint: string;
  };
  /** A broker asked us to use another endpoint. */
  redirect: {
    /** Id of the endpoint that asked. */
    readonly from: string;
    /** Id of the endpoint that is tried next; `null` when the redirect cannot be followed. */
    readonly to: string | null;
    /** 0x9C (for now) or 0x9D (for good). */
    readonly code: number;
    /** Why it is followed or not. */
    readonly reason: string;
  };
  /** Another client with our id takes the session from us; we step back. */
  conflict: {
    /** The id that both have. */
    readonly clientId: string;
    /** Id of the endpoint that told us. */
    readonly endpoint: string;
    /** Milliseconds since 1970 at which the client tries again, if it will. */
    readonly retryAt: number | null;
  };
  /** Options that are allowed and yet rarely meant; emitted when the client starts to connect. */
  warning: Warning;
  /**
   * Something that only a person can judge: an endpoint's certificate failed the check, it is not authorised, or an
   * administrator has disconnected us three times in ten minutes.
   */
  security: {
    /** Id of the endpoint. */
    readonly endpoint: string;
    /** The `code` of the TLS error, 0x98, or `UNAUTHORISED_HOST`. */
    readonly code: number | string;
    /** What happened, in words for people. */
    readonly reason: string;
  };
  /**
   * Discovery failed; the last good list stays in use. With source `selection`, a selector of the application's own
   * failed, and the ranking by client id stands in.
   */
  'discovery-error': {
    /** Kind of source that failed; `null` while none has answered. */
    readonly source: string | null;
    /** Why; usually `ERR_DISCOVERY`. */
    readonly error: FailoverError;
  };
}

/** Events of a client: MQTT.js's and ours. */
export type FailoverEventCallbacks = Omit<MqttClientEventCallbacks, 'message'> & {
  /** A message has arrived; with `packet.afterFailover` it may be known already. */
  message: (topic: string, payload: Buffer, packet: ReceivedPublish) => void;
} & {
  [E in keyof FailoverEvents]: (payload: FailoverEvents[E]) => void;
};

/** Where the parts of a client report what happened. */
export interface EventSink {
  emit<E extends keyof FailoverEvents>(event: E, payload: FailoverEvents[E]): void;
}
