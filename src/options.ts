/** The options of a client: their meaning, their defaults, and the only place that checks them. */
import type { IClientOptions } from 'mqtt';
import type { BrokersInput } from './brokers/input.js';
import type { OverflowPolicy } from './delivery/bounds.js';
import type { OutboxCodec } from './delivery/store/codec.js';
import type { OverrideContainer } from './di/tokens.js';
import type { CredentialsProvider } from './dial/credentials.js';
import { parseDohUrl } from './discovery/dns/doh-url.js';
import { parseDnsServer } from './discovery/dns/server-address.js';
import { checkAllowedHosts } from './discovery/host-policy.js';
import type { RegistryOptions } from './discovery/registry/create-registry-resolver.js';
import { FailoverError, optionError } from './errors.js';
import {
  aFunction,
  type Checks,
  count,
  flag,
  group,
  hasMethods,
  isNumber,
  isText,
  ms,
  must,
  oneOf,
  texts,
} from './option-checks.js';
import type { Database } from './platform/database.js';
import type { DnsServer } from './platform/ports.js';
import type { Selector } from './selection/selector.js';
import { replacedOptionWarnings, type Warning } from './warnings.js';

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
   * `(container) => container.register(tokens.clock, { useValue })`: replaces parts in this client's own container.
   * @defaultValue none
   */
  readonly overrides?: (container: OverrideContainer) => void;
}

/** Everything `connect` takes: MQTT.js's options with their meaning, and our groups. */
export interface FailoverOptions extends IClientOptions, FailoverGroups {}

/** Options after checking, with every default filled in. */
export interface ResolvedOptions {
  /** MQTT.js options of the session and transport, ours taken out. */
  readonly mqtt: IClientOptions;
  readonly selection: 'client-id' | 'random' | 'ordered' | Selector;
  readonly zone: string | undefined;
  readonly dial: Required<DialOptions>;
  readonly backoff: Required<Omit<BackoffOptions, 'profile'>>;
  readonly liveness: Required<LivenessOptions>;
  readonly health: Required<HealthOptions>;
  readonly failback: Required<FailbackOptions>;
  readonly sessions: 'auto' | 'shared' | 'local';
  readonly credentials: CredentialsProvider | undefined;
  readonly outbox: {
    readonly maxMessages: number;
    readonly maxBytes: number;
    readonly maxAgeMs: number;
    readonly overflow: OverflowPolicy;
    readonly store: string | Database | undefined;
    readonly codec: OutboxCodec | undefined;
    readonly dedupId: boolean;
    readonly qos2: 'republish' | 'reject';
    readonly concurrency: number;
    readonly perSecond: number;
  };
  readonly discovery: {
    readonly refreshMs: number | undefined;
    readonly servers: readonly DnsServer[] | undefined;
    readonly doh: URL | undefined;
    readonly allowedHosts: readonly string[] | undefined;
    readonly registry: { readonly [K in keyof Required<RegistryOptions>]: RegistryOptions[K] | undefined };
    readonly topic: string | undefined;
    readonly lastKnownGood: string | undefined;
    readonly maxEndpoints: number | undefined;
  };
  /** Plain HTTP to a registry, and plain MQTT to what it names. */
  readonly allowInsecure: boolean;
  /** False for `reconnectPeriod: 0`: one pass over the endpoints, and no reconnection. */
  readonly reconnect: boolean;
  /** MQTT.js's `connectTimeout`, if given: caps transport and CONNACK together. */
  readonly attemptTimeoutMs: number;
  readonly overrides: ((container: OverrideContainer) => void) | undefined;
  /** Of options that MQTT.js reads otherwise. */
  readonly warnings: readonly Warning[];
}

type OutboxDefaults = Required<Omit<OutboxOptions, 'store' | 'codec' | 'replay'>>;

/** What suits the runtime. */
export interface PlatformDefaults {
  /** Name of the store of the last good list; without, none is kept. */
  readonly lastKnownGood?: string;
  readonly maxMessages: number;
  readonly maxBytes: number;
}

const share = must('a number from 0 to 1', (value) => isNumber(value) && value >= 0 && value <= 1);

/** Our groups: what each option must be. */
const GROUPS: Checks = {
  selection: must(
    "'client-id', 'random', 'ordered' or an object with a `rank` function",
    (value) => ['client-id', 'random', 'ordered'].includes(value as string) || hasMethods(value, 'rank'),
  ),
  zone: must(
    'a string of 1 to 64 characters',
    (value) => typeof value === 'string' && value !== '' && value.length <= 64,
  ),
  sessions: oneOf('auto', 'shared', 'local'),
  credentials: aFunction,
  dial: group({ staggerMs: ms(10), race: count(1), transportTimeoutMs: ms(1), connackTimeoutMs: ms(1) }),
  backoff: group({
    profile: oneOf('default', 'battery'),
    minMs: ms(0),
    baseMs: ms(0),
    maxMs: ms(1),
    resetAfterMs: ms(0),
    spreadMs: ms(0),
  }),
  liveness: group({ suspectAfterMs: ms(1), pingTimeoutMs: ms(1), maxMs: ms(1) }),
  health: group({ failures: count(1), ejectMs: ms(0), maxEjectMs: ms(0), panicAbove: share, probeMs: ms(1) }),
  failback: group({
    mode: oneOf('auto', 'manual', 'off'),
    healthyMs: ms(0),
    probes: count(1),
    windowMs: ms(0),
    dwellMs: ms(0),
  }),
  outbox: group({
    maxMessages: count(1),
    maxBytes: count(1),
    maxAgeMs: ms(1),
    overflow: oneOf('reject-new', 'drop-oldest', 'drop-oldest-qos0', 'latest-per-topic'),
    store: must(
      'a path or name, or a database of abstract-level',
      (value) => isText(value) || hasMethods(value, 'open', 'close', 'sublevel'),
    ),
    codec: must('an object with the functions `encode` and `decode`', (value) =>
      hasMethods(value, 'encode', 'decode'),
    ),
    dedupId: flag,
    qos2: oneOf('republish', 'reject'),
    replay: group({
      concurrency: count(1),
      perSecond: must('a number > 0', (value) => isNumber(value) && value > 0),
    }),
  }),
  discovery: group({
    dns: group({
      servers: texts('an array of DNS servers such as `host:port`'),
      doh: must('an https URL', isText),
    }),
    registry: group({
      // No value of a header may show in an error: a bad one is told by the option's name alone.
      headers: must('an object of HTTP headers or a function that gives one', isRegistryHeaders),
      pollMs: ms(1_000),
      push: flag,
    }),
    topic: must('a non-empty string', isText),
    refreshMs: ms(1_000),
    lastKnownGood: must('a path or name, or false', (value) => value === false || typeof value === 'string'),
    allowedHosts: texts('an array of host names'),
    maxEndpoints: count(1),
  }),
  tabs: oneOf('separate', 'shared'),
  allowInsecure: flag,
  overrides: aFunction,
};

/** Names of our option groups: one of them turns a single URL from plain MQTT.js into a managed client. */
export const GROUP_NAMES: ReadonlySet<string> = new Set(['brokers', ...Object.keys(GROUPS)]);

/**
 * Checks `options` and fills in the defaults.
 *
 * @throws {@link FailoverError} `ERR_OPTION` naming the option, what was expected and what came.
 */
export function resolveOptions(options: FailoverOptions, defaults: PlatformDefaults): ResolvedOptions {
  checkGroups(options);
  checkMqttOptions(options);
  const { backoff = {}, outbox = {}, discovery = {} } = options;
  const { reconnectPeriod, connectTimeout } = options;
  const profileMaxMs = backoff.profile === 'battery' ? 120_000 : 30_000;
  // MQTT.js knows no longest wait: a period beyond ours raises it.
  const maxMs =
    backoff.maxMs ?? Math.max(profileMaxMs, backoff.minMs === undefined ? (reconnectPeriod ?? 0) : 0);
  const minMs = backoff.minMs ?? (reconnectPeriod || Math.min(1_000, maxMs));
  if (minMs > maxMs)
    throw optionError('backoff.minMs', `a number of milliseconds <= backoff.maxMs (${maxMs})`, minMs);
  return Object.freeze({
    mqtt: mqttOptions(options),
    selection: options.selection ?? 'client-id',
    zone: options.zone,
    dial: filled(
      { staggerMs: 250, race: 3, transportTimeoutMs: 5_000, connackTimeoutMs: 10_000 },
      options.dial,
    ),
    backoff: {
      ...filled({ baseMs: 2_000, resetAfterMs: 30_000, spreadMs: 100 }, backoff),
      minMs,
      maxMs,
    },
    liveness: filled({ suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 }, options.liveness),
    health: filled(
      { failures: 2, ejectMs: 30_000, maxEjectMs: 300_000, panicAbove: 0.5, probeMs: 10_000 },
      options.health,
    ),
    failback: filled<Required<FailbackOptions>>(
      { mode: 'auto', healthyMs: 60_000, probes: 3, windowMs: 60_000, dwellMs: 300_000 },
      options.failback,
    ),
    sessions: options.sessions ?? 'auto',
    credentials: options.credentials,
    outbox: {
      ...filled<OutboxDefaults>(
        {
          maxMessages: defaults.maxMessages,
          maxBytes: defaults.maxBytes,
          maxAgeMs: Number.POSITIVE_INFINITY,
          overflow: 'reject-new',
          dedupId: false,
          qos2: 'republish',
        },
        outbox,
      ),
      ...filled({ concurrency: 100, perSecond: Number.POSITIVE_INFINITY }, outbox.replay),
      store: outbox.store,
      codec: outbox.codec,
    },
    discovery: {
      refreshMs: discovery.refreshMs,
      servers: discovery.dns?.servers?.map((text, i) => parseDnsServer(text, `discovery.dns.servers[${i}]`)),
      doh: discovery.dns?.doh === undefined ? undefined : parseDohUrl(discovery.dns.doh),
      allowedHosts: discovery.allowedHosts && checkAllowedHosts(discovery.allowedHosts),
      registry: {
        headers: discovery.registry?.headers,
        pollMs: discovery.registry?.pollMs ?? discovery.refreshMs,
        push: discovery.registry?.push,
      },
      topic: discovery.topic,
      lastKnownGood: (discovery.lastKnownGood ?? defaults.lastKnownGood) || undefined,
      maxEndpoints: discovery.maxEndpoints,
    },
    allowInsecure: options.allowInsecure ?? false,
    reconnect: reconnectPeriod !== 0,
    attemptTimeoutMs: connectTimeout ?? Number.POSITIVE_INFINITY,
    overrides: options.overrides,
    warnings: replacedOptionWarnings(options),
  });
}

/**
 * Checks the client id alone; a plain single-broker client needs no more.
 *
 * @param mayBeEmpty - MQTT allows an empty id, which the server replaces; placement by client id cannot use it (R73).
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function checkClientId(clientId: unknown, mayBeEmpty: boolean): void {
  if (clientId === undefined || clientId === null) return;
  if (typeof clientId !== 'string' || (clientId === '' && !mayBeEmpty)) {
    throw optionError('clientId', 'a non-empty string', clientId);
  }
  if (clientId.includes('\u0000')) throw optionError('clientId', 'free of U+0000 [MQTT-1.5.4-2]', clientId);
  if (new TextEncoder().encode(clientId).length > 65_535)
    throw optionError('clientId', 'at most 65535 bytes', clientId);
}

function checkGroups(options: FailoverOptions): void {
  for (const [name, check] of Object.entries(GROUPS)) {
    const value = options[name as keyof FailoverOptions];
    if (value !== undefined) check(value, name);
  }
}

/** `given`, with `defaults` for what it leaves out. */
function filled<T extends object>(defaults: T, given: { [K in keyof T]?: T[K] | undefined } = {}): T {
  const values = Object.entries(defaults).map(([key, value]) => [key, given[key as keyof T] ?? value]);
  return Object.fromEntries(values);
}

function checkMqttOptions(options: FailoverOptions): void {
  checkClientId(options.clientId, options.selection === 'random' || options.selection === 'ordered');
  for (const store of ['incomingStore', 'outgoingStore'] as const) {
    if (options[store]) {
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`${store}\` cannot be used with several brokers: use \`outbox.store\``,
      );
    }
  }
  if (options.socksProxy) {
    throw new FailoverError(
      'ERR_OPTION',
      'Option `socksProxy` cannot be used with several brokers: give `wsOptions.agent`, or a network of your own by `overrides`',
    );
  }
  if (options.messageIdProvider) {
    throw new FailoverError(
      'ERR_OPTION',
      'Option `messageIdProvider` cannot be used with several brokers: packet ids in flight must survive a fail-over',
    );
  }
  for (const name of ['reconnectPeriod', 'connectTimeout', 'keepalive'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && Number.isFinite(value))) {
      throw optionError(name, 'a number >= 0', value);
    }
  }
  if (options.protocolVersion !== undefined && ![3, 4, 5].includes(options.protocolVersion)) {
    throw optionError('protocolVersion', '3, 4 or 5', options.protocolVersion);
  }
  checkOutbox(options);
  if (options.clean === false && !options.clientId) {
    throw optionError('clientId', 'given when `clean` is false', options.clientId);
  }
}

/** Our groups and what named the one broker of MQTT.js are taken out; what is left is for every endpoint. */
function mqttOptions(options: FailoverOptions): IClientOptions {
  const taken = new Set([
    ...GROUP_NAMES,
    'servers',
    'host',
    'hostname',
    'port',
    'protocol',
    'path',
    'query',
    'auth',
    'href',
  ]);
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && !taken.has(key)),
  ) as IClientOptions;
}

function checkOutbox({ outbox = {}, clientId, protocolVersion }: FailoverOptions): void {
  const { store, codec, dedupId } = outbox;
  if (store !== undefined && !clientId)
    throw optionError('clientId', 'given with `outbox.store`: only the same id finds its messages', clientId);
  if (codec !== undefined && store === undefined)
    throw optionError('outbox.store', 'given with `outbox.codec`', store);
  if (dedupId && protocolVersion !== 5)
    throw optionError('protocolVersion', '5 with `outbox.dedupId`, a user property', protocolVersion);
}

function isRegistryHeaders(value: unknown): boolean {
  if (typeof value === 'function') return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  try {
    // The platform knows best which names and values are headers.
    new Headers(value as Record<string, string>);
    return Object.values(value).every((each) => typeof each === 'string');
  } catch {
    return false;
  }
}
