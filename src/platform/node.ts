/** Node's clock, chance and sockets. */
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { IClientOptions } from 'mqtt';
import { createWebSocketStream, WebSocket, type ClientOptions as WebSocketOptions } from 'ws';
import { type Endpoint, urlToDial } from '../endpoint.js';
import { nodeFreeBuffer } from './free-buffer.js';
import { monotonicMs } from './monotonic.js';
import { addressScope } from './node-address-scope.js';
import { addressesOf, pick, pinned, SOCKET_OPTIONS, type SocketOptions } from './node-addresses.js';
import { nodeDatabases } from './node-databases.js';
import { nodeDiagnostics } from './node-diagnostics.js';
import { nodeDns } from './node-dns.js';
import { textStores } from './node-text-store.js';
import type { Clock, DialTarget, HostAddress, Network, Platform, Random, Timer, Transport } from './ports.js';
import { parseRetryAfter } from './retry-after.js';

/** A timer that runs, then the turn that its callback waits for. */
interface NodeTimer {
  handle: NodeJS.Timeout | NodeJS.Immediate;
}

const clock: Clock = {
  now: monotonicMs,
  wallNow: () => Date.now(),
  setTimeout: (callback, ms) => {
    // Once the process has stalled Node runs timers before it reads from sockets, and an answer that was in time would
    // be late: the callback waits until they have been read.
    const onTime = () => {
      timer.handle = setImmediate(callback);
    };
    const timer: NodeTimer = { handle: setTimeout(onTime, Math.ceil(ms)) };
    return timer as unknown as Timer;
  },
  clearTimeout: (timer) => {
    const { handle } = timer as unknown as NodeTimer;
    clearTimeout(handle as NodeJS.Timeout);
    clearImmediate(handle as NodeJS.Immediate);
  },
  soon: (callback) => void setImmediate(callback),
};

const random: Random = { next: () => Math.random() };

/** TCP and TLS by Node, WebSocket by `ws`, the package that MQTT.js uses itself. */
class NodeNetwork implements Network {
  readonly schemes = new Set(['mqtt', 'mqtts', 'ws', 'wss'] as const);

  resolve({ endpoint, options }: DialTarget, signal: AbortSignal) {
    return isWebSocket(endpoint) && opensOwnSocket(options)
      ? Promise.resolve(undefined)
      : addressesOf(endpoint.host, socketOptions(endpoint, options), signal);
  }

  open({ endpoint, options }: DialTarget, signal: AbortSignal, address?: HostAddress): Promise<Transport> {
    const { host, port } = endpoint;
    const own = socketOptions(endpoint, options);
    const at = { ...own, ...(address ? pinned(host, address, own) : {}) };
    switch (endpoint.scheme) {
      case 'mqtt':
        return openSocket(() => connectTcp({ host, port, ...at }), 'connect', signal);
      case 'mqtts':
        return openSocket(
          () => connectTls({ ...tlsOptions(endpoint, options), ...at }),
          'secureConnect',
          signal,
        );
      case 'ws':
      case 'wss':
        return openWebSocket(endpoint, options, at, signal);
    }
  }
}

function isWebSocket({ scheme }: Endpoint): boolean {
  return scheme === 'ws' || scheme === 'wss';
}

/** Whether the application brings a proxy or sockets of its own, which find the broker in their own way. */
function opensOwnSocket({ createWebsocket, wsOptions }: IClientOptions): boolean {
  const { agent, createConnection, socketPath } = (wsOptions ?? {}) as Record<string, unknown>;
  return [createWebsocket, agent, createConnection, socketPath].some(Boolean);
}

/** What the application has set for sockets: for all transports, and in `wsOptions` for WebSockets. */
function socketOptions(endpoint: Endpoint, options: IClientOptions): SocketOptions {
  const own = pick(options, SOCKET_OPTIONS);
  return isWebSocket(endpoint) ? { ...own, ...pick(options.wsOptions ?? {}, SOCKET_OPTIONS) } : own;
}

/**
 * The endpoint's own name for SNI and the certificate check, whatever was dialed before (R85, J1). IP addresses have
 * no SNI and are checked as such (RFC 9525 §6.4).
 */
function tlsOptions(endpoint: Endpoint, options: IClientOptions): ConnectionOptions {
  const { host, port } = endpoint;
  const { servername = isIP(host) === 0 ? host : undefined, rejectUnauthorized } = options;
  const {
    path: _path,
    protocol: _protocol,
    timeout: _timeout,
    ...rest
  } = options as IClientOptions & { timeout?: number };
  return {
    ...(rest as ConnectionOptions),
    host,
    port,
    rejectUnauthorized: rejectUnauthorized !== false,
    ...(servername === undefined ? {} : { servername }),
  };
}

function openSocket(connect: () => Socket, ready: string, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect();
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('close', onClose);
      socket.off(ready, onReady);
    };
    const fail = (error: Error) => {
      settle();
      // A destroyed socket may still report an error that nobody waits for.
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(error);
    const onClose = () => fail(new Error('the connection was closed before it was established'));
    const onReady = () => {
      settle();
      // MQTT packets are small and each is written at once: waiting to fill a segment only delays them.
      socket.setNoDelay(true);
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.on(ready, onReady);
  });
}

/** Close codes that carry no word of the broker: normal, none given, and none received. */
const EMPTY_CLOSES: ReadonlySet<number> = new Set([1000, 1005, 1006]);

function closeError(code: number): Error {
  return Object.assign(new Error(`the WebSocket was closed with code ${code} by the broker`), {
    closeCode: code,
  });
}

/** TLS options that MQTT.js hands on to `ws`. */
const WSS_OPTIONS = ['rejectUnauthorized', 'ca', 'cert', 'key', 'pfx', 'passphrase', 'servername'] as const;

function openWebSocket(
  endpoint: Endpoint,
  options: IClientOptions,
  at: SocketOptions,
  signal: AbortSignal,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = createWebSocket(endpoint, options, at);
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('open', onOpen);
      socket.removeListener('error', fail);
      socket.removeListener('close', onClose);
      socket.removeListener('unexpected-response', onResponse);
    };
    const fail = (error: Error) => {
      settle();
      socket.on('error', () => {});
      socket.terminate();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onClose = () => fail(new Error('the WebSocket was closed before it was open'));
    const onResponse = (_request: unknown, { statusCode, headers }: IncomingMessage) => {
      const error = new Error(`the WebSocket upgrade was answered with HTTP status ${statusCode}`);
      const asksToWait = statusCode === 429 || statusCode === 503;
      const retryAfterMs = asksToWait
        ? parseRetryAfter(headers['retry-after'], headers.date, Date.now())
        : undefined;
      fail(Object.assign(error, { httpStatus: statusCode, retryAfterMs }));
    };
    const onOpen = () => {
      settle();
      const stream = createWebSocketStream(socket, options.wsOptions as object);
      // The stream waits for the peer's close frame; a broken peer sends none.
      socket.on('close', (code) => stream.destroy(EMPTY_CLOSES.has(code) ? undefined : closeError(code)));
      resolve(stream);
    };
    signal.addEventListener('abort', onAbort);
    socket.on('open', onOpen);
    socket.on('error', fail);
    socket.on('close', onClose);
    socket.on('unexpected-response', onResponse);
  });
}

function createWebSocket(endpoint: Endpoint, options: IClientOptions, at: SocketOptions): WebSocket {
  const { protocolId, protocolVersion, wsOptions, transformWsUrl, createWebsocket } = options;
  const subprotocol = protocolId === 'MQIsdp' && protocolVersion === 3 ? 'mqttv3.1' : 'mqtt';
  const plain = urlToDial(endpoint);
  const target = transformWsUrl ? transformWsUrl(plain, options, undefined as never) : plain;
  if (createWebsocket)
    return createWebsocket(target, [subprotocol], { ...options, wsOptions: wsOptions ?? {} });
  const tls = endpoint.scheme === 'wss' ? pick(options, WSS_OPTIONS) : {};
  return new WebSocket(target, [subprotocol], { ...tls, ...wsOptions, ...at } as WebSocketOptions);
}

/** The runtime of Node. */
export const nodePlatform: Platform = {
  clock,
  random,
  fetch: (url, init) => fetch(url, init),
  addressScope,
  openTextStore: textStores(),
  databases: nodeDatabases,
  freeBuffer: nodeFreeBuffer(),
  httpCache: false,
  network: new NodeNetwork(),
  dns: nodeDns,
  diagnostics: nodeDiagnostics,
  byteLength: (text) => Buffer.byteLength(text),
};
