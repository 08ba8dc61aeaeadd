/**
 * `FailoverClient`: MQTT.js's client as applications know it, over several brokers.
 *
 * A reader starts here. This file speaks MQTT.js's API and decides nothing; each method hands over to
 *
 *   brokers ─ discovery/watcher ─ selection/rank ─ health/health-book       which endpoint
 *           ─ connection/supervisor ─ dial/racing-dialer                    when, and how it is reached
 *           ─ session/session ─ session/session-stream                      CONNECT, CONNACK, the end of the link
 *           ─ delivery/subscriptions ─ delivery/publisher ─ delivery/outbox what must arrive
 *
 * through `engine.ts`. A client of one broker without our options has no engine and is MQTT.js itself.
 */
import mqtt, {
  type ClientSubscribeCallback,
  type IClientOptions,
  type IClientPublishOptions,
  type IClientSubscribeOptions,
  type IClientSubscribeProperties,
  type IClientUnsubscribeProperties,
  type IDisconnectPacket,
  type ISubscriptionMap,
  type MqttClientEventCallbacks,
  type Packet,
  type PacketCallback,
  type StreamBuilder,
} from 'mqtt';
import { callOut } from '../call-out.js';
import {
  type Publication,
  type Published,
  type PublishFromOptions,
  type PublishTarget,
  publishFrom,
} from '../delivery/publish-from.js';
import { FailoverError } from '../errors.js';
import type { FailoverEventCallbacks, FailoverEvents } from '../events.js';
import { bindCore } from '../mqtt/bind-core.js';
import { clearReconnect } from '../mqtt/mqttjs-internals.js';
import { logEvent, redactPacket } from '../mqtt/redact.js';
import type { ClientStatus, Explanation } from '../status.js';
import { areSendable, NO_OPTIONS, noop, readEnd } from './calls.js';
import { type Drained, drain, type Flushed, WAIT_TIMEOUT_MS, type WaitOptions } from './drain.js';
import type { ClientEngine } from './engine.js';
import { plainStatus } from './plain-status.js';
import { type ManagedSetup, managedOptions, type PlainSetup, quietLog, silent } from './setup.js';

const { MqttClient } = mqtt;

/** An MQTT.js client that survives the loss of its broker. Made by `connect`. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface below only adds overloads
export class FailoverClient extends MqttClient {
  readonly #engine: ClientEngine | undefined;

  /** @internal Use `connect`. */
  constructor(setup: ManagedSetup | PlainSetup) {
    let engine: ClientEngine | undefined;
    const managed = 'start' in setup;
    super(
      managed ? ((() => engine?.takeStream()) as unknown as StreamBuilder) : setup.streamBuilder,
      managed ? managedOptions(setup) : setup.options,
    );
    if (!managed) return;
    this.options.manualConnect = setup.options.manualConnect ?? false;
    this.log = quietLog(this.log);
    engine = setup.start(bindCore(this, setup.options.customHandleAcks !== undefined), {
      emit: (event, payload) => this.#announce(event, payload),
    });
    this.#engine = engine;
    // MQTT.js code may look at `stream` before the first connection is there.
    this.stream = engine.idleStream() as unknown as typeof this.stream;
  }

  /** Whether this client is MQTT.js to the letter: one broker, and none of our options. */
  get isPlain(): boolean {
    return this.#engine === undefined;
  }

  /** A plain JSON snapshot: state, current and home endpoint, the health of all that are known yet, the outbox, discovery. */
  status(): ClientStatus {
    return this.#engine?.status() ?? plainStatus(this);
  }

  /**
   * The ranking of the known endpoints for `clientId`, and why each is or is not eligible now.
   *
   * Without a fixed `clientId` option the id, and so the placement, is new at every start of the process.
   *
   * @param clientId - The client's own id when left out.
   */
  explain(clientId?: string): readonly Explanation[] {
    return this.#engine?.explain(clientId) ?? [];
  }

  /**
   * Stops taking publishes, waits until those taken are delivered, also across a fail-over, then ends the client.
   *
   * @param options - How long to wait; what is left is then settled with `ERR_ENDED`.
   * @returns when the client has ended, with the number of publishes that were not delivered.
   */
  async drain({ timeoutMs = WAIT_TIMEOUT_MS }: WaitOptions = {}): Promise<Drained> {
    if (!this.#engine) {
      await this.endAsync();
      return { undelivered: 0 };
    }
    this.disconnecting = true;
    return drain(this.#engine, timeoutMs);
  }

  /**
   * Waits until everything that was published before the call is settled, also across a fail-over; the client stays.
   *
   * @param options - How long to wait.
   * @returns how many publishes are not settled then; 0 if nothing was published meanwhile and all is well.
   */
  async flush({ timeoutMs = WAIT_TIMEOUT_MS }: WaitOptions = {}): Promise<Flushed> {
    await this.#engine?.flushed(timeoutMs);
    return { unsettled: this.status().outbox.messages };
  }

  /**
   * Publishes everything that `source` gives, in order, and reads on only while the outbox has room. Being a function of
   * an iterable, it can end a `pipeline` of Node: `pipeline(readings, (source) => client.publishFrom(source))`.
   *
   * @param source - Publishes; an array, a generator, or a stream of objects.
   * @param options - What stops the reading.
   * @returns how many were delivered, when all are.
   * @throws the error of the first publish that was not delivered, the error of the source, or the reason of `signal`.
   */
  async publishFrom(
    source: AsyncIterable<Publication> | Iterable<Publication>,
    options?: PublishFromOptions,
  ): Promise<Published> {
    const publish: PublishTarget['publish'] = (topic, payload, opts, callback) =>
      void this.publish(topic, payload as Buffer, opts, callback);
    return publishFrom({ publish, room: async (signal) => this.#engine?.room(signal) }, source, options);
  }

  /**
   * Moves to another endpoint without losing anything: the new connection is opened before the old one is left, and
   * no will is sent.
   *
   * @param id - Id of an endpoint in `status().endpoints`.
   * @returns when the new endpoint has accepted.
   * @throws {@link FailoverError} `ERR_NO_ENDPOINT` for an unknown id, `ERR_LINK` when not connected, or why the
   * endpoint could not be reached; the client then stays, or returns to, where it was.
   */
  async moveTo(id: string): Promise<void> {
    if (!this.#engine)
      throw new FailoverError('ERR_NO_ENDPOINT', 'A client of one broker has nowhere to move to');
    await this.#engine.moveTo(id);
  }

  /** Moves to the preferred endpoint, if it is not known to fail and not in use already; as {@link moveTo}. */
  async rebalance(): Promise<void> {
    await this.#engine?.rebalance();
  }

  /** Begins to connect, for a client that was made with `manualConnect`. */
  override connect(): this {
    if (!this.#engine) return super.connect();
    this.#engine.connect('connect() was called');
    return this;
  }

  /** Connects again: after `end`, during a wait, or instead of the present connection. Nothing queued is lost. */
  override reconnect(options?: Pick<IClientOptions, 'incomingStore' | 'outgoingStore'>): this {
    if (!this.#engine) return super.reconnect(options) as this;
    this.#engine.reconnect('reconnect() was called');
    return this;
  }

  /**
   * As MQTT.js's `publish`; while there is no connection, and for a moment around a fail-over, the message waits in the
   * outbox.
   *
   * @param callback - Called once: when the message is delivered (QoS 0 written, QoS 1 PUBACK, QoS 2 PUBCOMP), or with the
   * {@link FailoverError} that says why it was given up: `ERR_MESSAGE`, `ERR_OVERFLOW`, `ERR_EXPIRED`, `ERR_TOO_LARGE`,
   * `ERR_UNSUPPORTED`, `ERR_POISON`, `ERR_DELIVERY_UNCERTAIN` or `ERR_ENDED`; MQTT.js's error where the broker refused it.
   */
  override publish(
    topic: string,
    message: string | Buffer,
    options?: IClientPublishOptions | PacketCallback,
    callback?: PacketCallback,
  ): this {
    const opts = typeof options === 'function' ? undefined : options;
    const done = typeof options === 'function' ? options : callback;
    if (!this.#engine || this.disconnecting)
      return super.publish(topic, message, opts, done as never) as this;
    this.#engine.publish(topic, message, opts ?? NO_OPTIONS, done);
    return this;
  }

  /**
   * As MQTT.js's `subscribe`; while there is no connection the request waits for one, and what a broker has accepted is
   * restored on every broker after it.
   */
  override subscribe(
    topics: string | string[] | ISubscriptionMap,
    options?: IClientSubscribeOptions | IClientSubscribeProperties | ClientSubscribeCallback,
    callback?: ClientSubscribeCallback,
  ): this {
    const [opts, done = noop] = typeof options === 'function' ? [undefined, options] : [options, callback];
    if (!this.#engine || this.disconnecting)
      return super.subscribe(topics, opts as never, done as never) as this;
    const list = typeof topics === 'string' ? [topics] : topics;
    if (areSendable(list, done)) this.#engine.subscribe(list, opts, done);
    return this;
  }

  /** As MQTT.js's `unsubscribe`; while there is no connection the request waits for one. */
  override unsubscribe(
    topics: string | string[],
    options?: IClientUnsubscribeProperties | PacketCallback,
    callback?: PacketCallback,
  ): this {
    const [opts, done = noop] = typeof options === 'function' ? [undefined, options] : [options, callback];
    if (!this.#engine || this.disconnecting)
      return super.unsubscribe(topics, opts as never, done as never) as this;
    const list = typeof topics === 'string' ? [topics] : topics;
    if (areSendable(list, done)) this.#engine.unsubscribe(list, opts, done);
    return this;
  }

  /**
   * As MQTT.js's `end`, but bounded: without `force` it waits up to five seconds for publishes in flight. Every
   * publish and request that is left is settled with `ERR_ENDED` before `end` is emitted.
   */
  override end(
    force?: boolean | Partial<IDisconnectPacket> | ((error?: Error) => void),
    options?: Partial<IDisconnectPacket> | ((error?: Error) => void),
    callback?: (error?: Error) => void,
  ): this {
    const engine = this.#engine;
    if (!engine) return super.end(force as never, options as never, callback as never) as this;
    const call = readEnd(force, options, callback);
    if (this.disconnecting) {
      engine.stayEnded();
      call.done();
      return this;
    }
    this.disconnecting = true;
    engine.end(call.force, call.packet, call.done);
    return this;
  }

  /**
   * Emits as any emitter does, once the engine has heard of it; what is the engine's own affair is left to it. Secrets
   * are taken out of `packetsend`.
   *
   * @internal
   */
  override emit<E extends keyof MqttClientEventCallbacks>(
    event: E,
    ...args: Parameters<MqttClientEventCallbacks[E]>
  ): boolean {
    if (this.#engine) {
      if (this.#engine.hears(event, args)) return true;
      if (event === 'packetsend') return super.emit('packetsend', redactPacket(args[0] as Packet));
      // MQTT.js arms its reconnect timer right after `offline`, even if a listener has just ended the client.
      if (event === 'offline') queueMicrotask(() => this.disconnecting && clearReconnect(this));
    }
    return super.emit(event, ...args);
  }

  /**
   * MQTT.js counts ticks of a timer, which a sleeping machine or a slow handler delays; liveness decides instead. Until
   * it has, the broker goes on hearing that we live.
   *
   * @internal
   */
  override onKeepaliveTimeout(): void {
    if (this.#engine) this.sendPing();
    else super.onKeepaliveTimeout();
  }

  #announce<E extends keyof FailoverEvents>(event: E, payload: FailoverEvents[E]): void {
    if (this.log !== silent) logEvent(this.log, event, payload);
    callOut(() => super.emit(event as never, ...([payload] as never)));
  }
}

/** Adds the names of our events to MQTT.js's methods. */
export interface FailoverClient {
  /** Calls `callback` for every such event, MQTT.js's own and those of {@link FailoverEvents}. */
  on<E extends keyof FailoverEventCallbacks>(event: E, callback: FailoverEventCallbacks[E]): this;
  /** As `on`, for the next such event only. */
  once<E extends keyof FailoverEventCallbacks>(event: E, callback: FailoverEventCallbacks[E]): this;
  /** Ends what `on` began. */
  off<E extends keyof FailoverEventCallbacks>(event: E, callback: FailoverEventCallbacks[E]): this;
  /** The same as `on`. */
  addListener<E extends keyof FailoverEventCallbacks>(event: E, callback: FailoverEventCallbacks[E]): this;
  /** As `on`, before all listeners that are there. */
  prependListener<E extends keyof FailoverEventCallbacks>(
    event: E,
    callback: FailoverEventCallbacks[E],
  ): this;
  /** The same as `off`. */
  removeListener<E extends keyof FailoverEventCallbacks>(event: E, callback: FailoverEventCallbacks[E]): this;
}
