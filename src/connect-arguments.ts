/** What `connect` was called with: which brokers, in which of the ways that MQTT.js and we have of naming them. */
import type { BrokerSpec, BrokersInput } from './brokers/input.js';
import { parseBrokers } from './brokers/parse.js';
import { toScheme } from './endpoint.js';
import { optionError } from './errors.js';
import { GROUP_NAMES } from './options/groups.js';
import type { FailoverOptions } from './options/options.js';

/** The arguments of `connect`, told apart. */
export interface Arguments {
  readonly brokers: BrokersInput | undefined;
  readonly options: FailoverOptions;
}

/** @throws {@link FailoverError} `ERR_OPTION`. */
export function readArguments(first: unknown, second: FailoverOptions | undefined): Arguments {
  if (second !== undefined && (typeof second !== 'object' || second === null || Array.isArray(second))) {
    throw optionError('options', 'an object', second);
  }
  if (isOptionsObject(first) && second === undefined) {
    return { brokers: first.brokers, options: first };
  }
  if (first === undefined || first === null) return { brokers: second?.brokers, options: second ?? {} };
  return { brokers: first as BrokersInput, options: second ?? {} };
}

/** Options, and not one of the object forms of `brokers`. */
function isOptionsObject(value: unknown): value is FailoverOptions {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !('resolve' in value || 'sources' in value || 'url' in value);
}

/** One broker, named as for MQTT.js, and nothing of ours. */
export function isPlain(
  brokers: BrokersInput | undefined,
  options: FailoverOptions,
): brokers is string | undefined {
  if (
    options.servers ||
    Object.entries(options).some(([key, value]) => value !== undefined && GROUP_NAMES.has(key))
  ) {
    return false;
  }
  if (brokers === undefined) return namesOneBroker(options);
  return typeof brokers === 'string' && isSinglePlainUrl(brokers);
}

function namesOneBroker({ host, hostname, port, protocol, path, unixSocket }: FailoverOptions): boolean {
  return [host, hostname, port, protocol, path, unixSocket].some((value) => value !== undefined);
}

/** Schemes that MQTT.js has beyond ours; one broker may use them. */
const MQTTJS_SCHEMES = /^(wx|wxs|ali|alis)$|^(mqtt|mqtts|tcp|ssl|tls|ws|wss)\+unix$/;

function isSinglePlainUrl(url: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url.trim())?.[1]?.toLowerCase() ?? '';
  if (MQTTJS_SCHEMES.test(scheme)) return true;
  if (toScheme(scheme) === undefined) return false;
  const parsed = parseBrokers(url);
  return parsed.kind === 'static' && parsed.endpoints.length === 1;
}

/**
 * `brokers`, or the ways MQTT.js has of naming them.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function listOf(brokers: BrokersInput | undefined, options: FailoverOptions): BrokersInput {
  const { servers, host, hostname = host, port, protocol, path } = options;
  if (servers) {
    // As in MQTT.js, `servers` replaces the host of the URL; the URL's scheme and user info stay.
    const url = typeof brokers === 'string' ? parseBrokers(brokers) : undefined;
    const first = url?.kind === 'static' ? url.endpoints[0] : undefined;
    const shared = { ...first?.options, protocol: protocol ?? first?.scheme, path: path ?? first?.path };
    if (!Array.isArray(servers)) throw optionError('servers', 'an array', servers);
    return servers.map((server) => definedOnly({ ...shared, ...server }));
  }
  if (brokers !== undefined) return brokers;
  if (hostname !== undefined) return [definedOnly({ host: hostname, port, protocol, path })];
  throw optionError('brokers', 'at least one broker', brokers);
}

function definedOnly(spec: { [K in keyof BrokerSpec]: BrokerSpec[K] | undefined }): BrokerSpec {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined && value !== ''));
}
