/** Wires a registry resolver from the registry URL and the options. */
import type { Scheme } from '../../endpoint.js';
import type { Clock, Fetch, Random } from '../../platform/ports.js';
import { type RegistryHeaders, RegistryHttp } from './http.js';
import { RegistryResolver } from './registry-resolver.js';
import { RegistrySource } from './registry-source.js';
import { type RegistryTarget, readTargets } from './target.js';

/** Option group `discovery.registry`. */
export interface RegistryOptions {
  /** Headers of every request, or an async function that gives them. Never shown, never sent to another origin. @defaultValue none */
  readonly headers?: RegistryHeaders;
  /**
   * Milliseconds between polls at most, at least 1000; the registry may ask for more frequent ones, down to 5000.
   *
   * @defaultValue `discovery.refreshMs`, or what the registry says, or 30000
   */
  readonly pollMs?: number;
  /** True asks a document registry for an event stream; false forbids push also with Consul and etcd. @defaultValue only with Consul and etcd */
  readonly push?: boolean;
}

/** What the resolver works with. */
export interface RegistryWorld {
  readonly headers: RegistryOptions['headers'] | undefined;
  readonly pollMs: number | undefined;
  readonly push: boolean | undefined;
  readonly allowInsecure: boolean;
  readonly fetch: Fetch;
  readonly httpCache: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Schemes that the runtime can dial. */
  readonly schemes: ReadonlySet<Scheme>;
}

/** With push, the next full poll is still never more than ten minutes away (R64): this and 20 % jitter. */
const MAX_POLL_WITH_PUSH_MS = 500_000;
const MAX_POLL_MS = 3_600_000;

/**
 * Makes the resolver of `registry+https://…`.
 *
 * @param url - What follows `registry+`.
 * @throws {@link FailoverError} `ERR_OPTION` when the URL cannot be used.
 */
export function createRegistryResolver(url: string, world: RegistryWorld): RegistryResolver {
  const { allowInsecure, fetch, httpCache, clock, random, pollMs, push } = world;
  const http = new RegistryHttp({ fetch, clock, httpCache, headers: world.headers });
  const bounds = { pollMs, maxMs: push ? MAX_POLL_WITH_PUSH_MS : MAX_POLL_MS };
  const sources = readTargets(url, { allowInsecure }).map((target) => {
    const schemes = usableSchemes(target, world);
    return new RegistrySource({ target, http, clock, random, bounds, schemes });
  });
  return new RegistryResolver({ sources, http, clock, random, pollMs, push });
}

/**
 * A registry must not lead to plain connections (R189), unless the user asked for them: with `allowInsecure`, by a
 * plain registry, or by the URL's own `#scheme=`.
 */
function usableSchemes(
  { url, reach }: RegistryTarget,
  { schemes, allowInsecure }: RegistryWorld,
): ReadonlySet<Scheme> {
  const plain = allowInsecure || url.startsWith('http:');
  const usable = (scheme: Scheme) =>
    plain || scheme === 'mqtts' || scheme === 'wss' || scheme === reach.scheme;
  return new Set([...schemes].filter(usable));
}
