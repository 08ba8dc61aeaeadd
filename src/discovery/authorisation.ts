/**
 * Whether an endpoint may be dialed at all: one function, asked before every dial (R171, R188–R191).
 *
 * What the user wrote, or the user's own code gave, is authorised. What DNS, a registry, a topic or a broker named is
 * outside data: its host must belong to the configured name or stand on `discovery.allowedHosts`, its scheme must not be
 * weaker than what was asked for, and its addresses must not reach further inwards than the source itself.
 */
import type { ParsedBrokers } from '../brokers/parsed.js';
import type { Endpoint, Scheme } from '../endpoint.js';
import { isLoopback } from '../loopback.js';
import type { AddressScope } from '../platform/ports.js';
import { isUnder, matches } from './host-policy.js';
import { readRegistryUrl } from './registry/registry-url.js';

/** What the user's configuration says of hosts. */
export interface AuthorisationRules {
  readonly brokers: ParsedBrokers;
  /** As `checkAllowedHosts` returned them; takes the place of the parent-domain rule where given. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly allowInsecure: boolean;
  /** DNS servers or DoH host that SRV records come from; the system's own where empty. */
  readonly dnsHosts: readonly string[];
  /** The scope of an address; left out where the runtime does not see addresses. */
  readonly addressScope: ((address: string) => AddressScope) | undefined;
}

/** Who named an endpoint, as far as its hosts are concerned. */
interface Source {
  readonly origin: 'srv' | 'registry' | 'seed';
  /** A domain for SRV, a host for the others. */
  readonly name: string;
  readonly scheme: Scheme | undefined;
}

const PLAIN: ReadonlySet<Scheme> = new Set<Scheme>(['mqtt', 'ws']);

/** Names that only exist inside a network or machine (RFC 6761, RFC 6762, RFC 8375, ICANN 2024, and habit). */
const INSIDE =
  /^[^.]+$|\.(test|local|localhost|internal|lan|home\.arpa|corp|home|private|intranet|consul|svc|cluster)$/;

const INSIDE_TOO: readonly AddressScope[] = ['public', 'private'];
const EVERYWHERE: readonly AddressScope[] = ['public', 'private', 'loopback'];

/** Judges endpoints by the configuration of one client. */
export class Authorisation {
  readonly #rules: AuthorisationRules;
  readonly #sources: readonly Source[];

  constructor(rules: AuthorisationRules) {
    this.#rules = rules;
    this.#sources = sourcesOf(rules.brokers);
  }

  /** Why `endpoint` must not be dialed; `undefined` when it may. */
  refusal(endpoint: Endpoint): string | undefined {
    if (isOwn(endpoint)) return undefined;
    const sources = this.#sourcesOf(endpoint);
    return this.#schemeRefusal(endpoint, sources) ?? this.#hostRefusal(endpoint, sources);
  }

  /** Those of the addresses that a host was resolved to, just before the dial, that may be used (R191). */
  admitted<A extends { readonly address: string }>(
    endpoint: Endpoint,
    addresses: readonly A[],
  ): readonly A[] {
    const { addressScope, allowedHosts } = this.#rules;
    if (!addressScope || isOwn(endpoint)) return addresses;
    const named = allowedHosts?.includes(endpoint.host) === true;
    const listed = allowedHosts !== undefined && matches(allowedHosts, endpoint.host);
    const reach = named ? EVERYWHERE : listed ? INSIDE_TOO : this.#reach(endpoint);
    return addresses.filter(({ address }) => reach.includes(addressScope(address)));
  }

  #sourcesOf({ origin }: Endpoint): readonly Source[] {
    if (origin === 'topic' || origin === 'redirect') return this.#sources;
    return this.#sources.filter((source) => source.origin === origin);
  }

  #schemeRefusal({ scheme, host }: Endpoint, sources: readonly Source[]): string | undefined {
    if (!PLAIN.has(scheme) || this.#rules.allowInsecure || isLoopback(host)) return undefined;
    if (sources.some((source) => source.scheme !== undefined && PLAIN.has(source.scheme))) return undefined;
    return `${scheme} is not encrypted, and nothing that was configured asks for that (allowInsecure: true permits it)`;
  }

  #hostRefusal({ host, origin }: Endpoint, sources: readonly Source[]): string | undefined {
    const { allowedHosts } = this.#rules;
    if (allowedHosts) {
      return matches(allowedHosts, host) ? undefined : `${host} is not among discovery.allowedHosts`;
    }
    // A domain vouches for what its operator lists, not for what one of its brokers says (R94).
    if (origin === 'redirect')
      return `${host} is named by a broker alone (discovery.allowedHosts can permit it)`;
    if (sources.some((source) => vouchesFor(source, host))) return undefined;
    const names = sources.map(({ name }) => name).join(', ');
    return `${host} does not belong to ${names} (discovery.allowedHosts can permit it)`;
  }

  /** Scopes as far inside as the sources of an endpoint lie themselves. */
  #reach(endpoint: Endpoint): readonly AddressScope[] {
    const { dnsHosts } = this.#rules;
    const sources = this.#sourcesOf(endpoint);
    const fromDns = sources.some(({ origin }) => origin === 'srv');
    const places = [
      ...sources.filter(({ origin }) => origin !== 'srv').map(({ name }) => this.#scope(name)),
      ...(fromDns ? dnsHosts.map((host) => this.#scope(host)) : []),
      // Whose answers the system's resolver passes on is unknown; most networks have their own.
      ...(fromDns && dnsHosts.length === 0 ? (['private'] as const) : []),
    ];
    if (places.includes('public')) return ['public'];
    return places.includes('private') ? INSIDE_TOO : EVERYWHERE;
  }

  #scope(host: string): AddressScope {
    if (isLoopback(host)) return 'loopback';
    if (/^[\d.]+$|:/.test(host)) return this.#rules.addressScope?.(host) ?? 'public';
    return INSIDE.test(host) ? 'private' : 'public';
  }
}

/** From the user: written down, or returned by the user's own code. */
function isOwn({ origin }: Endpoint): boolean {
  return origin === 'static' || origin === 'function' || origin === 'resolver';
}

function vouchesFor({ origin, name }: Source, host: string): boolean {
  if (origin === 'srv') return isUnder(name, host);
  if (host === name || (isLoopback(host) && isLoopback(name))) return true;
  // The parent of an address is not a domain.
  return !/^[\d.]+$|:/.test(name) && isUnder(name, host);
}

function sourcesOf(brokers: ParsedBrokers): Source[] {
  switch (brokers.kind) {
    case 'static':
      return brokers.endpoints.map(({ host, scheme }) => ({ origin: 'seed', name: host, scheme }));
    case 'srv':
      return [{ origin: 'srv', name: brokers.domain, scheme: brokers.scheme }];
    case 'registry':
      return registrySources(brokers.url);
    case 'composite':
      return brokers.sources.flatMap(sourcesOf);
    case 'function':
    case 'resolver':
      return [];
  }
}

/** A registry may have several hosts, and its URL may ask for a plain scheme itself. */
function registrySources(url: string): Source[] {
  // What was wrong with it has been thrown before: here it is only read.
  const { urls, reach } = readRegistryUrl(url, { allowInsecure: true });
  return urls.map(({ protocol, hostname }) => ({
    origin: 'registry',
    name: hostname.replace(/^\[|\]$/g, ''),
    scheme: protocol === 'http:' ? 'mqtt' : reach.scheme,
  }));
}
