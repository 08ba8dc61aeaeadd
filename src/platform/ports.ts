/**
 * What the outside world must provide: time, chance and connections.
 *
 * Everything else in the library is a function of these, so the same code runs on a real machine, in a page, and
 * under the virtual clock of the tests. `node.ts` and `browser.ts` implement them.
 */
import type { IClientOptions } from 'mqtt';
import type { Endpoint, Scheme } from '../endpoint.js';
import type { Databases } from './database.js';
import type { Page } from './page.js';

declare const TIMER: unique symbol;
/** An armed timer of a {@link Clock}; opaque. */
export interface Timer {
  /** Keeps other objects out. @internal */
  readonly [TIMER]?: never;
}

/** Time. All delays use `now`, which never jumps; wall time is only for data that outlives the process (R163). */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970; may jump. */
  wallNow(): number;
  /** Calls `callback` once, `ms` milliseconds from now or later, after the input that has arrived by then. */
  setTimeout(callback: () => void, ms: number): Timer;
  /** Disarms a timer; harmless when it has fired. */
  clearTimeout(timer: Timer): void;
  /** Calls `callback` once, after the input that is being worked on now. */
  soon(callback: () => void): void;
}

/** Chance, for jitter. */
export interface Random {
  /** A number drawn uniformly from [0, 1). */
  next(): number;
}

/**
 * An open byte stream to one endpoint: TCP connected, TLS verified, WebSocket upgraded. Nothing of MQTT was sent yet.
 *
 * The subset of a Node `Duplex` that MQTT.js and mqtt-packet use, so that `net.Socket` and `tls.TLSSocket` are
 * transports as they are and a browser WebSocket needs only a thin wrapper.
 */
export interface Transport {
  /** Sends bytes; `false` asks to wait for `drain` before the next ones. */
  write(chunk: Uint8Array | string, encoding?: BufferEncoding): boolean;
  /** Holds what is written from now on, so that it leaves as one. */
  cork(): void;
  /** Sends what {@link cork} held. */
  uncork(): void;
  /** Closes the sending side after what was written. */
  end(): unknown;
  /** Closes at once. */
  destroy(error?: Error): unknown;
  /** Whether it is known to be closed, though `close` may not have been emitted yet. */
  readonly destroyed?: boolean;
  /** Hands every received chunk to `sink`, minding its back-pressure. */
  pipe(sink: TransportSink): unknown;
  /** Bytes have arrived. */
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  /** Something went wrong; `close` follows. */
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** It is closed, takes bytes again, or the other side has ended. */
  on(event: 'close' | 'drain' | 'end', listener: () => void): unknown;
}

/** Where a transport delivers what it receives; MQTT.js gives a readable-stream `Writable`. */
export type TransportSink = NodeJS.WritableStream;

/** One endpoint to connect to, with the options that hold for this attempt alone. */
export interface DialTarget {
  /** Whom to connect to. */
  readonly endpoint: Endpoint;
  /** MQTT.js options of the client with those of the endpoint laid over; a fresh object per attempt (C4). */
  readonly options: IClientOptions;
  /** CONNECT fields for this attempt alone, from option `credentials`. */
  readonly overlay?: Partial<IClientOptions>;
  /** Milliseconds since 1970 at which the credentials of this attempt expire, where that is known. */
  readonly expiresAt?: number;
}

/** One address of a host. */
export interface HostAddress {
  /** As text, without brackets. */
  readonly address: string;
  /** IPv4 or IPv6. */
  readonly family: 4 | 6;
}

/** Opens transports. */
export interface Network {
  /** Schemes this runtime can dial. */
  readonly schemes: ReadonlySet<Scheme>;
  /**
   * All addresses of the target's host in the resolver's order, as the system finds them (R33); an address is its own.
   * `undefined`, like the lack of this method, where the name is resolved elsewhere: by a browser, a proxy, or a socket
   * of the application's own. Rejects with the platform's error, or when `signal` is aborted.
   */
  resolve?(target: DialTarget, signal: AbortSignal): Promise<readonly HostAddress[] | undefined>;
  /**
   * Opens a transport, or rejects with the platform's error. Aborting `signal` closes whatever was opened so far
   * and rejects.
   *
   * @param address - The one to use, of those that `resolve` named. Names in TLS and HTTP stay the endpoint's.
   */
  open(target: DialTarget, signal: AbortSignal, address?: HostAddress): Promise<Transport>;
}

/**
 * How far an IP address reaches: this machine, a private network, everywhere. `forbidden` is where no broker is and
 * where an attacker would like to send us: link-local with the metadata services of clouds, multicast, unspecified.
 */
export type AddressScope = 'loopback' | 'private' | 'public' | 'forbidden';

/** Keeps small texts across restarts. */
export interface TextStore {
  /** The text that was written last for `key`, or, where a store keeps one text only, for whatever key. */
  read(key: string): Promise<string | undefined>;
  /** Replaces the text as a whole: a reader, or a power cut, sees the old one or the new one. */
  write(key: string, text: string): Promise<void>;
}

/** HTTP as the runtime's `fetch` does it. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Where a DNS server listens. */
export interface DnsServer {
  /** IP address, or a host name for the system to resolve. */
  readonly host: string;
  readonly port: number;
}

/** Carries DNS messages, for runtimes that have sockets. */
export interface DnsTransport {
  /**
   * Sends `message` over UDP from a fresh socket, whose port the system draws (RFC 5452 §9.2), and waits for a
   * datagram from that server that `accept` takes; all others are ignored.
   *
   * Rejects with the system's error, or with the reason of `signal`; the socket is closed either way.
   */
  udp(
    server: DnsServer,
    message: Uint8Array,
    accept: (reply: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
  /** Sends `message` over a fresh TCP connection and gives the first message that comes back (RFC 7766). */
  tcp(server: DnsServer, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** The text of the system's resolv.conf as it is now; `undefined` where there is none. */
  resolvConf(): Promise<string | undefined>;
  /** Bytes that nobody can guess, for query ids. */
  randomBytes(count: number): Uint8Array;
}

/** Tells of events to whoever has subscribed anywhere in the process, without knowing the client. */
export interface Diagnostics {
  /** @param message - Called only when somebody has subscribed to `name`. */
  publish(name: string, message: () => object): void;
}

/** Everything a runtime provides. */
export interface Platform {
  /** Left out where there are no sockets, as in browsers. */
  readonly dns?: DnsTransport;
  readonly fetch: Fetch;
  /** The scope of an IP address. Left out where addresses are not seen, as in browsers. */
  readonly addressScope?: (address: string) => AddressScope;
  /** Opens a store of texts by a path or name. Touches nothing before the first read or write. */
  readonly openTextStore: (name: string) => TextStore;
  /** Opens databases by path or name, for the outbox. */
  readonly databases?: Databases;
  /** Whether `fetch` has a cache of its own that revalidates, and asks servers before it sends unusual headers (R52). */
  readonly httpCache: boolean;
  /** Length of a text in UTF-8; the runtime's own, where it has one that is faster than counting. */
  readonly byteLength?: (text: string) => number;
  /** Gives the memory of a buffer back at once, not when garbage is collected; the buffer has no bytes then. */
  readonly freeBuffer: (buffer: ArrayBuffer) => void;
  /** Left out where the runtime has no such channels. */
  readonly diagnostics?: Diagnostics;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  /** What only a page or a worker of one has. */
  readonly page?: Page;
}
