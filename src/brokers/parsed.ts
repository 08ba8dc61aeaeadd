/** The one shape that `brokers` has when it is read, whichever way it was written. */
import type { Resolver } from '../discovery/resolver.js';
import type { Endpoint, Scheme } from '../endpoint.js';
import type { BrokerFunction } from './input.js';

/** A list that was written down. */
export interface StaticBrokers {
  readonly kind: 'static';
  /** In the order in which they were written. */
  readonly endpoints: readonly Endpoint[];
}

/** A domain whose SRV records name the brokers (RFC 2782). */
export interface SrvBrokers {
  readonly kind: 'srv';
  /** How the targets of the records are dialed. */
  readonly scheme: Scheme;
  /** The domain that was configured, as A-labels. */
  readonly domain: string;
  /** Name of the service without its underscore: `secure-mqtt` for `_secure-mqtt._tcp`. */
  readonly service: string;
  /** WebSocket path of every target; empty for TCP and TLS. */
  readonly path: string;
}

/** A registry to ask. */
export interface RegistryBrokers {
  readonly kind: 'registry';
  /** What followed `registry+`. */
  readonly url: string;
}

/** A function of the application. */
export interface FunctionBrokers {
  readonly kind: 'function';
  /** The function as it was given. */
  readonly resolve: BrokerFunction;
}

/** A resolver of the application. */
export interface ResolverBrokers {
  readonly kind: 'resolver';
  /** The object as it was given. */
  readonly resolver: Pick<Resolver, 'resolve'>;
}

/** Several sources. */
export interface CompositeBrokers {
  readonly kind: 'composite';
  /** As {@link BrokerSources.mode}. */
  readonly mode: 'fallback' | 'union';
  /** In their order. */
  readonly sources: readonly ParsedBrokers[];
}

/** What {@link parseBrokers} makes of its input; tell them apart by `kind`. */
export type ParsedBrokers =
  | StaticBrokers
  | SrvBrokers
  | RegistryBrokers
  | FunctionBrokers
  | ResolverBrokers
  | CompositeBrokers;
