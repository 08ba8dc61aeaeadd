/** From brokers that were written down, as URLs or objects, to endpoints. */
import type { IClientOptions } from 'mqtt';
import { createEndpoint, type Endpoint, KNOWN_SCHEMES, type Scheme, toScheme } from '../endpoint.js';
import { describe, FailoverError, optionError } from '../errors.js';
import type { BrokerContext } from './input.js';
import { type SortedSpec, sortSpec } from './spec.js';
import { readUrl } from './url.js';

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
    list.flatMap((item: unknown, index) => endpointsOf(item, `${option}[${index}]`, context)),
    option,
  );
}

/**
 * Reads one URL, which may name several brokers.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseBrokerUrl(url: string, option: string, context: BrokerContext): readonly Endpoint[] {
  return distinct(endpointsAt(url, ONLY_URL, option, context), option);
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

/** What is said beside a URL that stands alone. */
const ONLY_URL: SortedSpec = { address: {}, place: {}, options: {} };

function endpointsOf(item: unknown, option: string, context: BrokerContext): Endpoint[] {
  if (typeof item === 'string') return endpointsAt(item, ONLY_URL, option, context);
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw optionError(option, 'a URL or an object with `url`', item);
  }
  const spec = sortSpec(item, option);
  return spec.url === undefined
    ? [endpointBy(spec, option, context)]
    : endpointsAt(spec.url, spec, option, context);
}

function endpointsAt(url: string, spec: SortedSpec, option: string, context: BrokerContext): Endpoint[] {
  const { place, path, options } = spec;
  const parts = readUrl(url, option);
  const scheme = schemeFor(parts.scheme, options, context) as Scheme;
  if (parts.authorities.length > 1 && place.id !== undefined) {
    throw optionError(`${option}.id`, 'left out for a URL with several hosts', place.id);
  }
  const shared = {
    scheme,
    path: path ?? parts.path,
    ...place,
    origin: context.origin,
    options: { ...parts.credentials, ...options },
  };
  return parts.authorities.map((authority) => createEndpoint({ authority, ...shared }, option));
}

/** Of an item of MQTT.js's own `servers`, which has no URL. */
function endpointBy(spec: SortedSpec, option: string, context: BrokerContext): Endpoint {
  const { url, place, path = '', options } = spec;
  const { host, hostname, port, protocol } = spec.address;
  const name = hostname ?? host;
  if (typeof name !== 'string' || name === '') throw optionError(`${option}.url`, 'a broker URL', url);
  const scheme = schemeFor(protocol ?? 'mqtt', options, context);
  if (!scheme) throw optionError(`${option}.protocol`, `one of ${KNOWN_SCHEMES.join(', ')}`, protocol);
  const bracketed = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
  const authority = port === undefined ? bracketed : `${bracketed}:${port}`;
  return createEndpoint({ scheme, authority, path, ...place, origin: context.origin, options }, option);
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
