/** The options of a client as its parts get them. */
import type { IClientOptions } from 'mqtt';
import type { OverflowPolicy } from '../delivery/bounds.js';
import type { OutboxCodec } from '../delivery/store/codec.js';
import type { OverrideContainer } from '../di/tokens.js';
import type { CredentialsProvider } from '../dial/credentials.js';
import type { RegistryOptions } from '../discovery/registry/create-registry-resolver.js';
import type { Database } from '../platform/database.js';
import type { DnsServer } from '../platform/ports.js';
import type { Selector } from '../selection/selector.js';
import type { Warning } from '../warnings.js';
import type {
  BackoffOptions,
  DialOptions,
  FailbackOptions,
  HealthOptions,
  LivenessOptions,
} from './options.js';

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

/** What suits the runtime. */
export interface PlatformDefaults {
  /** Name of the store of the last good list; without, none is kept. */
  readonly lastKnownGood?: string;
  readonly maxMessages: number;
  readonly maxBytes: number;
}
