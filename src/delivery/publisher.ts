/** The life of a publish: queued or sent, resent after a fail-over, settled once. */
import type { IClientPublishOptions, PacketCallback } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock } from '../platform/ports.js';
import type { InFlight, InFlightEntry } from './in-flight.js';
import { createMessage, type Message, publishProblem, settle } from './message.js';
import type { Outbox } from './outbox.js';
import { type ReplayBounds, Replayer, type ReplayTarget } from './replayer.js';

export interface PublisherOptions extends ReplayBounds {
  readonly qos2: 'republish' | 'reject';
  readonly maxBytes: number;
  /** MQTT.js's `queueQoSZero`: false refuses QoS 0 while there is no connection. */
  readonly queueQoSZero: boolean;
}

export interface PublisherDeps {
  readonly outbox: Outbox;
  readonly inFlight: InFlight;
  readonly core: MqttCore;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly options: PublisherOptions;
  /** Length of a text in UTF-8. */
  readonly byteLength?: ((text: string) => number) | undefined;
}

/** What CONNACK said that matters for publishing. */
export interface SessionTerms {
  /** Session Present. */
  readonly resumed: boolean;
  /** The broker's Receive Maximum; 65535 when it named none. */
  readonly receiveMaximum: number;
}

/** Ids that stay free for SUBSCRIBE and UNSUBSCRIBE, whatever the publishes do. */
const RESERVED_IDS = 256;
const MAX_IN_FLIGHT = 65_535 - RESERVED_IDS;

/** Milliseconds that a planned move waits for acknowledgements (R111). */
const QUIESCE_MS = 5_000;

/** Orders, bounds and settles publishes; the connection comes and goes under it. */
export class Publisher implements ReplayTarget {
  readonly #outbox: Outbox;
  readonly #inFlight: InFlight;
  readonly #core: MqttCore;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #options: PublisherOptions;
  readonly #replayer: Replayer;
  readonly #byteLength: ((text: string) => number) | undefined;
  /** MQTT 5 topic aliases that the application defined; they end with the connection, the full topic does not (R105). */
  readonly #aliases = new Map<number, string>();
  #linked = false;
  #flowing = false;
  #quota = 0;
  /** In flight before the link came up and not sent again yet, as the Receive Maximum is smaller. */
  #unsent: InFlightEntry[] = [];
  #quotaWaiters: (() => void)[] = [];

  constructor(deps: PublisherDeps) {
    this.#outbox = deps.outbox;
    this.#inFlight = deps.inFlight;
    this.#core = deps.core;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#options = deps.options;
    this.#byteLength = deps.byteLength;
    this.#replayer = new Replayer(deps.outbox, this, deps.options, deps.clock);
    deps.inFlight.onRemoved(() => this.#freed());
    deps.outbox.onRemoved(() => this.#wakeQuotaWaiters());
  }

  /** Publishes that are not settled yet. */
  get unsettled(): number {
    return this.#outbox.size + this.#inFlight.size;
  }

  publish(
    topic: string,
    payload: string | Uint8Array | undefined,
    options: IClientPublishOptions,
    callback: PacketCallback | undefined,
  ): void {
    const settled = callback ?? ignore;
    const now = this.#clock.now();
    const problem = publishProblem(topic, payload, options);
    if (problem) {
      this.#outbox.reject(createMessage(String(topic), '', {}, settled, now), 'rejected', problem);
      return;
    }
    const message = createMessage(topic, payload, options, settled, now, this.#byteLength);
    if (options.properties?.topicAlias !== undefined)
      this.#publishAliased(message, options.properties.topicAlias);
    else if (this.#flowing && this.#outbox.size === 0 && this.hasQuota(message)) this.#sendNow(message);
    else this.#enqueue(message);
  }

  /** CONNACK was accepted: what was in flight is settled with the broker's memory before anything new. */
  linkUp(terms: SessionTerms): void {
    this.#linked = true;
    this.#quota = Math.min(terms.receiveMaximum, MAX_IN_FLIGHT);
    if (terms.resumed) this.#resend();
    else this.#restart();
  }

  /** Subscriptions are restored: queued and new publishes may flow. */
  flow(): void {
    if (!this.#linked) return;
    this.#flowing = true;
    this.#replayer.start(this.#quota);
  }

  /** Holds everything back that is not sent yet; resolves with whether all that was sent is acknowledged in time. */
  async quiesce(): Promise<boolean> {
    this.#flowing = false;
    this.#replayer.stop();
    let late = false;
    const timer = this.#clock.setTimeout(() => {
      late = true;
      this.#wakeQuotaWaiters();
    }, QUIESCE_MS);
    while (this.#linked && !late && this.#inFlight.size > 0) await this.quotaChanged();
    this.#clock.clearTimeout(timer);
    return this.#linked && this.#inFlight.size === 0;
  }

  /** The connection is gone; whatever is unsettled waits for the next one. */
  linkDown(): void {
    this.#linked = false;
    this.#flowing = false;
    this.#unsent = [];
    this.#replayer.stop();
    this.#wakeQuotaWaiters();
  }

  /** Settles everything that is left, as the client has ended. */
  abandon(): void {
    this.linkDown();
    const error = new FailoverError('ERR_ENDED', 'The client was ended before the message was delivered');
    for (const { id } of this.#inFlight.entries()) {
      const message = this.#take(id);
      if (message) settle(message, error);
    }
    this.#outbox.clear(error);
  }

  /** Resolves when nothing is unsettled. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.unsettled > 0 && !signal.aborted) await this.quotaChanged();
  }

  hasQuota(message: Message): boolean {
    if (message.qos === 0) return true;
    const sent = this.#inFlight.size - this.#unsent.length;
    return sent < this.#quota && this.#inFlight.bytes + message.bytes <= this.#options.maxBytes;
  }

  quotaChanged(): Promise<void> {
    return new Promise((resolve) => this.#quotaWaiters.push(resolve));
  }

  send(message: Message): Promise<void> {
    const options = this.#remainingLife(message);
    if (!options) {
      this.#outbox.drop(message, 'expired', 'its Message Expiry Interval passed while it waited');
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#transmit(message, options, resolve));
  }

  #publishAliased({ topic, payload, options, settle: callback }: Message, alias: number): void {
    if (topic !== '') this.#aliases.set(alias, topic);
    const { topicAlias: _, ...properties } = options.properties ?? {};
    // An alias that never had a topic leaves it empty, which is refused as an empty topic.
    this.publish(this.#aliases.get(alias) ?? '', payload, { ...options, properties }, callback);
  }

  #sendNow(message: Message): void {
    this.#outbox.stamp(message);
    this.#transmit(message, message.options);
  }

  #enqueue(message: Message): void {
    if (message.qos === 0 && !this.#linked && !this.#options.queueQoSZero) {
      settle(message, new Error('No connection to broker'));
      return;
    }
    // The caller may reuse its buffer as soon as publish returns; a string cannot change.
    if (typeof message.payload !== 'string') message.payload = copy(message.payload);
    this.#outbox.add(message);
    this.#replayer.wake();
  }

  #transmit(message: Message, options: IClientPublishOptions, onSettled?: () => void): void {
    const { topic, payload, qos } = message;
    if (qos === 0) {
      // Without a callback MQTT.js need not wait for `drain`.
      const silent = message.settle === ignore && !onSettled;
      this.#core.publish(
        topic,
        payload,
        options,
        silent
          ? undefined
          : (error) => {
              settle(message, error);
              onSettled?.();
            },
      );
      return;
    }
    this.#inFlight.track(message, () => {
      this.#core.publish(topic, payload, options, (error, packet) => {
        settle(message, error, packet);
        if (error) this.#reportRefusal(message, error);
        onSettled?.();
      });
    });
  }

  #reportRefusal({ topic, qos }: Message, cause: Error): void {
    const error = new FailoverError('ERR_REFUSED', `The broker refused the message: ${cause.message}`, {
      cause,
    });
    this.#events.emit('dropped', { topic, qos, reason: 'rejected', error });
  }

  /** Session Present 1: the broker knows these packets. Same ids, same order, DUP on PUBLISH, one window. R96. */
  #resend(): void {
    this.#unsent = this.#inFlight.entries();
    this.#pumpUnsent();
  }

  #pumpUnsent(): void {
    while (this.#unsent.length > 0 && this.#inFlight.size - this.#unsent.length < this.#quota) {
      const entry = this.#unsent.shift() as InFlightEntry;
      if (!this.#inFlight.has(entry.id)) continue;
      if (entry.packet.cmd === 'publish') entry.packet.dup = true;
      this.#core.writePacket(entry.packet);
    }
  }

  /** Session Present 0: the broker knows nothing. Published again as new, before everything that waits. R97. */
  #restart(): void {
    const again: Message[] = [];
    for (const entry of this.#inFlight.entries()) {
      const message = this.#take(entry.id) as Message;
      message.payload = entry.publish.payload;
      if (entry.packet.cmd === 'pubrel' && !this.#mayRepublish(message)) continue;
      again.push(message);
    }
    this.#outbox.putBack(again);
  }

  /** A PUBREC was seen: the old broker may have delivered the message, or lost it with the session. */
  #mayRepublish(message: Message): boolean {
    const reason = 'the session was lost between PUBREC and PUBCOMP';
    const republish = this.#options.qos2 === 'republish';
    this.#events.emit('uncertain', {
      topic: message.topic,
      qos: 2,
      reason,
      action: republish ? 'republished' : 'rejected',
    });
    if (republish) return true;
    const text = `Message to ${JSON.stringify(message.topic)} may or may not have been delivered: ${reason}`;
    this.#outbox.reject(message, 'rejected', new FailoverError('ERR_DELIVERY_UNCERTAIN', text));
    return false;
  }

  #take(id: number): Message | undefined {
    this.#core.forget(id);
    return this.#inFlight.take(id)?.message;
  }

  /** The options to send with, Message Expiry less the time spent waiting; `undefined` when it is over. R115. */
  #remainingLife({ options, publishedAt }: Message): IClientPublishOptions | undefined {
    const expiry = options.properties?.messageExpiryInterval;
    if (expiry === undefined) return options;
    const left = expiry - Math.floor((this.#clock.now() - publishedAt) / 1_000);
    return left > 0
      ? { ...options, properties: { ...options.properties, messageExpiryInterval: left } }
      : undefined;
  }

  #freed(): void {
    if (this.#unsent.length > 0) this.#pumpUnsent();
    this.#wakeQuotaWaiters();
  }

  #wakeQuotaWaiters(): void {
    if (this.#quotaWaiters.length === 0) return;
    const waiters = this.#quotaWaiters;
    this.#quotaWaiters = [];
    for (const wake of waiters) wake();
  }
}

function ignore(): void {}

/** A true copy of the same class; `Buffer`'s own `slice` would share memory. */
function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}
