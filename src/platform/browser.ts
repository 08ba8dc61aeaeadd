/** A page's or worker's clock, chance and WebSockets. */
import { EventEmitter } from 'eventemitter3';
import type { IClientOptions } from 'mqtt';
import { type Endpoint, urlToDial } from '../endpoint.js';
import { browserDatabases } from './browser-databases.js';
import { browserPage } from './browser-page.js';
import { freeByTransfer } from './free-buffer.js';
import { monotonicMs } from './monotonic.js';
import type {
  Clock,
  DialTarget,
  Network,
  Platform,
  Random,
  TextStore,
  Timer,
  Transport,
  TransportSink,
} from './ports.js';

const clock: Clock = {
  now: monotonicMs,
  wallNow: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.ceil(ms)) as unknown as Timer,
  clearTimeout: (timer) => clearTimeout(timer as unknown as number),
  soon: (callback) => queueMicrotask(callback),
};

const random: Random = { next: () => Math.random() };

interface TransportEvents {
  data: (chunk: Uint8Array) => void;
  error: (error: Error) => void;
  close: () => void;
  drain: () => void;
  end: () => void;
}

/** Bytes that may wait in the socket before `write` asks for a pause. */
const HIGH_WATER_BYTES = 512 * 1024;
/** Milliseconds between looks at `bufferedAmount`; the platform has no event for it. */
const DRAIN_POLL_MS = 50;

/** An open browser WebSocket as a transport. */
class WebSocketTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly #socket: WebSocket;
  #corked = 0;
  #held: Uint8Array[] = [];
  #draining = false;
  #closed = false;

  constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      // MQTT over WebSocket is binary [MQTT-6.0.0-1]; a text frame is a protocol error.
      if (data instanceof ArrayBuffer) this.emit('data', new Uint8Array(data));
      else this.destroy(new Error('the broker sent a text frame [MQTT-6.0.0-1]'));
    };
    socket.onerror = () => this.emit('error', new Error('the WebSocket failed'));
    socket.onclose = ({ code }) => {
      if (!EMPTY_CLOSES.has(code)) this.emit('error', closeError(code, 'by the broker'));
      this.#close();
    };
  }

  /** A socket that the browser closed while the page was in its back-forward cache says so before it emits `close`. */
  get destroyed(): boolean {
    return this.#closed || this.#socket.readyState === WebSocket.CLOSED;
  }

  pipe(sink: TransportSink): void {
    this.on('data', (chunk) => {
      sink.write(chunk);
    });
  }

  write(chunk: Uint8Array | string): boolean {
    this.#held.push(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
    if (this.#corked === 0) this.#flush();
    return this.#socket.bufferedAmount <= HIGH_WATER_BYTES || this.#waitForDrain();
  }

  cork(): void {
    this.#corked += 1;
  }

  uncork(): void {
    this.#corked = Math.max(0, this.#corked - 1);
    if (this.#corked === 0) this.#flush();
  }

  end(): void {
    this.#flush();
    this.#socket.close();
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    if (error) this.emit('error', error);
    this.#held = [];
    this.#socket.close();
    // A browser waits for the peer's close frame; whoever destroys does not.
    queueMicrotask(() => this.#close());
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.onmessage = null;
    this.emit('close');
  }

  /** One frame for everything that was written while corked: one packet, one frame. */
  #flush(): void {
    if (this.#held.length === 0 || this.#socket.readyState !== WebSocket.OPEN) return;
    const bytes = new Uint8Array(this.#held.reduce((total, { length }) => total + length, 0));
    let at = 0;
    for (const chunk of this.#held) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.#held = [];
    this.#socket.send(bytes);
  }

  #waitForDrain(): false {
    if (this.#draining) return false;
    this.#draining = true;
    const look = () => {
      if (this.#closed) return;
      if (this.#socket.bufferedAmount > HIGH_WATER_BYTES / 2) {
        setTimeout(look, DRAIN_POLL_MS);
        return;
      }
      this.#draining = false;
      this.emit('drain');
    };
    setTimeout(look, DRAIN_POLL_MS);
    return false;
  }
}

/** Close codes that carry no word of the broker: normal, none given, and none received. */
const EMPTY_CLOSES: ReadonlySet<number> = new Set([1000, 1005, 1006]);

function closeError(code: number, how: string): Error {
  return Object.assign(new Error(`the WebSocket was closed with code ${code} ${how}`), { closeCode: code });
}

class BrowserNetwork implements Network {
  readonly schemes = new Set(['ws', 'wss'] as const);

  open({ endpoint, options }: DialTarget, signal: AbortSignal): Promise<Transport> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = createWebSocket(endpoint, options);
      socket.binaryType = 'arraybuffer';
      const fail = (error: Error) => {
        signal.removeEventListener('abort', onAbort);
        socket.onopen = socket.onerror = socket.onclose = null;
        socket.close();
        reject(error);
      };
      const onAbort = () => fail(signal.reason);
      signal.addEventListener('abort', onAbort);
      socket.onerror = () => fail(new Error('the WebSocket could not be opened'));
      socket.onclose = ({ code }) => fail(closeError(code, 'before it was open'));
      socket.onopen = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(new WebSocketTransport(socket));
      };
    });
  }
}

function createWebSocket(endpoint: Endpoint, options: IClientOptions): WebSocket {
  const { protocolId, protocolVersion, transformWsUrl, createWebsocket } = options;
  const subprotocol = protocolId === 'MQIsdp' && protocolVersion === 3 ? 'mqttv3.1' : 'mqtt';
  const plain = urlToDial(endpoint);
  const target = transformWsUrl ? transformWsUrl(plain, options, undefined as never) : plain;
  return createWebsocket
    ? createWebsocket(target, [subprotocol], options)
    : new WebSocket(target, [subprotocol]);
}

/** Texts in localStorage, which may throw when it is only looked at: private mode, blocked cookies, a full disk. */
function openTextStore(name: string): TextStore {
  return {
    read: async (key) => localStorage.getItem(`${name}:${key}`) ?? undefined,
    write: async (key, text) => localStorage.setItem(`${name}:${key}`, text),
  };
}

/** The runtime of browsers. */
export const browserPlatform: Platform = {
  clock,
  random,
  fetch: (url, init) => fetch(url, init),
  openTextStore,
  databases: browserDatabases,
  freeBuffer: freeByTransfer,
  httpCache: true,
  network: new BrowserNetwork(),
  page: browserPage,
};
