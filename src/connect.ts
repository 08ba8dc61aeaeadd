/** `connect` and `connectAsync`: from their arguments to a running client. */
import type { BrokersInput } from './brokers/input.js';
import type { FailoverClient } from './client/client.js';
import { plainClient } from './client/plain-client.js';
import { isPlain, listOf, readArguments } from './connect-arguments.js';
import { managedClient, type Workshop } from './di/clients.js';
import type { MakeEngine } from './di/engine-plan.js';
import { firstConnection } from './first-connection.js';
import type { FailoverOptions } from './options/options.js';
import type { PlatformDefaults } from './options/resolved.js';
import type { Platform } from './platform/ports.js';
import { TabIdentities } from './tabs/tab-identity.js';

/** What a runtime brings: the ports, what makes engines, and the defaults that suit it. */
export interface Runtime {
  readonly platform: Platform;
  readonly makeEngine: MakeEngine;
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

/** Binds `connect` and `connectAsync` to a runtime. */
export function createConnector({ platform, makeEngine, defaults }: Runtime): Connector {
  const workshop: Workshop = {
    platform,
    makeEngine,
    defaults,
    identities: platform.page && new TabIdentities(platform.page, platform.random),
  };
  const connect = (first: BrokersInput | FailoverOptions, second?: FailoverOptions): FailoverClient => {
    const { brokers, options } = readArguments(first, second);
    const client = isPlain(brokers, options)
      ? plainClient(brokers, options, second)
      : managedClient(listOf(brokers, options), options, workshop);
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
  else queueMicrotask(() => client.status().state === 'idle' && startIdle(client));
}

function startIdle(client: FailoverClient): void {
  const { disconnecting } = client;
  client.connect();
  // `drain()` may have been called already: to connect takes publishes again.
  client.disconnecting ||= disconnecting;
}
