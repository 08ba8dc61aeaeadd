/** Sorts and checks what a broker object says: where it is, how it ranks, and what MQTT.js is told of it alone. */
import type { IClientOptions } from 'mqtt';
import type { Endpoint } from '../endpoint.js';
import { FailoverError, optionError } from '../errors.js';
import type { BrokerSpec } from './input.js';

type PlaceKey = 'id' | 'weight' | 'priority' | 'zone' | 'state' | 'since' | 'drainBy';

/** How a broker ranks among the others. */
export type Place = { readonly [K in PlaceKey]?: BrokerSpec[K] | undefined };

/** A broker object, sorted. */
export interface SortedSpec {
  readonly url?: string | undefined;
  /** As MQTT.js's `servers` say it; not checked. */
  readonly address: { readonly [K in 'host' | 'hostname' | 'port' | 'protocol']?: unknown };
  readonly place: Place;
  readonly path?: string | undefined;
  readonly options: Partial<IClientOptions>;
}

/**
 * Sorts a broker object.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function sortSpec(item: object, option: string): SortedSpec {
  // A set that a resolver passes on may hold endpoints instead of specs.
  const { scheme: _, options: own, ...spec } = item as BrokerSpec & Partial<Endpoint>;
  const { url, id, weight, priority, zone, state, since, drainBy, origin: _origin, ...rest } = spec;
  const { host, hostname, port, protocol, ...given } = rest;
  const { path, ...options }: Partial<IClientOptions> = { ...given, ...own };
  const place = { id, weight, priority, zone, state, since, drainBy };
  checkPlace(place, option);
  checkEndpointOptions(options, option);
  if (url !== undefined && typeof url !== 'string') throw optionError(`${option}.url`, 'a string', url);
  if (path !== undefined && typeof path !== 'string') throw optionError(`${option}.path`, 'a string', path);
  return { url, address: { host, hostname, port, protocol }, place, path, options };
}

function checkPlace({ id, weight, priority, zone, state, since, drainBy }: Place, option: string): void {
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
