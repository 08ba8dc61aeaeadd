/** From the arguments of `connect` to a running client. */
import mqtt from 'mqtt';
import type { BrokerSpec, BrokersInput } from './brokers/input.js';
import { parseBrokers } from './brokers/parse.js';
import { chunk } from './chunk.js';
import { FailoverClient } from './client/client.js';
import { loadStore } from './di/chunks.js';
import { type Composition, composeClient } from './di/container.js';
import type { ProcessParts, Tools } from './di/parts.js';
import { tokens } from './di/tokens.js';
import { isMixedContent } from './dial/mixed-content.js';
import { toScheme } from './endpoint.js';
import { optionError } from './errors.js';
import { SharedHealth } from './health/shared-health.js';
import { streamBuilderOf } from './mqtt/mqttjs-internals.js';
import { GROUP_NAMES } from './options/groups.js';
import { checkClientId } from './options/mqtt-options.js';
import type { FailoverOptions } from './options/options.js';
import { resolveOptions } from './options/resolve.js';
import type { PlatformDefaults, ResolvedOptions } from './options/resolved.js';
import type { Locks, Page } from './platform/page.js';
import type { Network, Platform } from './platform/ports.js';
import { SharedEngine } from './tabs/shared-engine.js';
import { ephemeralWarnings, type StoredId, storedId } from './tabs/stored-id.js';
import { TabIdentities, type TabIdentity } from './tabs/tab-identity.js';

/** What a runtime brings: the ports, the tools and the defaults that suit it. */
export interface Runtime {
  readonly platform: Platform;
  readonly tools: Tools;
  readonly defaults: PlatformDefaults;
}

/** What `connect` is. */
export interface Connect {
  /**
   * Connects to one of `brokers` and stays connected to one of them.
   *
   * Returns at once; `connect` is emitted when a broker has accepted. A single URL without any of our options is
   * plain MQTT.js. With several brokers, `error` is emitted only when all of them failed.
   *
   * @param brokers - Where the brokers are: a URL, a list, a domain, a registry, a function of yours.
   * @param options - MQTT.js's options and ours.
   * @returns the client, which is an MQTT.js client.
   * @throws {@link FailoverError} `ERR_OPTION` before any I/O when an argument is wrong.
   */
  (brokers: BrokersInput, options?: FailoverOptions): FailoverClient;
  /** As above, with `brokers` among the options, or MQTT.js's `servers`, or `host` and `port`. */
  (options: FailoverOptions): FailoverClient;
}

/** What `connectAsync` is. */
export interface ConnectAsync {
  /**
   * As {@link Connect}, and resolves when a broker has accepted.
   *
   * @param allowRetries - As in MQTT.js: false rejects also when the connection closes without an error.
   * @returns the client, connected.
   * @throws {@link FailoverError} `ERR_OPTION`; or `ERR_ALL_FAILED` naming each endpoint's failure when the first pass
   * failed, and the client is ended then.
   */
  (brokers: BrokersInput, options?: FailoverOptions, allowRetries?: boolean): Promise<FailoverClient>;
  /** As above, with `brokers` among the options. */
  (options: FailoverOptions): Promise<FailoverClient>;
}

/** `connect` and `connectAsync` of one runtime. */
export interface Connector {
  readonly connect: Connect;
  readonly connectAsync: ConnectAsync;
}

/** Binds `connect` and `connectAsync` to a runtime, whose clients share what they find out and how fast they dial. */
export function createConnector({ platform, tools, defaults }: Runtime): Connector {
  const process: ProcessParts = {
    platform,
    tools,
    health: new SharedHealth(platform.clock),
    loadStores: chunk(async () => {
      const { Backlog, Stores } = await loadStore();
      return { Backlog, stores: new Stores(platform.databases) };
    }),
  };
  const identities = platform.page && new TabIdentities(platform.page, platform.random);
  const connect = (first: BrokersInput | FailoverOptions, second?: FailoverOptions): FailoverClient => {
    const { brokers, options } = readArguments(first, second);
    const client = isPlain(brokers, options)
      ? plainClient(brokers, options, second)
      : managedClient(listOf(brokers, options), options, defaults, process, identities);
    // As `mqtt.connect` does: an `error` that nobody listens for must not end the process.
    client.on('error', () => {});
    if (!client.options.manualConnect) start(client);
    return client;
  };
  const connectAsync = async (
    first: BrokersInput | FailoverOptions,
    second?: FailoverOptions,
    allowRetries = true,
  ): Promise<FailoverClient> => firstConnection(connect(first, second), allowRetries);
  return { connect: connect as Connect, connectAsync: connectAsync as ConnectAsync };
}

/** MQTT.js connects in the constructor; ours waits for the caller to add listeners, unless the caller was faster. */
function start(client: FailoverClient): void {
  if (client.isPlain) client.connect();
  else queueMicrotask(() => client.status().state === 'idle' && client.connect());
}

interface Arguments {
  readonly brokers: BrokersInput | undefined;
  readonly options: FailoverOptions;
}

function readArguments(first: unknown, second: FailoverOptions | undefined): Arguments {
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
function isPlain(brokers: BrokersInput | undefined, options: FailoverOptions): brokers is string | undefined {
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

/** A client that is MQTT.js to the letter: its URL parsing, its transports, its timing, its options object. */
function plainClient(
  url: string | undefined,
  options: FailoverOptions,
  second: FailoverOptions | undefined,
): FailoverClient {
  checkClientId(options.clientId, true);
  const own = Object.hasOwn(options, 'manualConnect');
  const { manualConnect } = options;
  // MQTT.js uses the caller's object as it is when there is no URL; so does this, for the moment of the call.
  const given =
    url === undefined ? Object.assign(options, { manualConnect: true }) : { ...second, manualConnect: true };
  const template = url === undefined ? mqtt.connect(given) : mqtt.connect(url.trim(), given);
  const { options: built } = template;
  const client = new FailoverClient({ options: built, streamBuilder: streamBuilderOf(template) });
  if (own) built.manualConnect = manualConnect as boolean;
  else delete built.manualConnect;
  return client;
}

function managedClient(
  brokers: BrokersInput,
  options: FailoverOptions,
  defaults: PlatformDefaults,
  process: ProcessParts,
  identities: TabIdentities | undefined,
): FailoverClient {
  const resolved = resolveOptions(options, defaults);
  const { network, page } = process.platform;
  const { schemes } = network;
  const parsed = parseBrokers(brokers, { secure: Boolean(options.cert && options.key) });
  if (parsed.kind === 'static') {
    const dialable = parsed.endpoints.filter(({ scheme }) => schemes.has(scheme));
    if (dialable.length === 0) {
      const usable = [...schemes].join(', ');
      throw optionError('brokers', `a list with an endpoint that this runtime can dial (${usable})`, brokers);
    }
    if (dialable.every((endpoint) => isMixedContent(endpoint, page))) {
      const wanted = 'wss: URLs: a page that came over https may not open ws: connections';
      throw optionError('brokers', wanted, dialable[0]?.url);
    }
  }
  const locks = options.tabs === 'shared' ? page?.locks : undefined;
  if (page && locks) {
    const setup = composeClient(parsed, resolved, process);
    const open = (given: FailoverOptions) => managedClient(brokers, given, defaults, process, undefined);
    return sharedClient(options, resolved, setup, { page, locks, platform: process.platform, open });
  }
  const identity = identityOf(options, identities);
  const mqttOptions = identity ? { ...resolved.mqtt, clientId: identity.presumed } : resolved.mqtt;
  return new FailoverClient({
    options: mqttOptions,
    ...composeClient(parsed, resolved, process, identity),
  });
}

/** Where `tabs: 'shared'` runs, and how it makes the one client with the connection. */
interface Sharing {
  readonly page: Page;
  readonly locks: Locks;
  readonly platform: Platform;
  readonly open: (options: FailoverOptions) => FailoverClient;
}

/** One tab of several with one connection: this client only relays, and the one that it may make as leader connects. */
function sharedClient(
  options: FailoverOptions,
  { mqtt: mqttOptions, outbox }: ResolvedOptions,
  { inFlight, packetIds }: Composition,
  { page, locks, platform, open }: Sharing,
): FailoverClient {
  const { clock, random } = platform;
  // Not the id that the first of separate tabs has: both kinds may be open.
  const kept: StoredId = options.clientId ? { id: options.clientId } : storedId(page.lasting, random);
  const clientId = options.clientId ?? `${kept.id}-s`;
  const warnings = ephemeralWarnings(kept.ephemeral);
  const { tabs: _, ...rest } = options;
  return new FailoverClient({
    options: { ...mqttOptions, clientId },
    inFlight,
    packetIds,
    start: (core, events) => {
      const openThrough = (guard: (network: Network) => Network) =>
        open({
          ...rest,
          clientId,
          manualConnect: true,
          overrides: (container) => {
            options.overrides?.(container);
            const network = guard(container.resolve(tokens.network));
            container.register(tokens.network, { useValue: network });
          },
        });
      const deps = { page, locks, clock, random, clientId, core, events, warnings, bounds: outbox };
      return new SharedEngine({ ...deps, open: openThrough });
    },
  });
}

/** An id of the application's own is not touched, unless `tabs` was given to tell its tabs apart. */
function identityOf(
  { clientId, tabs }: FailoverOptions,
  identities: TabIdentities | undefined,
): TabIdentity | undefined {
  if (!clientId) return identities?.next();
  return tabs === undefined ? undefined : identities?.next(clientId);
}

/** `brokers`, or the ways MQTT.js has of naming them. */
function listOf(brokers: BrokersInput | undefined, options: FailoverOptions): BrokersInput {
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

/** Settles as MQTT.js's `connectAsync` does: with the first `connect`, `end` or `error`. */
function firstConnection(client: FailoverClient, allowRetries: boolean): Promise<FailoverClient> {
  return new Promise((resolve, reject) => {
    const done = () => {
      client.off('connect', onConnect);
      client.off('end', onConnect);
      client.off('error', onError);
      client.off('close', onClose);
    };
    const onConnect = () => {
      done();
      resolve(client);
    };
    const onError = (error: Error) => {
      done();
      client.end();
      reject(error);
    };
    const onClose = () => onError(new Error("Couldn't connect to server"));
    client.on('connect', onConnect);
    client.on('end', onConnect);
    client.on('error', onError);
    if (!allowRetries) client.on('close', onClose);
  });
}
