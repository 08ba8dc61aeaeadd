/** One dialable address of a broker node, and how it is identified. */
import type { IClientOptions } from 'mqtt';
import { optionError } from './errors.js';

/** Transport schemes after normalisation: `tcp` is `mqtt`; `ssl` and `tls` are `mqtts`. */
export type Scheme = 'mqtt' | 'mqtts' | 'ws' | 'wss';

const ALIASES: ReadonlyMap<string, Scheme> = new Map([
  ['mqtt', 'mqtt'],
  ['tcp', 'mqtt'],
  ['mqtts', 'mqtts'],
  ['ssl', 'mqtts'],
  ['tls', 'mqtts'],
  ['ws', 'ws'],
  ['wss', 'wss'],
]);

const DEFAULT_PORTS: Readonly<Record<Scheme, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

/** Schemes a user may write, for error messages. */
export const KNOWN_SCHEMES: readonly string[] = [...ALIASES.keys()];

/** The scheme that a name such as `tcp` or `MQTTS:` stands for, if any. */
export function toScheme(name: string): Scheme | undefined {
  return ALIASES.get(name.toLowerCase().replace(/:$/, ''));
}

/**
 * One dialable address with its place in the ranking. Immutable; a change of the list makes new objects only for
 * what changed.
 */
export interface Endpoint {
  /** Identity: hashed for placement, named in events and `status()`. Host and port unless given. */
  readonly id: string;
  /** Normalised URL without user info and query, which may carry tokens. */
  readonly url: string;
  /** How it is dialed. */
  readonly scheme: Scheme;
  /** Host name in lower case as A-labels, or IP address (IPv6 without brackets). */
  readonly host: string;
  /** TCP port, the scheme's own unless given. */
  readonly port: number;
  /** WebSocket path with query, starting with `/`; empty for TCP and TLS. */
  readonly path: string;
  /** Tier; lower is tried first. */
  readonly priority: number;
  /** Share of the clients within the tier; 0 is the last resort. */
  readonly weight: number;
  /** Locality, compared with option `zone`. */
  readonly zone: string | undefined;
  /** What the source of the list says of it; without a word, `up`. */
  readonly state: NodeState;
  /** Milliseconds since 1970 from which it has been up, where the source says so: a young one is spared (R136). */
  readonly since: number | undefined;
  /** Milliseconds since 1970 by which the clients of a draining endpoint should have left. */
  readonly drainBy: number | undefined;
  /** Where we know of it from; what was not written down by the user must be authorised before it is dialed (R171). */
  readonly origin: Origin;
  /** MQTT.js options for this endpoint alone. May hold credentials: never shown. */
  readonly options: Readonly<Partial<IClientOptions>>;
}

/**
 * An operator's word on a broker node (R45): `draining` keeps its links until they have moved and takes no new ones,
 * `down` takes none and is left now.
 */
export type NodeState = 'up' | 'draining' | 'down';

/**
 * Kind of source that named an endpoint. `static`, `function` and `resolver` are the user's own words or code;
 * `redirect` is a broker's Server Reference.
 */
export type Origin = 'static' | 'function' | 'resolver' | 'srv' | 'registry' | 'topic' | 'redirect';

/** What {@link createEndpoint} makes an endpoint of; see {@link Endpoint} for the fields. */
export interface EndpointInit {
  readonly scheme: Scheme;
  /** `host`, `host:port`, `[v6]` or `[v6]:port` as written. */
  readonly authority: string;
  /** WebSocket path with query; a slash in front is added where it is missing. */
  readonly path?: string;
  readonly id?: string | undefined;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly state?: NodeState | undefined;
  readonly since?: number | undefined;
  readonly drainBy?: number | undefined;
  readonly origin?: Origin | undefined;
  readonly options?: Partial<IClientOptions>;
}

/**
 * Builds a normalised, frozen endpoint.
 *
 * The default id is `host:port` with the host in lower case, as A-labels, without trailing dot, IPv6 in RFC 5952 form
 * (R128), so that different spellings of one address place clients alike.
 *
 * @param option - Where the address came from, for the error message.
 * @throws {@link FailoverError} `ERR_OPTION` if the authority is not a host with an optional port.
 */
export function createEndpoint(init: EndpointInit, option: string): Endpoint {
  const { host, port } = parseAuthority(init.authority, init.scheme, option);
  const isWebSocket = init.scheme === 'ws' || init.scheme === 'wss';
  const path = isWebSocket ? absolutePath(init.path ?? '') : '';
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return Object.freeze({
    id: init.id ?? authority,
    url: `${init.scheme}://${authority}${path.split('?', 1)[0]}`,
    scheme: init.scheme,
    host,
    port,
    path,
    priority: init.priority ?? 0,
    weight: init.weight ?? 1,
    zone: init.zone,
    state: init.state ?? 'up',
    since: init.since,
    drainBy: init.drainBy,
    origin: init.origin ?? 'static',
    options: Object.freeze({ ...init.options }),
  });
}

/** The URL to dial: {@link Endpoint.url} with the query, which may carry a token. Not for people. */
export function urlToDial({ url, path }: Endpoint): string {
  const query = path.indexOf('?');
  return query < 0 ? url : url + path.slice(query);
}

/** Without its slash a path would run into the host, and `@` or `.` in it name another. */
function absolutePath(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function parseAuthority(authority: string, scheme: Scheme, option: string): { host: string; port: number } {
  const match = /^(\[[^\]]*\]|[^:[\]\\/?#@\s]*)(?::(\d*))?$/.exec(authority);
  const expected = '`host`, `host:port` or `[IPv6]:port`';
  if (!match?.[1]) throw optionError(option, expected, authority);
  const port = match[2] ? Number(match[2]) : DEFAULT_PORTS[scheme];
  if (!(port >= 1 && port <= 65_535))
    throw optionError(option, `${expected} with a port from 1 to 65535`, authority);
  return { host: normaliseHost(match[1], option), port };
}

/** Lets the URL parser of the platform do case, IDNA and IP forms; `http` because other schemes skip them. */
function normaliseHost(host: string, option: string): string {
  if (isPlainName(host)) return host;
  let parsed: string;
  try {
    parsed = new URL(`http://${host}`).hostname;
  } catch (cause) {
    throw optionError(option, 'a valid host name or IP address', host, { cause });
  }
  const bare = parsed.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (bare === '' || bare.endsWith('.') || bare.length > 253)
    throw optionError(option, 'a valid host name or IP address', host);
  return bare;
}

/** Whether the URL parser would return a name as it is. Most are such, and parsing is what a list of thousands costs. */
function isPlainName(host: string): boolean {
  if (host.length > 253 || !/^[a-z0-9.-]+$/.test(host) || host.includes('xn--')) return false;
  const last = host.slice(host.lastIndexOf('.') + 1);
  // A last label that begins with a digit may be part of an address.
  return /^[a-z]/.test(last) && !host.startsWith('.') && !host.includes('..');
}
