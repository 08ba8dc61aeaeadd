/** The life of a publish: queued or sent, resent after a fail-over, settled once. */
import type { IClientPublishOptions, Packet, PacketCallback } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock, Timer } from '../platform/ports.js';
import { NO_LIMITS } from '../session/broker-limits.js';
import type { Link } from '../session/session.js';
import { traceStep } from '../trace.js';
import type { DedupIds } from './dedup-ids.js';
import type { CreateGate } from './gate.js';
import type { InFlight, InFlightEntry } from './in-flight.js';
import { createMessage, ignore, type Message, publishProblem, settle } from './message.js';
import type { Outbox } from './outbox.js';
import { PublishLimits } from './publish-limits.js';
import { type ReplayBounds, Replayer, type ReplayTarget } from './replayer.js';
import { QUOTA_EXCEEDED, type Retries } from './retries.js';
import { CAUSE_WINDOW_MS, mayBeOurDoing, Suspects } from './suspects.js';
import { Turns } from './turns.js';
import { WaterMarks } from './water-marks.js';

export interface PublisherOptions extends ReplayBounds {
  readonly qos2: 'republish' | 'reject';
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** MQTT.js's `queueQoSZero`: false refuses QoS 0 while there is no connection. */
  readonly queueQoSZero: boolean;
}

export interface PublisherDeps {
  readonly outbox: Outbox;
  readonly inFlight: InFlight;
  readonly retries: Retries;
  readonly core: MqttCore;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly options: PublisherOptions;
  readonly createGate: CreateGate;
  /** Adds an id to each message, if it is asked for. */
  readonly dedupIds?: DedupIds | undefined;
  /** Length of a text in UTF-8. */
  readonly byteLength?: ((text: string) => number) | undefined;
}

/** Publishes that are not settled yet. */
export interface Unsettled {
  readonly messages: number;
  readonly bytes: number;
  /** Milliseconds since the oldest of them was published; 0 when there is none. */
  readonly oldestAgeMs: number;
}

/** Ids that stay free for SUBSCRIBE and UNSUBSCRIBE, whatever the publishes do. */
const RESERVED_IDS = 256;
const MAX_IN_FLIGHT = 65_535 - RESERVED_IDS;

/** PUBCOMP: the broker has done with the id of a resent PUBREL, so it has the message [MQTT 5.0 §3.7.2.1]. */
const PACKET_ID_NOT_FOUND = 0x92;
/** DISCONNECT reason codes that ask for a slower replay (R178): Message rate too high, Quota exceeded. */
const TOO_FAST: ReadonlySet<unknown> = new Set([0x96, QUOTA_EXCEEDED]);

/** Milliseconds that a planned move waits for acknowledgements (R111). */
const QUIESCE_MS = 5_000;

/** Orders, bounds and settles publishes; the connection comes and goes under it. */
export class Publisher implements ReplayTarget {
  readonly #outbox: Outbox;
  readonly #inFlight: InFlight;
  readonly #retries: Retries;
  readonly #core: MqttCore;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #options: PublisherOptions;
  readonly #replayer: Replayer;
  readonly #turns: Turns;
  readonly #byteLength: ((text: string) => number) | undefined;
  readonly #dedupIds: DedupIds | undefined;
  readonly #water: WaterMarks;
  /** MQTT 5 topic aliases that the application defined; they end with the connection, the full topic does not (R105). */
  readonly #aliases = new Map<number, string>();
  #linked = false;
  #flowing = false;
  #quota = 0;
  /** In flight before the link came up and not sent again yet, as the Receive Maximum is smaller. */
  #unsent: InFlightEntry[] = [];
  #quotaWaiters: (() => void)[] = [];
  #limits = new PublishLimits(NO_LIMITS, '', { properties: false, aliases: false });
  readonly #suspects = new Suspects<Message>(({ settled }) => !settled);
  /** While a suspect is unsettled, one message at a time is on the wire, and nothing else (R92). */
  #cautious = false;
  /** The message that is alone on the wire, and when it has outlived suspicion. */
  #trial: { readonly message: Message; readonly timer: Timer } | undefined;
  /** What is in flight is resent when subscriptions are restored, so that neither is blamed for the other. */
  #resendHeld = false;
  #onCaution: (cautious: boolean) => void = () => {};

  constructor(deps: PublisherDeps) {
    this.#outbox = deps.outbox;
    this.#inFlight = deps.inFlight;
    this.#retries = deps.retries;
    this.#core = deps.core;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#options = deps.options;
    this.#byteLength = deps.byteLength;
    this.#dedupIds = deps.dedupIds;
    this.#water = new WaterMarks(deps.options, deps.events);
    this.#replayer = new Replayer(deps.outbox, this, deps.options, deps.clock, deps.createGate);
    this.#turns = new Turns({
      outbox: deps.outbox,
      hasPlace: (message) => this.hasQuota(message),
      isBacklogShort: () => this.#replayer.isShort,
      send: (message) => void this.#sendWaiting(message),
    });
    deps.inFlight.onRemoved((message) => this.#freed(message));
    deps.inFlight.onReceived((message) => deps.outbox.received(message));
    deps.outbox.onRemoved(() => this.#wakeQuotaWaiters());
    deps.outbox.onAdded(() => this.#replayer.wake());
  }

  /** How many publishes are not settled yet. */
  get unsettled(): number {
    return this.#outbox.size + this.#inFlight.size + this.#retries.size;
  }

  /** What is not settled yet. */
  status(): Unsettled {
    const now = this.#clock.now();
    return {
      messages: this.unsettled,
      bytes: this.#unsettledBytes,
      oldestAgeMs: Math.max(
        this.#outbox.oldestAgeMs,
        this.#inFlight.oldestAgeMs(now),
        this.#retries.oldestAgeMs(now),
      ),
    };
  }

  /** Opens the store of the outbox, if there is one, and recovers what it holds. */
  open(): void {
    this.#outbox.open();
  }

  /** Resolves when the store, which {@link abandon} gave up, has been let go of; `undefined` without one. */
  get closed(): Promise<void> | undefined {
    return this.#outbox.closed;
  }

  /** Calls `listener` with whether nothing else may be sent now, whenever that changes on a link. */
  onCaution(listener: (cautious: boolean) => void): void {
    this.#onCaution = listener;
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
    const identified = this.#dedupIds?.identify(options) ?? options;
    const message = createMessage(topic, payload, identified, settled, now, this.#byteLength);
    if (options.properties?.topicAlias !== undefined)
      this.#publishAliased(message, options.properties.topicAlias);
    else if (this.#flowing && this.#outbox.mayPass(message) && this.#turns.mayPass(message))
      this.#sendNow(message);
    else this.#enqueue(message);
    this.#lookAtWater();
  }

  #lookAtWater(): void {
    this.#water.look(this.unsettled, this.#unsettledBytes);
  }

  get #unsettledBytes(): number {
    return this.#outbox.bytes + this.#inFlight.bytes + this.#retries.bytes;
  }

  /** Resolves when the outbox may be filled further: at once, or after `lowwater`; or when `signal` is aborted. */
  async room(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#water.isHigh || signal?.aborted) return;
    const wake = () => this.#wakeQuotaWaiters();
    signal?.addEventListener('abort', wake);
    while (this.#water.isHigh && !signal?.aborted) await this.quotaChanged();
    signal?.removeEventListener('abort', wake);
  }

  /** Resolves when everything that was published before this call is settled, or `signal` is aborted. */
  async flushed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#outbox.isOpening) await this.quotaChanged();
    const { sequence } = this.#outbox;
    while (!signal.aborted && !this.#hasSettled(sequence)) await this.quotaChanged();
  }

  #hasSettled(sequence: number): boolean {
    if (!this.#outbox.hasPassed(sequence) || this.#retries.size > 0) return false;
    return !this.#inFlight.some((message) => message.sequence <= sequence);
  }

  /**
   * CONNACK was accepted: what was in flight is settled with the broker's memory before anything new.
   *
   * @param afterSubscriptions - Resends nothing before {@link flow}: a SUBSCRIBE is suspected and goes out alone.
   */
  linkUp({ resumed, limits, endpoint }: Link, afterSubscriptions = false): void {
    const { protocolVersion, autoAssignTopicAlias, autoUseTopicAlias } = this.#core.options;
    this.#limits = new PublishLimits(limits, endpoint.id, {
      properties: protocolVersion === 5,
      aliases: autoAssignTopicAlias === true || autoUseTopicAlias === true,
    });
    this.#linked = true;
    this.#quota = Math.min(limits.receiveMaximum, MAX_IN_FLIGHT);
    this.#cautious = this.#suspects.any;
    this.#resendHeld = this.#cautious || afterSubscriptions;
    const inFlight = this.#inFlight.size;
    if (resumed) this.#resend();
    else this.#restart();
    if (inFlight === 0) return;
    const how = resumed ? 'sent again' : 'published again as new';
    traceStep(this.#events, endpoint.id, 'resent', `${inFlight} in flight ${how}`);
  }

  /** Subscriptions are restored: queued and new publishes may flow. */
  flow(): void {
    if (!this.#linked) return;
    if (this.#cautious) this.#onCaution(true);
    this.#resendHeld = false;
    this.#flowing = true;
    this.#pumpUnsent();
    this.#relax();
    this.#replayer.start(this.#quota);
  }

  /** Holds everything back that is not sent yet; resolves with whether all that was sent is acknowledged in time. */
  async quiesce(): Promise<boolean> {
    this.#hold();
    let late = false;
    const timer = this.#clock.setTimeout(() => {
      late = true;
      this.#wakeQuotaWaiters();
    }, QUIESCE_MS);
    while (this.#linked && !late && this.#inFlight.size > 0) await this.quotaChanged();
    this.#clock.clearTimeout(timer);
    return this.#linked && this.#inFlight.size === 0;
  }

  /** Sends nothing more: what waited for a place waits for the next {@link flow}. */
  #hold(): void {
    this.#flowing = false;
    this.#replayer.stop();
    this.#outbox.endLive();
  }

  /**
   * The connection is gone; whatever is unsettled waits for the next one.
   *
   * @param end - How it ended, unless we left it.
   * @returns whether a publish is suspected to have ended it.
   */
  linkDown(end?: FailoverError): boolean {
    const unsent = new Set(this.#unsent);
    this.#linked = false;
    this.#unsent = [];
    this.#endTrial();
    this.#cautious = false;
    this.#resendHeld = false;
    this.#hold();
    this.#wakeQuotaWaiters();
    if (end?.outcome?.kind === 'disconnect' && TOO_FAST.has(end.outcome.code)) this.#replayer.slowDown();
    if (!end || !mayBeOurDoing(end)) return false;
    const since = this.#clock.now() - CAUSE_WINDOW_MS;
    const onTheWire = this.#inFlight
      .entries()
      .filter((entry) => !unsent.has(entry) && entry.message.sentAt > since);
    // What has PUBREC was taken, by a broker that went on.
    const likeliest = onTheWire.find(({ packet }) => packet.cmd === 'publish')?.message;
    const messages = onTheWire.map(({ message }) => message);
    const { suspected, culprit } = this.#suspects.linkEnded(messages, likeliest);
    const proven = onTheWire.find(({ message }) => message === culprit);
    if (proven) this.#quarantine(proven, end);
    return suspected;
  }

  /** A message that ended three links, the last one alone on it, goes to no other endpoint. */
  #quarantine({ id, message }: InFlightEntry, cause: FailoverError): void {
    this.#take(id);
    const text = `Message to ${JSON.stringify(message.topic)} was given up: three connections ended when it was sent`;
    const { endpoint } = cause;
    this.#outbox.reject(
      message,
      'poison',
      new FailoverError('ERR_POISON', text, { cause, ...(endpoint === undefined ? {} : { endpoint }) }),
    );
  }

  /** Settles everything that is left, as the client has ended. */
  abandon(): void {
    this.linkDown();
    const kept = this.#outbox.isDurable ? '; the next client with this store and client id delivers it' : '';
    const text = `The client was ended before the message was delivered${kept}`;
    const error = new FailoverError('ERR_ENDED', text);
    this.#outbox.seal(error);
    for (const { id } of this.#inFlight.entries()) {
      const message = this.#take(id);
      if (message) settle(message, error);
    }
    for (const message of this.#retries.clear()) settle(message, error);
    this.#outbox.clear(error);
  }

  /** Resolves when nothing is unsettled. */
  async settled(signal: AbortSignal): Promise<void> {
    while ((this.#outbox.isOpening || this.unsettled > 0) && !signal.aborted) await this.quotaChanged();
  }

  gaveWay(): void {
    this.#turns.sendLive();
  }

  hasQuota(message: Message): boolean {
    if (this.#cautious && (this.#trial || this.#unsent.length > 0)) return false;
    if (message.qos === 0) return true;
    const sent = this.#inFlight.size - this.#unsent.length;
    return sent < this.#quota && this.#inFlight.bytes + message.bytes <= this.#options.maxBytes;
  }

  quotaChanged(): Promise<void> {
    return new Promise((resolve) => this.#quotaWaiters.push(resolve));
  }

  send(message: Message): Promise<void> {
    const settled = this.#sendWaiting(message);
    if (message.qos > 0) this.#turns.replayed();
    return settled;
  }

  #sendWaiting(message: Message): Promise<void> {
    const settled = this.#trySend(message);
    this.#wakeQuotaWaiters();
    return settled;
  }

  #trySend(message: Message): Promise<void> {
    const options = this.#remainingLife(message);
    if (!options) {
      this.#outbox.drop(message, 'expired', 'its Message Expiry Interval passed while it waited');
      return Promise.resolve();
    }
    if (this.#refused(message)) return Promise.resolve();
    if (message.received && !this.#mayRepublish(message, 'an earlier client had PUBREC for it'))
      return Promise.resolve();
    message.received = false;
    message.sentAt = this.#clock.now();
    return new Promise((resolve) => this.#transmit(message, options, resolve));
  }

  #publishAliased({ topic, payload, options, settle: callback }: Message, alias: number): void {
    if (topic !== '') this.#aliases.set(alias, topic);
    const { topicAlias: _, ...properties } = options.properties ?? {};
    // An alias that never had a topic leaves it empty, which is refused as an empty topic.
    this.publish(this.#aliases.get(alias) ?? '', payload, { ...options, properties }, callback);
  }

  #sendNow(message: Message): void {
    if (this.#refused(message)) return;
    this.#outbox.stamp(message);
    this.#transmit(message, message.options);
    if (message.onStored !== undefined || this.#outbox.isDurable) this.#outbox.sent(message);
  }

  #enqueue(message: Message): void {
    if (message.qos === 0 && !this.#linked && !this.#options.queueQoSZero) {
      settle(message, new Error('No connection to broker'));
      return;
    }
    // Nothing overtakes a suspect.
    this.#outbox.add(message, this.#flowing && !this.#cautious);
    this.#turns.sendLive();
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
    if (this.#cautious) this.#beginTrial(message);
    this.#inFlight.track(message, () => {
      this.#core.publish(topic, payload, options, (error, packet) => {
        this.#answered(message, error, packet);
        onSettled?.();
      });
    });
  }

  /** Whether the broker we are on cannot take `message`, which is settled then. */
  #refused(message: Message): boolean {
    const misfit = this.#limits.misfit(message);
    if (misfit) this.#outbox.reject(message, misfit.reason, misfit.error);
    return misfit !== undefined;
  }

  /** PUBACK, a final PUBREC, or PUBCOMP. What the broker refused for now is published again as a new message (R71). */
  #answered(message: Message, error: Error | undefined, packet: Packet | undefined): void {
    const { code } = (error ?? {}) as { code?: unknown };
    if (!error || (packet?.cmd === 'pubcomp' && code === PACKET_ID_NOT_FOUND)) {
      settle(message, undefined, packet);
      return;
    }
    if (code === QUOTA_EXCEEDED) this.#replayer.slowDown();
    if (this.#retries.take(message, code, (again) => this.#publishAgain(again))) return;
    settle(message, error, packet);
    this.#reportRefusal(message, error);
  }

  #publishAgain(message: Message): void {
    this.#outbox.putBack([message]);
    this.#replayer.wake();
  }

  #reportRefusal({ topic, qos }: Message, cause: Error): void {
    const { code } = cause as { code?: unknown };
    const error = new FailoverError('ERR_REFUSED', `The broker refused the message: ${cause.message}`, {
      cause,
      ...(typeof code === 'number' ? { reasonCode: code } : {}),
    });
    this.#events.emit('dropped', { topic, qos, reason: 'rejected', error });
  }

  /** Session Present 1: the broker knows these packets. Same ids, same order, DUP on PUBLISH, one window. R96. */
  #resend(): void {
    this.#unsent = this.#inFlight.entries();
    this.#pumpUnsent();
  }

  #pumpUnsent(): void {
    if (this.#resendHeld) return;
    while (this.#unsent.length > 0 && this.#inFlight.size - this.#unsent.length < this.#quota) {
      if (this.#cautious && this.#trial) return;
      const entry = this.#unsent.shift() as InFlightEntry;
      if (this.#inFlight.has(entry.id)) this.#resendOne(entry);
    }
  }

  #resendOne({ id, message, packet }: InFlightEntry): void {
    if (packet.cmd === 'publish') {
      const misfit = this.#limits.misfit(message);
      if (misfit) {
        this.#take(id);
        this.#outbox.reject(message, misfit.reason, misfit.error);
        return;
      }
      packet.dup = true;
    }
    message.sentAt = this.#clock.now();
    if (this.#cautious) this.#beginTrial(message);
    this.#core.writePacket(packet);
  }

  /** Session Present 0: the broker knows nothing. Published again as new, before everything that waits. R97. */
  #restart(): void {
    const again: Message[] = [];
    for (const entry of this.#inFlight.entries()) {
      const message = this.#take(entry.id) as Message;
      if (entry.packet.cmd === 'pubrel' && !this.#mayRepublish(message)) continue;
      again.push(message);
    }
    this.#outbox.putBack(again);
  }

  /** A PUBREC was seen: the old broker may have delivered the message, or lost it with the session. */
  #mayRepublish(message: Message, reason = 'the session was lost between PUBREC and PUBCOMP'): boolean {
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

  /** `message` is alone on the wire: it is innocent once it is answered, or the link has outlived it for a while. */
  #beginTrial(message: Message): void {
    const acquit = () => {
      this.#endTrial();
      this.#suspects.withstood(message);
      this.#pumpUnsent();
      this.#wakeQuotaWaiters();
    };
    this.#trial = { message, timer: this.#clock.setTimeout(acquit, CAUSE_WINDOW_MS) };
  }

  #endTrial(): void {
    if (this.#trial) this.#clock.clearTimeout(this.#trial.timer);
    this.#trial = undefined;
  }

  /** Nobody is suspected any more: everything flows. */
  #relax(): void {
    if (!this.#cautious || this.#suspects.any) return;
    this.#cautious = false;
    this.#pumpUnsent();
    this.#onCaution(false);
  }

  #freed(message: Message): void {
    if (this.#trial?.message === message) {
      this.#endTrial();
      this.#suspects.withstood(message);
    }
    if (this.#unsent.length > 0) this.#pumpUnsent();
    this.#turns.sendLive();
    this.#wakeQuotaWaiters();
  }

  #wakeQuotaWaiters(): void {
    if (this.#flowing) this.#relax();
    if (this.#water.isHigh) this.#lookAtWater();
    if (this.#quotaWaiters.length === 0) return;
    const waiters = this.#quotaWaiters;
    this.#quotaWaiters = [];
    for (const wake of waiters) wake();
  }
}
