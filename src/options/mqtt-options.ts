/** MQTT.js's own options where there are several brokers: what they must be, and which are passed on. */
import type { IClientOptions } from 'mqtt';
import { FailoverError, optionError } from '../errors.js';
import { GROUP_NAMES } from './groups.js';
import type { FailoverOptions } from './options.js';

/**
 * Checks the client id alone; a plain single-broker client needs no more.
 *
 * @param mayBeEmpty - MQTT allows an empty id, which the server replaces; placement by client id cannot use it (R73).
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function checkClientId(clientId: unknown, mayBeEmpty: boolean): void {
  if (clientId === undefined || clientId === null) return;
  if (typeof clientId !== 'string' || (clientId === '' && !mayBeEmpty)) {
    throw optionError('clientId', 'a non-empty string', clientId);
  }
  if (clientId.includes('\u0000')) throw optionError('clientId', 'free of U+0000 [MQTT-1.5.4-2]', clientId);
  if (new TextEncoder().encode(clientId).length > 65_535)
    throw optionError('clientId', 'at most 65535 bytes', clientId);
}

/** Options of MQTT.js that a client of several brokers cannot have: and what to write instead, or why. */
const UNSUPPORTED = {
  incomingStore: 'use `outbox.store`',
  outgoingStore: 'use `outbox.store`',
  socksProxy: 'give `wsOptions.agent`, or a network of your own by `overrides`',
  messageIdProvider: 'packet ids in flight must survive a fail-over',
};

/**
 * Checks MQTT.js's options, and ours that need one of them.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function checkMqttOptions(options: FailoverOptions): void {
  checkClientId(options.clientId, options.selection === 'random' || options.selection === 'ordered');
  for (const [name, instead] of Object.entries(UNSUPPORTED)) {
    if (options[name as keyof FailoverOptions])
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`${name}\` cannot be used with several brokers: ${instead}`,
      );
  }
  for (const name of ['reconnectPeriod', 'connectTimeout', 'keepalive'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && Number.isFinite(value))) {
      throw optionError(name, 'a number >= 0', value);
    }
  }
  if (options.protocolVersion !== undefined && ![3, 4, 5].includes(options.protocolVersion)) {
    throw optionError('protocolVersion', '3, 4 or 5', options.protocolVersion);
  }
  checkOutbox(options);
  if (options.clean === false && !options.clientId) {
    throw optionError('clientId', 'given when `clean` is false', options.clientId);
  }
}

function checkOutbox({ outbox = {}, clientId, protocolVersion }: FailoverOptions): void {
  const { store, codec, dedupId } = outbox;
  if (store !== undefined && !clientId)
    throw optionError('clientId', 'given with `outbox.store`: only the same id finds its messages', clientId);
  if (codec !== undefined && store === undefined)
    throw optionError('outbox.store', 'given with `outbox.codec`', store);
  if (dedupId && protocolVersion !== 5)
    throw optionError('protocolVersion', '5 with `outbox.dedupId`, a user property', protocolVersion);
}

/** Our groups and what named the one broker of MQTT.js are taken out; what is left is for every endpoint. */
export function mqttOptions(options: FailoverOptions): IClientOptions {
  const taken = new Set([
    ...GROUP_NAMES,
    'servers',
    'host',
    'hostname',
    'port',
    'protocol',
    'path',
    'query',
    'auth',
    'href',
  ]);
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && !taken.has(key)),
  ) as IClientOptions;
}
