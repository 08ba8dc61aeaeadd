/** From an SRV URL and the options to its resolver. */
import type { ParsedBrokers } from '../../brokers/parsed.js';
import type { Clock, DnsServer, DnsTransport, Fetch } from '../../platform/ports.js';
import { isUnder, matches } from '../host-policy.js';
import type { Resolver } from '../resolver.js';
import { checkSrv } from './check-srv.js';
import type { DnsQuery } from './dns-query.js';
import { DohResolver } from './doh.js';
import { SrvResolver } from './srv-resolver.js';
import { StubResolver } from './stub-resolver.js';

/** What SRV discovery needs of the client's options, checked, and of the runtime. */
export interface SrvDeps {
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** Left out in runtimes without sockets. */
  readonly dns?: DnsTransport | undefined;
  readonly servers?: readonly DnsServer[] | undefined;
  /** Asked instead of any other server when given. */
  readonly doh?: URL | undefined;
  /** Milliseconds; lowers the least that a TTL counts, which is a minute. */
  readonly refreshMs?: number | undefined;
  /** Replaces the parent-domain rule when given (R25). */
  readonly allowedHosts?: readonly string[] | undefined;
}

/** Milliseconds that an answer holds at least, whatever its TTL says (R16). */
const MIN_TTL_MS = 60_000;

/**
 * Makes the resolver of `mqtt+srv:` and its kin. No I/O.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for a domain that is none, or when this runtime has no way to the DNS.
 */
export function createSrvResolver(
  { scheme, domain, service, path }: Extract<ParsedBrokers, { kind: 'srv' }>,
  deps: SrvDeps,
): Resolver {
  const { clock, allowedHosts, refreshMs = MIN_TTL_MS } = deps;
  const name = checkSrv({ service, domain }, deps);
  // The configured domain, wherever aliases lead (R26).
  const configured = name.split('.').slice(2).join('.');
  const allowed = (host: string) => (allowedHosts ? matches(allowedHosts, host) : isUnder(configured, host));
  const minTtlMs = Math.min(refreshMs, MIN_TTL_MS);
  const source = { name, scheme, path };
  return new SrvResolver(source, { query: createQuery(deps), allowed, clock, minTtlMs });
}

function createQuery({ clock, fetch, dns, servers, doh }: SrvDeps): DnsQuery {
  if (doh) {
    const resolver = new DohResolver({ url: doh, fetch, clock });
    return (name, signal) => resolver.query(name, signal);
  }
  const resolver = new StubResolver({ dns: dns as DnsTransport, clock, servers });
  return (name, signal) => resolver.query(name, signal);
}
