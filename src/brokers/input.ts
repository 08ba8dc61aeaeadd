/** Everything a user may write for `brokers`. */
import type { IClientOptions } from 'mqtt';
import type { Resolver } from '../discovery/resolver.js';
import type { NodeState, Origin } from '../endpoint.js';

/** One broker of a static list: where it is, how it ranks, and MQTT.js options that hold for it alone. */
export interface BrokerSpec extends Partial<Omit<IClientOptions, 'clientId' | 'servers'>> {
  /** `mqtt(s)://host:port` or `ws(s)://host:port/path`; may carry user info. */
  readonly url?: string;
  /** Identity for placement and events. @defaultValue `host:port` */
  readonly id?: string;
  /** Share of the clients within its tier, 0 to 65535; 0 is a last resort. @defaultValue 1 */
  readonly weight?: number;
  /** Tier, 0 to 65535; lower is tried first. @defaultValue 0 */
  readonly priority?: number;
  /** Locality, compared with option `zone`. */
  readonly zone?: string;
  /** `draining`: no new connections, and those there are move away; `down`: left at once. @defaultValue 'up' */
  readonly state?: NodeState;
  /** Milliseconds since 1970 from which the broker has been up; a young one gets few clients at first. */
  readonly since?: number;
  /** Milliseconds since 1970 by which the clients of a draining broker should have left. */
  readonly drainBy?: number;
}

/** The user's own discovery: called at start and for every refresh. */
export type BrokerFunction = () =>
  | readonly (string | BrokerSpec)[]
  | Promise<readonly (string | BrokerSpec)[]>;

/** Several sources, used one after another or together. */
export interface BrokerSources {
  /** Each in any form that `brokers` may take; their order is their rank. */
  readonly sources: readonly BrokersInput[];
  /** `fallback`: the first source that answers; `union`: all merged. @defaultValue 'fallback' */
  readonly mode?: 'fallback' | 'union';
}

/** Every form that `brokers` may take; see the README. */
export type BrokersInput =
  | string
  | readonly (string | BrokerSpec)[]
  | BrokerFunction
  | Pick<Resolver, 'resolve'>
  | BrokerSources;

/** What is known of the brokers beside the list itself. */
export interface BrokerContext {
  /** The client has a certificate and a key: as in MQTT.js, `mqtt` then means `mqtts`, and `ws` `wss`. */
  readonly secure?: boolean;
  /** Where the list comes from. @defaultValue 'static' */
  readonly origin?: Origin;
}
