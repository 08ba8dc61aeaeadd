/** From DNS records to endpoints. Pure: the order of the records makes no difference. */
import { createEndpoint, type Endpoint, type Scheme } from '../../endpoint.js';
import { DnsFailure } from './dns-failure.js';
import type { DnsAnswer, DnsRecord, SrvRecord } from './dns-query.js';
import { isHostName } from './srv-name.js';

/** What the records are turned into endpoints of. */
export interface SrvSource {
  /** The name that was asked for, in A-labels. */
  readonly name: string;
  readonly scheme: Scheme;
  /** WebSocket path with query, from the configuration: the DNS has no say in it (R3). */
  readonly path: string;
}

/** What an answer amounts to. */
export interface SrvEndpoints {
  /** By tier, then by id; ids are distinct. */
  readonly endpoints: readonly Endpoint[];
  /** Milliseconds: the lowest TTL of the records, and of the aliases that led to them (R16). */
  readonly ttlMs: number;
  /** Records that are not used, and why; for the log. */
  readonly dropped: readonly DroppedTarget[];
}

export interface DroppedTarget {
  /** Host and port as they came: outside data. */
  readonly target: string;
  readonly reason: string;
}

/** CNAMEs that are followed (R9). */
const MAX_ALIASES = 8;

/**
 * Turns the records of an answer into endpoints: priority is the tier, weight the weight, `host:port` the id (R128).
 *
 * Left out are records of other names and types (R9), a target `.` among others, port 0, IP addresses and malformed
 * names as targets (R11), and hosts that `allowed` refuses. Of two records with one host and port, the one with the
 * lower priority counts, then the one with the higher weight.
 *
 * @param allowed - The host policy; gets host names in lower case.
 * @throws {@link DnsFailure} `nxdomain`, `nodata`, `service-unavailable` for a single target `.` (RFC 2782, R10), or
 * `no-usable-target` when every record was left out.
 */
export function srvEndpoints(
  { name, scheme, path }: SrvSource,
  { server, exists, records, negativeTtlMs }: DnsAnswer,
  allowed: (host: string) => boolean,
): SrvEndpoints {
  if (!exists)
    throw new DnsFailure('nxdomain', `${server} says that there is no such name`, { ttlMs: negativeTtlMs });
  const { services, ttlMs } = follow(name, records);
  if (services.length === 0) {
    const message = `${server} says that the name has no SRV records`;
    throw new DnsFailure('nodata', message, { ttlMs: negativeTtlMs });
  }
  if (services.length === 1 && services[0]?.target === '.') {
    const message = `${server} says that the service is decidedly not available at this domain (target ".")`;
    throw new DnsFailure('service-unavailable', message, { ttlMs });
  }
  const dropped: DroppedTarget[] = [];
  const best = new Map<string, Endpoint>();
  for (const { target, port, priority, weight } of services) {
    const reason = unusable(target, port, allowed);
    if (reason !== undefined) {
      dropped.push({ target: `${target}:${port}`, reason });
      continue;
    }
    const endpoint = createEndpoint(
      { origin: 'srv', scheme, authority: `${target}:${port}`, path, priority, weight },
      name,
    );
    const known = best.get(endpoint.id);
    if (!known || isBetter(endpoint, known)) best.set(endpoint.id, endpoint);
  }
  if (best.size === 0) {
    throw new DnsFailure('no-usable-target', `${server} gave no target that may be used: ${list(dropped)}`);
  }
  const endpoints = [...best.values()].sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
  return { endpoints, ttlMs, dropped };
}

/** The SRV records at the end of the aliases of `name`. */
function follow(name: string, records: readonly DnsRecord[]): { services: SrvRecord[]; ttlMs: number } {
  let owner = name.toLowerCase();
  let ttlMs = Number.POSITIVE_INFINITY;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases += 1) {
    const here = records.filter((record) => record.name.toLowerCase() === owner);
    const services = here.filter((record) => record.type === 'SRV');
    if (services.length > 0) return { services, ttlMs: lowest(ttlMs, services) };
    const alias = here.find((record) => record.type === 'CNAME');
    if (!alias) break;
    ttlMs = lowest(ttlMs, [alias]);
    owner = alias.target.toLowerCase();
  }
  return { services: [], ttlMs };
}

function lowest(ttlMs: number, records: readonly DnsRecord[]): number {
  return records.reduce((low, record) => Math.min(low, record.ttlMs), ttlMs);
}

/** Why a target is left out that the host policy refuses. */
export const FOREIGN_HOST = 'the host is neither under the domain nor in allowedHosts';

/** Why a record cannot be used. */
function unusable(target: string, port: number, allowed: (host: string) => boolean): string | undefined {
  if (target === '.') return 'a target "." beside others means nothing';
  if (port === 0) return 'port 0';
  if (!isHostName(target)) return 'not a host name';
  if (!allowed(target.toLowerCase())) return FOREIGN_HOST;
  return undefined;
}

function isBetter(a: Endpoint, b: Endpoint): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.weight > b.weight);
}

const SHOWN_TARGETS = 3;

function list(dropped: readonly DroppedTarget[]): string {
  const shown = dropped
    .slice(0, SHOWN_TARGETS)
    .map(({ target, reason }) => `${JSON.stringify(target)} (${reason})`);
  const more = dropped.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
