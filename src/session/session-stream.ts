/** The stream that MQTT.js sees: one transport, with its errors kept from the application and its end made prompt. */
import { EventEmitter } from 'eventemitter3';
import type { Clock, Timer, Transport, TransportSink } from '../platform/ports.js';

/** What the session wants to know of its stream. */
export interface StreamObserver {
  /** Bytes came in. */
  received(): void;
  /** Whether these bytes may be parsed; asked after `received`. Left out: all may. */
  admits?(chunk: Uint8Array): boolean;
  /** The stream has closed, for `cause` if it was an error; called once, after MQTT.js was told. */
  closed(cause: Error | undefined): void;
}

/** Milliseconds that the peer has to answer our end of the stream before it is destroyed (R84). */
const END_GRACE_MS = 1_000;

/**
 * As much of a `Duplex` as MQTT.js and mqtt-packet use, over a transport that is already open.
 *
 * MQTT.js emits a stream's errors as `error`; the failure of one endpoint is not the application's error while there
 * are others, so they go to the observer instead. `close` is emitted exactly once.
 */
export class SessionStream extends EventEmitter<'close' | 'drain' | 'error'> {
  /** Where the stream leads, for people. */
  readonly url: string;
  readonly #transport: Transport | undefined;
  readonly #clock: Clock;
  readonly #observer: StreamObserver;
  #cause: Error | undefined;
  #closed = false;
  #corked = false;
  #awaitingDrain: (() => void)[] = [];
  #endTimer: Timer | undefined;
  /** As in Node's streams; MQTT.js does not ask, we do. */
  destroyed = false;
  /** Whether received bytes are being parsed right now: an error is the peer's then. */
  parsing = false;
  /** Whether MQTT.js still works on bytes it got, as a handler of the application takes its time. */
  busy = false;

  /** The stream of a client that has not connected yet: it leads nowhere. */
  static idle(clock: Clock): SessionStream {
    return new SessionStream(undefined, '', clock, { received: () => {}, closed: () => {} });
  }

  /** @param transport - Left out for a stream that leads nowhere. */
  constructor(transport: Transport | undefined, url: string, clock: Clock, observer: StreamObserver) {
    super();
    this.url = url;
    this.#transport = transport;
    this.#clock = clock;
    this.#observer = observer;
    transport?.on('data', () => observer.received());
    transport?.on('drain', () => this.#drained());
    transport?.on('error', (error) => {
      this.#cause ??= error;
    });
    // The peer has closed its side: nothing more can be acknowledged, so there is nothing to wait for.
    transport?.on('end', () => this.destroy());
    transport?.on('close', () => this.#finish());
  }

  /** Whether the transport itself says that it is closed, which may be before it tells so. */
  get isLost(): boolean {
    return this.#transport?.destroyed === true;
  }

  pipe(sink: TransportSink): TransportSink {
    const parser = sink as TransportSink & {
      _write(chunk: unknown, encoding: string, done: () => void): void;
    };
    const parse = parser._write.bind(parser);
    parser._write = (chunk, encoding, done) => {
      if (this.#observer.admits?.(chunk as Uint8Array) === false) {
        done();
        return;
      }
      this.parsing = true;
      this.busy = true;
      try {
        parse(chunk, encoding, () => {
          this.busy = false;
          done();
        });
      } finally {
        this.parsing = false;
      }
    };
    this.#transport?.pipe(sink);
    return sink;
  }

  write(chunk: Uint8Array | string, encoding?: BufferEncoding): boolean {
    if (this.destroyed || !this.#transport) return true;
    return this.#transport.write(chunk, encoding);
  }

  /**
   * MQTT.js corks and uncorks for every packet, which is a system call each. Here all packets of a turn of the event
   * loop leave together: a burst of acknowledgements triggers a burst of publishes.
   */
  cork(): void {
    if (this.#corked || !this.#transport) return;
    this.#corked = true;
    this.#transport.cork();
    this.#clock.soon(() => this.flush());
  }

  uncork(): void {}

  /** Sends what was written in this turn of the event loop now. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#transport?.uncork();
  }

  /** MQTT.js adds one listener for each QoS 0 publish that waits; an emitter would search through them one by one. */
  override once(event: 'close' | 'drain' | 'error', listener: (...args: unknown[]) => void): this {
    if (event !== 'drain') return super.once(event, listener);
    this.#awaitingDrain.push(listener);
    return this;
  }

  #drained(): void {
    const waiting = this.#awaitingDrain;
    this.#awaitingDrain = [];
    for (const listener of waiting) listener();
  }

  /** Closes politely: what was written is sent, and the peer has a second to answer. */
  end(callback?: () => void): this {
    if (this.#closed) {
      if (callback) queueMicrotask(callback);
      return this;
    }
    if (callback) this.once('close', callback);
    if (!this.#transport) {
      this.destroy();
      return this;
    }
    this.flush();
    this.#transport.end();
    this.#endTimer ??= this.#clock.setTimeout(() => this.destroy(), END_GRACE_MS);
    return this;
  }

  destroy(error?: Error): this {
    this.#cause ??= error;
    if (this.destroyed) return this;
    this.destroyed = true;
    if (this.#transport) this.#transport.destroy();
    else queueMicrotask(() => this.#finish());
    return this;
  }

  setMaxListeners(): this {
    return this;
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.destroyed = true;
    if (this.#endTimer) this.#clock.clearTimeout(this.#endTimer);
    // MQTT.js holds back QoS 0 callbacks until `drain`; it will not come any more.
    this.#drained();
    this.emit('close');
    this.#observer.closed(this.#cause);
  }
}
