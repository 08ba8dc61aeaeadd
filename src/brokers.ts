/** Everything a user may write for `brokers`, read into one shape. Pure: no I/O. */
import type { IClientOptions } from 'mqtt';
import type { Resolver } from './discovery/resolver.js';
import {
  createEndpoint,
  type Endpoint,
  KNOWN_SCHEMES,
  type NodeState,
  type Origin,
  type Scheme,
  toScheme,
} from './endpoint.js';
import { describe, FailoverError, optionError } from './errors.js';

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

/**
 * Reads `brokers` in any of its forms. Pure: nothing is resolved, and nothing is dialed.
 *
 * @returns the form, with every default filled in.
 * @throws {@link FailoverError} `ERR_OPTION` naming what is wrong: no brokers, an unknown scheme, mixed user info,
 * duplicate ids, a weight that is not a number, …
 */
export function parseBrokers(input: BrokersInput, context: BrokerContext = {}): ParsedBrokers {
  return parse(input, 'brokers', context);
}

/** What is known of the brokers beside the list itself. */
export interface BrokerContext {
  /** The client has a certificate and a key: as in MQTT.js, `mqtt` then means `mqtts`, and `ws` `wss`. */
  readonly secure?: boolean;
  /** Where the list comes from. @defaultValue 'static' */
  readonly origin?: Origin;
}

/**
 * Reads a list of broker specs, as a static list or a user's function gives it.
 *
 * @param option - Name of the list in error messages.
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseBrokerList(
  list: unknown,
  option: string,
  context: BrokerContext = {},
): readonly Endpoint[] {
  if (!Array.isArray(list)) throw optionError(option, 'an array of URLs or broker objects', list);
  if (list.length === 0) throw optionError(option, 'a list with at least one broker', list);
  return distinct(
    list.flatMap((item: unknown, index) => parseListItem(item, `${option}[${index}]`, context)),
    option,
  );
}

function distinct(endpoints: Endpoint[], option: string): readonly Endpoint[] {
  const ids = new Set<string>();
  for (const { id } of endpoints) {
    if (ids.has(id)) {
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`${option}\` must have distinct ids, got ${describe(id)} twice`,
      );
    }
    ids.add(id);
  }
  return Object.freeze(endpoints);
}

function parse(input: unknown, option: string, context: BrokerContext): ParsedBrokers {
  if (typeof input === 'string') return parseText(input, option, context);
  if (Array.isArray(input)) return { kind: 'static', endpoints: parseBrokerList(input, option, context) };
  if (typeof input === 'function') return { kind: 'function', resolve: input as BrokerFunction };
  if (typeof input === 'object' && input !== null) {
    if ('resolve' in input && typeof input.resolve === 'function')
      return { kind: 'resolver', resolver: input as Resolver };
    if ('sources' in input) return parseSources(input as BrokerSources, option, context);
    if ('url' in input || 'host' in input)
      return { kind: 'static', endpoints: parseBrokerList([input], option, context) };
  }
  throw optionError(option, 'a URL, an array of brokers, a function, a resolver or { sources }', input);
}

function parseSources(input: BrokerSources, option: string, context: BrokerContext): ParsedBrokers {
  const { sources, mode = 'fallback' } = input;
  if (!Array.isArray(sources) || sources.length === 0) {
    throw optionError(`${option}.sources`, 'an array with at least one source', sources);
  }
  if (mode !== 'fallback' && mode !== 'union')
    throw optionError(`${option}.mode`, "'fallback' or 'union'", mode);
  return {
    kind: 'composite',
    mode,
    sources: sources.map((s, i) => parse(s, `${option}.sources[${i}]`, context)),
  };
}

const URL_FORM = /^([a-z][a-z0-9.-]*)(\+[a-z0-9.+-]+)?:\/\/([^/?#]*)([^#]*)/i;

function parseText(text: string, option: string, context: BrokerContext): ParsedBrokers {
  const trimmed = text.trim();
  if (trimmed === '') throw optionError(option, 'at least one broker URL', text);
  const match = URL_FORM.exec(trimmed);
  const scheme = match?.[1] as string;
  const suffix = match?.[2]?.toLowerCase();
  if (match && scheme.toLowerCase() === 'registry' && (suffix === '+https' || suffix === '+http')) {
    return { kind: 'registry', url: trimmed.slice('registry+'.length) };
  }
  if (match && suffix === '+srv') return parseSrv(match, option, text);
  return { kind: 'static', endpoints: distinct(parseListItem(trimmed, option, context), option) };
}

function parseSrv(match: RegExpExecArray, option: string, text: string): ParsedBrokers {
  const scheme = toScheme(match[1] as string);
  const domain = match[3] as string;
  const url = new URL(`http://unused${(match[4] ?? '').replace(/^(?!\/)/, '/')}`);
  if (!scheme) throw optionError(option, `a URL with one of the schemes ${KNOWN_SCHEMES.join(', ')}`, text);
  if (domain === '' || /[:,@[\]]/.test(domain)) {
    throw optionError(option, 'an SRV URL with exactly one domain name and no port (R5)', text);
  }
  const service =
    url.searchParams.get('srv') ?? { mqtt: 'mqtt', mqtts: 'secure-mqtt', ws: '', wss: '' }[scheme];
  if (!/^[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/i.test(service)) {
    throw optionError(
      option,
      'an SRV URL that names its service with ?srv=, such as ?srv=mqtt-ws (R3)',
      text,
    );
  }
  url.searchParams.delete('srv');
  return { kind: 'srv', scheme, domain: domain.toLowerCase(), service, path: url.pathname + url.search };
}

interface UrlParts {
  readonly scheme: Scheme;
  readonly authorities: readonly string[];
  readonly path: string;
  readonly credentials: Partial<IClientOptions>;
}

/** Splits a URL that may name several hosts; they share scheme, path, query and user info. */
function splitUrl(url: string, option: string): UrlParts {
  const match = URL_FORM.exec(url.trim());
  const scheme = match && !match[2] ? toScheme(match[1] as string) : undefined;
  if (!match || !scheme) {
    throw optionError(
      option,
      `a URL such as mqtts://host:8883 with one of the schemes ${KNOWN_SCHEMES.join(', ')}`,
      url,
    );
  }
  const authority = match[3] as string;
  const after = url.trim().slice(url.trim().indexOf(authority) + authority.length);
  if (
    !authority.includes('@') &&
    after.includes('@') &&
    /:(?!\d*(,|$))/.test(authority.replace(/\[[^\]]*\]/g, ''))
  ) {
    // A slash, ? or # in the password ended the authority early: what is left of it must not show.
    throw malformedUserInfo(option);
  }
  const at = authority.indexOf('@');
  const hosts = authority.slice(at + 1).split(',');
  if (at !== authority.lastIndexOf('@') || authority.slice(0, Math.max(at, 0)).includes(',')) {
    throw optionError(
      option,
      'a URL whose user info stands once, before the first host (encode @ as %40, a comma as %2C)',
      url,
    );
  }
  return {
    scheme,
    authorities: hosts.map((host) => host.trim()),
    path: match[4] ?? '',
    credentials: at < 0 ? {} : parseUserInfo(authority.slice(0, at), option),
  };
}

function parseUserInfo(userInfo: string, option: string): Partial<IClientOptions> {
  const colon = userInfo.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? userInfo : userInfo.slice(0, colon));
    return colon < 0 ? { username } : { username, password: decodeURIComponent(userInfo.slice(colon + 1)) };
  } catch {
    // No cause: the platform's error may quote the password.
    throw malformedUserInfo(option);
  }
}

function malformedUserInfo(option: string): FailoverError {
  return new FailoverError(
    'ERR_OPTION',
    `Option \`${option}\` must have percent-encoded user info, got a malformed one`,
  );
}

function parseListItem(item: unknown, option: string, context: BrokerContext): Endpoint[] {
  if (typeof item === 'string') return endpointsOf(item, {}, {}, option, context);
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw optionError(option, 'a URL or an object with `url`', item);
  }
  // A set that a resolver passes on may hold endpoints instead of specs.
  const { scheme: _, options: own, ...spec } = item as BrokerSpec & Partial<Endpoint>;
  const { url, id, weight, priority, zone, state, since, drainBy, origin: _origin, ...address } = spec;
  const { host, hostname, port, protocol, ...rest } = address;
  const options: Partial<IClientOptions> = { ...rest, ...own };
  const place = { id, weight, priority, zone, state, since, drainBy };
  checkPlace(place, option);
  checkEndpointOptions(options, option);
  if (url !== undefined) {
    if (typeof url !== 'string') throw optionError(`${option}.url`, 'a string', url);
    return endpointsOf(url, place, options, option, context);
  }
  // MQTT.js's own `servers` items.
  const name = hostname ?? host;
  if (typeof name !== 'string' || name === '') throw optionError(`${option}.url`, 'a broker URL', url);
  const scheme = schemeFor(protocol ?? 'mqtt', options, context);
  if (!scheme) throw optionError(`${option}.protocol`, `one of ${KNOWN_SCHEMES.join(', ')}`, protocol);
  const bracketed = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
  const authority = port === undefined ? bracketed : `${bracketed}:${port}`;
  return [
    createEndpoint(
      {
        scheme,
        authority,
        ...place,
        ...pathOf(options, option),
        origin: context.origin,
        options: omitPath(options),
      },
      option,
    ),
  ];
}

type Place = Pick<BrokerSpec, 'id' | 'weight' | 'priority' | 'zone' | 'state' | 'since' | 'drainBy'> &
  Record<string, unknown>;

function checkPlace(
  { id, weight, priority, zone, state, since, drainBy }: { [K in keyof Place]: Place[K] | undefined },
  option: string,
): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (id !== undefined && !(typeof id === 'string' && /^[^\u0000-\u001f\u007f]{1,128}$/.test(id))) {
    throw optionError(`${option}.id`, 'a string of 1 to 128 characters', id);
  }
  if (weight !== undefined && !(typeof weight === 'number' && weight >= 0 && weight <= 65_535)) {
    throw optionError(`${option}.weight`, 'a number from 0 to 65535', weight);
  }
  if (
    priority !== undefined &&
    !(Number.isInteger(priority) && Number(priority) >= 0 && Number(priority) <= 65_535)
  ) {
    throw optionError(`${option}.priority`, 'an integer from 0 to 65535', priority);
  }
  if (zone !== undefined && !(typeof zone === 'string' && zone !== '' && zone.length <= 64)) {
    throw optionError(`${option}.zone`, 'a string of 1 to 64 characters', zone);
  }
  if (state !== undefined && state !== 'up' && state !== 'draining' && state !== 'down') {
    throw optionError(`${option}.state`, "'up', 'draining' or 'down'", state);
  }
  for (const [name, at] of Object.entries({ since, drainBy })) {
    if (at !== undefined && !(typeof at === 'number' && Number.isFinite(at)))
      throw optionError(`${option}.${name}`, 'milliseconds since 1970', at);
  }
}

/** Options that describe the one session all endpoints share; they cannot differ between endpoints. */
const SESSION_ONLY = [
  'clientId',
  'servers',
  'incomingStore',
  'outgoingStore',
  'messageIdProvider',
  'reconnectPeriod',
  'manualConnect',
];

function checkEndpointOptions(options: object, option: string): void {
  for (const key of SESSION_ONLY) {
    if ((options as Record<string, unknown>)[key] !== undefined) {
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`${option}.${key}\` must be given for the client, not for one endpoint`,
      );
    }
  }
}

function endpointsOf(
  url: string,
  place: { [K in keyof Place]: Place[K] | undefined },
  options: Partial<IClientOptions>,
  option: string,
  context: BrokerContext,
): Endpoint[] {
  const { scheme: written, authorities, path, credentials } = splitUrl(url, option);
  const scheme = schemeFor(written, options, context) as Scheme;
  if (authorities.length > 1 && place.id !== undefined) {
    throw optionError(`${option}.id`, 'left out for a URL with several hosts', place.id);
  }
  return authorities.map((authority) =>
    createEndpoint(
      {
        scheme,
        authority,
        path,
        ...place,
        ...pathOf(options, option),
        origin: context.origin,
        options: { ...credentials, ...omitPath(options) },
      },
      option,
    ),
  );
}

/** The scheme to use for `name`: with a client certificate the plain ones stand for their secure twins. */
function schemeFor(
  name: unknown,
  { cert, key }: Partial<IClientOptions>,
  { secure }: BrokerContext,
): Scheme | undefined {
  const scheme = typeof name === 'string' ? toScheme(name) : undefined;
  if (!secure && !(cert && key)) return scheme;
  return scheme === 'mqtt' ? 'mqtts' : scheme === 'ws' ? 'wss' : scheme;
}

function pathOf({ path }: Partial<IClientOptions>, option: string): { path?: string } {
  if (path === undefined) return {};
  if (typeof path !== 'string') throw optionError(`${option}.path`, 'a string', path);
  return { path };
}

function omitPath({ path: _, ...rest }: Partial<IClientOptions>): Partial<IClientOptions> {
  return rest;
}
