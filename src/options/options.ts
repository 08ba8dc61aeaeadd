/** The options of a client, as applications write them: their meaning and their defaults, in words. */
import type { IClientOptions } from 'mqtt';
import type { BrokersInput } from '../brokers/input.js';
import type { OverflowPolicy } from '../delivery/bounds.js';
import type { OutboxCodec } from '../delivery/store/codec.js';
import type { OverrideContainer } from '../di/tokens.js';
import type { CredentialsProvider } from '../dial/credentials.js';
import type { RegistryOptions } from '../discovery/registry/create-registry-resolver.js';
import type { Database } from '../platform/database.js';
import type { Selector } from '../selection/selector.js';

/** How dials are paced and bounded. */
export interface DialOptions {
  /**
   * Milliseconds before the next address or endpoint is tried beside one that has not answered. Twice the smoothed
   * round trip of the last link where that is more, up to two seconds. @defaultValue 250
   */
  readonly staggerMs?: number;
  /**
   * Transports that may be open or opening at once, over all endpoints and their addresses; CONNECT is sent on one
   * only. @defaultValue 3
   */
  readonly race?: number;
  /** Milliseconds for name resolution, TCP, TLS and WebSocket, over all addresses of an endpoint. @defaultValue 5000 */
  readonly transportTimeoutMs?: number;
  /**
   * Milliseconds for CONNACK, once CONNECT is sent. While there are others to ask, an endpoint that has just dropped us
   * has half a second, or four times what it took before. @defaultValue 10000
   */
  readonly connackTimeoutMs?: number;
}

/** Waiting between passes over the endpoints: `minMs` + U(0, min(`maxMs`, `baseMs` × 2ⁿ)), `maxMs` at most. */
export interface BackoffOptions {
  /** `battery` raises the default of `maxMs` to 120 s. @defaultValue 'default' */
  readonly profile?: 'default' | 'battery';
  /** Milliseconds that every wait has at least. @defaultValue 1000 */
  readonly minMs?: number;
  /** Milliseconds; the random part's range in the first wait. @defaultValue 2000 */
  readonly baseMs?: number;
  /** Milliseconds; upper bound of any wait. @defaultValue 30000 */
  readonly maxMs?: number;
  /** Milliseconds a connection must hold before the waits start from the beginning. @defaultValue 30000 */
  readonly resetAfterMs?: number;
  /** Milliseconds; the first attempt after a drop waits U(0, `spreadMs`), so that a fleet does not return at once. @defaultValue 100 */
  readonly spreadMs?: number;
}

/** Floors and ceiling of the adaptive dead-link deadlines. */
export interface LivenessOptions {
  /**
   * Milliseconds without an expected acknowledgement, or without a message of a steady flow, before a ping is sent, at
   * least. @defaultValue 1000
   */
  readonly suspectAfterMs?: number;
  /** Milliseconds for that ping to be answered, at least. @defaultValue 1000 */
  readonly pingTimeoutMs?: number;
  /** Milliseconds; neither deadline grows beyond it. @defaultValue 10000 */
  readonly maxMs?: number;
}

/** When an endpoint is taken out of rotation. */
export interface HealthOptions {
  /** Consecutive failures that eject an endpoint. @defaultValue 2 */
  readonly failures?: number;
  /** Milliseconds of the first ejection; the n-th in a row lasts n times as long, plus up to 20 %. @defaultValue 30000 */
  readonly ejectMs?: number;
  /** Milliseconds; upper bound of an ejection. @defaultValue 300000 */
  readonly maxEjectMs?: number;
  /** Share of ejected endpoints above which ejections are ignored: then they say more about us than about them. @defaultValue 0.5 */
  readonly panicAbove?: number;
  /** Milliseconds between probes of the preferred endpoint while on another. @defaultValue 10000 */
  readonly probeMs?: number;
}

/** When and how the client returns to its preferred endpoint. */
export interface FailbackOptions {
  /** `auto` goes home by itself, `manual` when `rebalance()` is called, `off` never. @defaultValue 'auto' */
  readonly mode?: 'auto' | 'manual' | 'off';
  /** Milliseconds the preferred endpoint must have been healthy. @defaultValue 60000 */
  readonly healthyMs?: number;
  /** Successful probes in a row that are needed. @defaultValue 3 */
  readonly probes?: number;
  /** Milliseconds over which the returns of a fleet are spread, by client id. @defaultValue 60000 */
  readonly windowMs?: number;
  /** Milliseconds between moves of one client, at least. @defaultValue 300000 */
  readonly dwellMs?: number;
}

/** Bounds and behaviour of the queue in front of `publish`. */
export interface OutboxOptions {
  /** Messages waiting or in flight at most, in memory and in the store. @defaultValue 10000; browsers: 1000 */
  readonly maxMessages?: number;
  /** Bytes waiting or in flight at most: topic, payload and properties. @defaultValue 16777216; browsers: 1048576 */
  readonly maxBytes?: number;
  /** Milliseconds a message may wait. @defaultValue no limit */
  readonly maxAgeMs?: number;
  /**
   * `reject-new` refuses the newcomer (a QoS 1 or 2 newcomer evicts waiting QoS 0 first); `drop-oldest` evicts the
   * oldest; `drop-oldest-qos0` evicts the oldest of QoS 0 and refuses when there is none; `latest-per-topic` keeps
   * only the newest waiting message of each topic, and refuses new topics when full. @defaultValue 'reject-new'
   */
  readonly overflow?: OverflowPolicy;
  /**
   * Where QoS 1 and 2 survive the process: the path of a LevelDB directory (Node) or the name of an IndexedDB database
   * (browsers), which need the package `level`, or any database of `abstract-level`, open or not. Needs a fixed `clientId`;
   * one database serves many client ids. QoS 0 is never stored. @defaultValue memory
   */
  readonly store?: string | Database;
  /** `{ encode(bytes), decode(bytes) }`, sync or async: changes what is written for each message, and back. For encryption. */
  readonly codec?: OutboxCodec;
  /**
   * Adds the user property `mid` to QoS 1 and 2, the same each time a message is sent, so that receivers can drop
   * duplicates. Needs `protocolVersion: 5`. @defaultValue false
   */
  readonly dedupId?: boolean;
  /** What to do with a QoS 2 publish whose session was lost after PUBREC. @defaultValue 'republish' */
  readonly qos2?: 'republish' | 'reject';
  /** How what waits is sent when there is a connection. */
  readonly replay?: {
    /** Queued messages in flight at once; the broker's Receive Maximum bounds it too. @defaultValue 100 */
    readonly concurrency?: number;
    /** Queued messages sent per second at most. @defaultValue no limit */
    readonly perSecond?: number;
  };
}

/** How endpoints are found and which of them may be used. */
export interface DiscoveryOptions {
  /** How SRV records are asked for. */
  readonly dns?: {
    /** DNS servers as `host`, `host:port` or `[IPv6]:port`, asked in this order. Node only. @defaultValue the system's */
    readonly servers?: readonly string[];
    /** URL of a DNS-over-HTTPS server, asked instead of any other; browsers need one, as they have no other way. */
    readonly doh?: string;
  };
  /** How a registry is asked. */
  readonly registry?: RegistryOptions;
  /**
   * A retained topic with the document of a registry, by which brokers tell of the cluster themselves. Whoever may publish to
   * it steers the clients, among authorised hosts.
   */
  readonly topic?: string;
  /**
   * Milliseconds between refreshes of a list that can change, at least 1000. A list that has a TTL, as that of SRV, is
   * refreshed after it instead, but not sooner than after this long, nor than after 60 s if this is longer.
   * @defaultValue 30000; SRV: the TTL
   */
  readonly refreshMs?: number;
  /**
   * Where the last good list is kept, to boot with while its source is down: a file, a LevelDB directory, or in browsers a key of
   * localStorage; `false` keeps none. @defaultValue none; browsers: 'mqtt-failover'
   */
  readonly lastKnownGood?: string | false;
  /**
   * Hosts that DNS, a registry, a topic or a redirect may name: exact, or `*.example.com` for all below. Replaces the default.
   * @defaultValue what is below the parent of the domain, the registry or a seed
   */
  readonly allowedHosts?: readonly string[];
  /** Endpoints of a long list that one client keeps, by its ranking. @defaultValue no limit */
  readonly maxEndpoints?: number;
}

/** Options of ours; each group is optional, as is every field in it. */
export interface FailoverGroups {
  /** Where the brokers are; the first argument of `connect` may give it instead. @see docs/discovery.md */
  readonly brokers?: BrokersInput;
  /**
   * How endpoints are ordered for this client: by its id, by chance, as listed, or by an object of yours with
   * `rank(key, endpoints)`. @defaultValue 'client-id' @see docs/selection.md
   */
  readonly selection?: 'client-id' | 'random' | 'ordered' | Selector;
  /** Endpoints of this zone come first within their tier. @defaultValue none @see docs/selection.md */
  readonly zone?: string;
  /**
   * Whether broker sessions follow the client to another endpoint (`shared`), or stay where they are (`local`), or which is to be
   * learned. Decides whether a client with `clean: false` goes home by itself. @defaultValue 'auto' @see docs/sessions.md
   */
  readonly sessions?: 'auto' | 'shared' | 'local';
  /**
   * `async (endpoint, { signal, reason }) => ({ username, password, url, expiresAt, … })`: asked before every attempt, and
   * every minute while brokers refuse what it gave. @defaultValue none @see docs/security.md
   */
  readonly credentials?: CredentialsProvider;
  /** How dials are paced and bounded. @see docs/tuning.md */
  readonly dial?: DialOptions;
  /** How long the client waits between passes over the list. @see docs/tuning.md */
  readonly backoff?: BackoffOptions;
  /** Floors and ceiling of the deadlines after which a silent link is asked, and given up. @see docs/tuning.md */
  readonly liveness?: LivenessOptions;
  /** When an endpoint is left out, and for how long. @see docs/tuning.md */
  readonly health?: HealthOptions;
  /** When and how the client returns to its preferred endpoint. @see docs/tuning.md */
  readonly failback?: FailbackOptions;
  /** Bounds of what waits for a broker, and with `store` where it survives the process. @see docs/outbox.md */
  readonly outbox?: OutboxOptions;
  /** How endpoints are found (`dns`, `registry`, `topic`), which may be used (`allowedHosts`), and where the last good list is kept. @see docs/discovery.md */
  readonly discovery?: DiscoveryOptions;
  /**
   * In browsers. `separate`: every tab is a client of its own, with an id of its own. `shared`: one tab has the connection,
   * the others use it through that tab; without Web Locks it is `separate`. @defaultValue 'separate' @see docs/browser.md
   */
  readonly tabs?: 'separate' | 'shared';
  /**
   * Permits plain HTTP to a registry elsewhere, and plain MQTT to what an https registry names. @defaultValue false @see docs/security.md
   */
  readonly allowInsecure?: boolean;
  /**
   * `(container) => container.register(tokens.clock, { useValue })`: replaces parts in this client's own container. Called by
   * `connect` in Node, and in pages when the code of the client is there. @defaultValue none
   */
  readonly overrides?: (container: OverrideContainer) => void;
}

/** Everything `connect` takes: MQTT.js's options with their meaning, and our groups. */
export interface FailoverOptions extends IClientOptions, FailoverGroups {}
