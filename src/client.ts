/**
 * `FailoverClient`: MQTT.js's client as applications know it, over several brokers.
 *
 * A reader starts here. This file speaks MQTT.js's API and decides nothing; each method hands over to
 *
 *   brokers ─ discovery/watcher ─ selection/rank ─ health/health-book      which endpoint
 *           ─ connection/supervisor ─ connection/racing-dialer             when, and how it is reached
 *           ─ connection/session ─ connection/session-stream               CONNECT, CONNACK, the end of the link
 *           ─ delivery/subscriptions ─ delivery/publisher ─ delivery/outbox  what must arrive
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
  type IConnackPacket,
  type IDisconnectPacket,
  type ISubscriptionMap,
  type MqttClientEventCallbacks,
  type Packet,
  type PacketCallback,
  type StreamBuilder,
} from 'mqtt';
import type { InFlight } from './delivery/in-flight.js';
import type { PacketIds } from './delivery/packet-ids.js';
import {
  type Publication,
  type Published,
  type PublishFromOptions,
  type PublishTarget,
  publishFrom,
} from './delivery/publish-from.js';
import type { ClientEngine } from './engine.js';
import { FailoverError } from './errors.js';
import type { EventSink, FailoverEvents, ReceivedPublish } from './events.js';
import type { MqttCore } from './mqtt/mqtt-core.js';
import { clearReconnect, writePacket } from './mqtt/mqttjs-internals.js';
import { logEvent, redactingLog, redactPacket } from './mqtt/redact.js';
import { PlainStatus } from './plain-status.js';
import { LONGEST_TIMER_MS } from './platform/longest-timer.js';
import { DEFAULT_KEEPALIVE } from './session/liveness.js';
import type { ClientStatus, Explanation } from './status.js';

const { MqttClient } = mqtt;

/** Events of a client: MQTT.js's and ours. */
export type FailoverEventCallbacks = Omit<MqttClientEventCallbacks, 'message'> & {
  /** A message has arrived; with `packet.afterFailover` it may be known already. */
  message: (topic: string, payload: Buffer, packet: ReceivedPublish) => void;
} & {
  [E in keyof FailoverEvents]: (payload: FailoverEvents[E]) => void;
};

/** What a managed client is built of; see `di/container.ts`. */
export interface ManagedSetup {
  readonly options: IClientOptions;
  readonly inFlight: InFlight;
  readonly packetIds: PacketIds;
  start(core: MqttCore, events: EventSink): ClientEngine;
}

/** What a plain client is built of: what `mqtt.connect` would have used. */
export interface PlainSetup {
  readonly options: IClientOptions;
  readonly streamBuilder: StreamBuilder;
}

/** How long `drain` and `flush` wait. */
export interface WaitOptions {
  /** Milliseconds at most. @defaultValue 10000 */
  readonly timeoutMs?: number;
}

/** What `drain` came to. */
export interface Drained {
  /** Publishes that were not delivered, and are settled with `ERR_ENDED`. */
  readonly undelivered: number;
}

/** What `flush` came to. */
export interface Flushed {
  /** Publishes that wait, or are in flight, still. */
  readonly unsettled: number;
}

/** Milliseconds that `drain` waits unless told otherwise. */
const DRAIN_TIMEOUT_MS = 10_000;

/** An MQTT.js client that survives the loss of its broker. Made by `connect`. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface below only adds overloads
export class FailoverClient extends MqttClient {
  readonly #engine: ClientEngine | undefined;
  readonly #plain: PlainStatus | undefined;

  /** @internal Use `connect`. */
  constructor(setup: ManagedSetup | PlainSetup) {
    let engine: ClientEngine | undefined;
    const managed = 'start' in setup;
    super(
      managed ? ((() => engine?.takeStream()) as unknown as StreamBuilder) : setup.streamBuilder,
      managed ? managedOptions(setup) : setup.options,
    );
    if (!managed) {
      this.#plain = new PlainStatus(this);
      return;
    }
    this.options.manualConnect = setup.options.manualConnect ?? false;
    this.log = quietLog(this.log);
    engine = setup.start(this.#core(setup.options.customHandleAcks !== undefined), {
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

  /** A plain JSON snapshot: state, current and home endpoint, every endpoint's health, the outbox, discovery. */
  status(): ClientStatus {
    return this.#engine?.status() ?? (this.#plain as PlainStatus).status();
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
  async drain({ timeoutMs = DRAIN_TIMEOUT_MS }: WaitOptions = {}): Promise<Drained> {
    const engine = this.#engine;
    if (!engine) {
      await this.endAsync();
      return { undelivered: 0 };
    }
    this.disconnecting = true;
    await engine.drained(timeoutMs);
    const undelivered = engine.status().outbox.messages;
    await new Promise<void>((resolve) => engine.end(false, undefined, () => resolve(), 0));
    return { undelivered };
  }

  /**
   * Waits until everything that was published before the call is settled, also across a fail-over; the client stays.
   *
   * @param options - How long to wait.
   * @returns how many publishes are not settled then; 0 if nothing was published meanwhile and all is well.
   */
  async flush({ timeoutMs = DRAIN_TIMEOUT_MS }: WaitOptions = {}): Promise<Flushed> {
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
    const target: PublishTarget = {
      publish: (topic, payload, opts, callback) =>
        void this.publish(topic, payload as Buffer, opts, callback),
      room: async (signal) => this.#engine?.room(signal),
    };
    return publishFrom(target, source, options);
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
    const names = Array.isArray(list) ? list : Object.keys(list).filter((name) => name !== 'resubscribe');
    if (this.#validTopics(names, done)) this.#engine.subscribe(list, opts, done);
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
    const names = typeof topics === 'string' ? [topics] : topics;
    if (this.#validTopics(names, done)) this.#engine.unsubscribe(names, opts, done);
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
    const args = [force, options, callback];
    const done = args.find((arg) => typeof arg === 'function') as ((error?: Error) => void) | undefined;
    const packet = args.find((arg) => typeof arg === 'object' && arg !== null) as
      | Partial<IDisconnectPacket>
      | undefined;
    if (this.disconnecting) {
      engine.stayEnded();
      done?.();
      return this;
    }
    this.disconnecting = true;
    engine.end(force === true, packet, done ?? noop);
    return this;
  }

  /**
   * Emits as any emitter does, with four exceptions: secrets are taken out of `packetsend`, the supervisor hears of
   * CONNACK and DISCONNECT before MQTT.js acts on them, an `error` that is only the end of one connection among
   * others is left to it, and messages of the topology topic are discovery's.
   *
   * @internal
   */
  override emit<E extends keyof MqttClientEventCallbacks>(
    event: E,
    ...args: Parameters<MqttClientEventCallbacks[E]>
  ): boolean {
    const engine = this.#engine;
    if (engine) {
      if (event === 'packetsend') {
        const packet = args[0] as Packet;
        engine.packetSent(packet);
        return super.emit('packetsend', redactPacket(packet));
      }
      if (event === 'packetreceive') engine.packetReceived(args[0] as Packet);
      else if (event === 'connect') engine.connectEmitted(args[0] as IConnackPacket);
      else if (event === 'error' && engine.absorbs(args[0] as Error)) return true;
      else if (event === 'message' && engine.keeps(args[0] as string, args[1] as Buffer)) return true;
    }
    // MQTT.js arms its reconnect timer right after `offline`, even if a listener has just ended the client.
    if (engine && event === 'offline') queueMicrotask(() => this.disconnecting && clearReconnect(this));
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

  #validTopics(topics: string[], callback: (error: Error) => void): boolean {
    // MQTT.js lets these pass; brokers close the connection over them, and would so again on every endpoint.
    const unusable = topics.find((topic) => topic === '' || topic.includes('\u0000'));
    const invalid = unusable ?? mqtt.validateTopics(topics);
    if (invalid === null) return true;
    queueMicrotask(() => callback(new Error(`Invalid topic ${invalid}`)));
    return false;
  }

  #announce<E extends keyof FailoverEvents>(event: E, payload: FailoverEvents[E]): void {
    if (this.log !== noop) logEvent(this.log, event, payload);
    try {
      super.emit(event as never, ...([payload] as never));
    } catch (thrown) {
      // A throwing listener must not stop the supervisor half-way; it is as uncaught as in any other emitter.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }

  /** MQTT.js's own methods, for the parts below. */
  #core(judgesMessages: boolean): MqttCore {
    // While the client drains, MQTT.js would refuse what was accepted before.
    const asIfOpen = (call: () => unknown) => {
      const { disconnecting } = this;
      this.disconnecting = false;
      try {
        call();
      } finally {
        this.disconnecting = disconnecting;
      }
    };
    return {
      options: this.options,
      client: this,
      judgesMessages,
      connect: () => {
        // Acknowledgements that MQTT.js kept for a connection that is gone mean nothing to the next.
        this.queue.length = 0;
        super.connect();
      },
      publish: (topic, payload, options, callback) => {
        // The hot path: no closure while nobody drains.
        if (!this.disconnecting) super.publish(topic, payload as Buffer, options, callback as never);
        else asIfOpen(() => super.publish(topic, payload as Buffer, options, callback as never));
      },
      subscribe: (topics, options, callback) =>
        asIfOpen(() => super.subscribe(topics, options as never, callback as never)),
      unsubscribe: (topics, options, callback) =>
        asIfOpen(() => super.unsubscribe(topics, options as never, callback as never)),
      revive: () => {
        this.disconnecting = false;
        if (!this.disconnected) return;
        // As in MQTT.js's `reconnect`: `end` closed the store of inbound QoS 2 messages.
        this.incomingStore = new mqtt.Store();
        this.disconnected = false;
      },
      end: (force, options, callback) => {
        // MQTT.js waits for what is in `outgoing`, for ever if the acknowledgement does not come (J8).
        for (const id of Object.keys(this.outgoing)) delete this.outgoing[Number(id)];
        // Set since the application called `end`; MQTT.js's own does nothing when it finds it so.
        this.disconnecting = false;
        super.end(force, options as never, callback);
      },
      writePacket: (packet) => writePacket(this, packet),
      forget: (id) => {
        delete this.outgoing[id];
        this.messageIdProvider.deallocate(id);
      },
      emit: (event) => super.emit(event),
      emitError: (error) => super.emit('error', error),
    };
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

function noop(): void {}

const NO_OPTIONS: IClientPublishOptions = Object.freeze({});

/** MQTT.js's own reconnection, resubscription and store replay are off; ours take their place (R1). */
function managedOptions({ options, inFlight, packetIds }: ManagedSetup): IClientOptions {
  return {
    keepalive: DEFAULT_KEEPALIVE,
    ...options,
    ...(options.log ? { log: redactingLog(options.log) } : {}),
    manualConnect: true,
    // MQTT.js's own timers for that never fire.
    reconnectPeriod: LONGEST_TIMER_MS,
    connectTimeout: LONGEST_TIMER_MS,
    resubscribe: false,
    reconnectOnConnackError: true,
    outgoingStore: inFlight,
    messageIdProvider: packetIds,
  };
}

/** Without a log function MQTT.js logs to `debug`; where that is off, a no-op spares formatting each packet. */
function quietLog(log: ((...args: unknown[]) => void) & { enabled?: boolean }): (...args: unknown[]) => void {
  if (log.enabled === undefined) return log;
  return log.enabled ? redactingLog(log) : noop;
}
