/** One MQTT network connection at a time: CONNECT over an open transport, its answer, and its end. */
import type { IConnackPacket, IDisconnectPacket, Packet } from 'mqtt';
import type { Dialed } from '../dial/dialer.js';
import type { Endpoint } from '../endpoint.js';
import type { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock, DialTarget, Timer } from '../platform/ports.js';
import { inWords, traceFailure, traceStep } from '../trace.js';
import type { ConnectOptions } from './connect-options.js';
import { FrameLimit } from './frame-limit.js';
import { acceptedLink, type Link } from './link.js';
import { connackMissing, connectRefused, disconnected, linkClosed, linkDead } from './link-errors.js';
import { Liveness, type LivenessBounds } from './liveness.js';
import { connackFlaw, packetFlaw } from './packet-flaws.js';
import { SessionStream } from './session-stream.js';

/** Reason code of a DISCONNECT that says why we leave. */
const PACKET_TOO_LARGE = 0x95;

/** What becomes of a connection; each is called at most once per {@link Session.open}. */
export interface SessionListener {
  /** CONNACK accepted. MQTT.js emits `connect` right after. */
  accepted(link: Link): void;
  /** CONNECT was refused, not answered in time, or the transport broke before the answer. */
  refused(error: FailoverError): void;
  /** An accepted connection ended. */
  ended(error: FailoverError): void;
}

/** What the state machine of a client asks of its session. */
export type SessionPort = Pick<Session, 'open' | 'abandon' | 'close'>;

type Phase = 'closed' | 'connecting' | 'open' | 'ending';

/** Runs MQTT.js over one transport after another; at most one CONNECT is open at any time (R82). */
export class Session {
  readonly #core: MqttCore;
  readonly #options: ConnectOptions;
  readonly #livenessBounds: LivenessBounds;
  readonly #clock: Clock;
  readonly #events: EventSink;
  #phase: Phase = 'closed';
  #stream: SessionStream | undefined;
  #target: DialTarget | undefined;
  #listener: SessionListener | undefined;
  #connackTimer: Timer | undefined;
  #openedAt = 0;
  #liveness: Liveness | undefined;
  #lastRoundTripMs: number | undefined;
  /** Why the connection is about to end, as the broker or a deadline said it. */
  #verdict: FailoverError | undefined;
  /** How long the link had been silent when it was given up. */
  #silentMs: number | null = null;

  constructor(
    core: MqttCore,
    options: ConnectOptions,
    liveness: LivenessBounds,
    clock: Clock,
    events: EventSink,
  ) {
    this.#core = core;
    this.#options = options;
    this.#livenessBounds = liveness;
    this.#clock = clock;
    this.#events = events;
  }

  /** Whether MQTT packets may be exchanged. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** The smoothed round trip of this link in milliseconds, or of the last one; `undefined` before the first. */
  get roundTripMs(): number | undefined {
    return this.#liveness?.roundTripMs ?? this.#lastRoundTripMs;
  }

  /** Of the endpoint of the connection that {@link open} has begun. */
  get #id(): string {
    return (this.#target as DialTarget).endpoint.id;
  }

  /** For MQTT.js's stream builder: the stream of the connection that {@link open} is making. */
  takeStream(): SessionStream {
    return this.#stream ?? this.idleStream();
  }

  /** A stream that leads nowhere, for a client that has not connected yet. */
  idleStream(): SessionStream {
    return SessionStream.idle(this.#clock);
  }

  /** Sends CONNECT over `dialed` and reports to `listener` what becomes of it. */
  open({ target, transport }: Dialed, connackTimeoutMs: number, listener: SessionListener): void {
    this.#options.apply(target);
    const { protocolVersion, properties } = this.#core.options;
    const frames = new FrameLimit(protocolVersion === 5 ? properties?.maximumPacketSize : undefined);
    const stream: SessionStream = new SessionStream(transport, target.endpoint.url, this.#clock, {
      received: () => this.#liveness?.received(),
      admits: (chunk) => frames.admits(chunk) || this.#oversized(stream),
      closed: (cause) => this.#closed(stream, cause),
    });
    this.#openedAt = this.#clock.now();
    this.#stream = stream;
    this.#target = target;
    this.#listener = listener;
    this.#verdict = undefined;
    this.#silentMs = null;
    this.#phase = 'connecting';
    this.#connackTimer = this.#clock.setTimeout(() => {
      this.fail(connackMissing(this.#id, connackTimeoutMs));
    }, connackTimeoutMs);
    this.#core.connect();
  }

  /**
   * Finds out whether the connection still lives: by its own word if it is closed already, else by a ping (R159).
   *
   * @param timeoutMs - Milliseconds for an answer.
   */
  probe(timeoutMs: number): void {
    if (this.#phase === 'closed') return;
    // A page that comes out of the back-forward cache finds its WebSockets closed, and may never be told (R160).
    if (this.#stream?.isLost) this.fail(linkClosed(this.#id, 'it was closed meanwhile', undefined, 'closed'));
    else this.#liveness?.probe(timeoutMs);
  }

  /** Ends the connection at once, for the reason given. */
  fail(reason: FailoverError): void {
    this.#verdict ??= reason;
    this.#stream?.destroy();
  }

  /** Lets go of the connection: nothing is reported of it any more. Its stream is left to MQTT.js's `end`. */
  abandon(): void {
    this.#listener = undefined;
    this.#disarm();
    if (this.#phase !== 'closed') this.#phase = 'ending';
  }

  /** Leaves the connection politely, without a report; resolves when it has closed. */
  close(): Promise<void> {
    const stream = this.#stream;
    if (!stream || this.#phase === 'closed') return Promise.resolve();
    if (this.#phase === 'open') this.#core.writePacket({ cmd: 'disconnect' });
    this.abandon();
    return new Promise((resolve) => stream.end(resolve));
  }

  /** MQTT.js received a packet and has not acted on it yet. */
  packetReceived(packet: Packet): void {
    this.#liveness?.packetReceived(packet);
    const flaw = packetFlaw(packet);
    if (flaw) this.#malformed(flaw);
    else if (packet.cmd === 'connack') this.#connack(packet);
    else if (packet.cmd === 'disconnect') this.#disconnect(packet);
  }

  /** MQTT.js writes a packet. */
  packetSent(packet: Packet): void {
    this.#liveness?.packetSent(packet);
  }

  /**
   * Whether an `error` that MQTT.js is about to emit is only the end of one connection, which the listener hears of.
   *
   * So it is when MQTT.js has closed the connection already, and when the peer sent something malformed: MQTT.js
   * would go on reading, where the protocol asks for the connection to be closed [MQTT-4.13.1-1]. Of a connection that
   * is being left nobody wants to hear.
   */
  absorbs(error: Error): boolean {
    if (this.#phase === 'closed') return false;
    const malformed = this.#stream?.parsing === true && !this.#core.judgesMessages;
    if (!this.#stream?.destroyed && !malformed) return false;
    this.fail(linkClosed(this.#id, error.message, error, 'malformed'));
    return true;
  }

  /** A packet that is larger than we allow: told where that is possible, and the end of the connection. */
  #oversized(stream: SessionStream): false {
    if (stream !== this.#stream || stream.destroyed) return false;
    if (this.#phase === 'open') {
      this.#core.writePacket({ cmd: 'disconnect', reasonCode: PACKET_TOO_LARGE });
      stream.flush();
    }
    this.#malformed('a packet that is too large');
    return false;
  }

  #malformed(what: string): void {
    this.fail(linkClosed(this.#id, `it sent ${what}`, undefined, 'malformed'));
  }

  #connack(packet: IConnackPacket): void {
    if (this.#phase !== 'connecting') return;
    this.#disarm();
    const flaw = connackFlaw(packet);
    const code = packet.reasonCode ?? (packet.returnCode as number);
    if (flaw) this.#malformed(flaw);
    else if (code === 0) this.#phase = 'open';
    else this.#verdict = connectRefused(this.#id, code, packet);
  }

  /** MQTT.js emits `connect`: hand the link over before any listener of the application runs. */
  connectEmitted(packet: IConnackPacket): void {
    if (this.#phase !== 'open' || !this.#target) return;
    const connackMs = this.#clock.now() - this.#openedAt;
    const link = acceptedLink(this.#target, packet, this.#core.options.clean, connackMs);
    const { endpoint, resumed } = link;
    this.#watch(endpoint, connackMs);
    this.#options.linked(endpoint.id, resumed);
    const memory = resumed ? 'session present' : 'new session';
    const text = `CONNACK after ${inWords(connackMs)}, ${memory}`;
    traceStep(this.#events, endpoint.id, 'accepted', text, connackMs);
    this.#listener?.accepted(link);
  }

  #watch({ id }: Endpoint, connackMs: number): void {
    const stream = this.#stream;
    this.#liveness = new Liveness({
      clock: this.#clock,
      bounds: this.#livenessBounds,
      keepalive: this.#core.client.keepalive,
      ping: () => this.#core.client.sendPing(),
      busy: () => stream?.busy === true,
      asking: (missing, ms) => {
        const text = `no ${missing} for ${inWords(ms)}, asking by a ping`;
        traceStep(this.#events, id, 'asking', text, ms);
      },
      dead: (reason, text, ms) => {
        this.#silentMs = ms;
        this.fail(linkDead(id, reason, text));
      },
    });
    this.#liveness.start(connackMs);
  }

  /** MQTT.js only emits a server's DISCONNECT; the connection is over all the same [MQTT-3.14.4-3]. */
  #disconnect(packet: IDisconnectPacket): void {
    const error = disconnected(this.#id, packet);
    // After MQTT.js and the application have seen the packet.
    queueMicrotask(() => this.fail(error));
  }

  #closed(stream: SessionStream, cause: Error | undefined): void {
    if (stream !== this.#stream) return;
    const listener = this.#listener;
    const phase = this.#phase;
    const how = phase === 'connecting' ? 'closed-before-connack' : 'closed';
    const text = cause?.message ?? 'the connection was closed';
    const error = this.#verdict ?? linkClosed(this.#id, text, cause, how);
    this.#disarm();
    this.#phase = 'closed';
    this.#listener = undefined;
    if (phase === 'connecting') listener?.refused(error);
    else if (listener) {
      traceFailure(this.#events, this.#id, 'lost', error, this.#silentMs);
      listener.ended(error);
    }
  }

  #disarm(): void {
    this.#lastRoundTripMs = this.roundTripMs;
    this.#liveness?.stop();
    this.#liveness = undefined;
    if (this.#connackTimer) this.#clock.clearTimeout(this.#connackTimer);
    this.#connackTimer = undefined;
  }
}
