/** The life of a publish: queued or sent, resent after a fail-over, settled once. */
import type { IClientPublishOptions, PacketCallback } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock } from '../platform/ports.js';
import type { Link } from '../session/link.js';
import { traceStep } from '../trace.js';
import { Answers } from './answers.js';
import type { CreateGate } from './gate.js';
import type { InFlight } from './in-flight.js';
import { Intake, type IntakeDeps } from './intake.js';
import { type Message, optionsAt, settle } from './message.js';
import type { Outbox } from './outbox.js';
import { type ReplayBounds, Replayer } from './replayer.js';
import { QUOTA_EXCEEDED, type Retries } from './retries.js';
import { SendWindow } from './send-window.js';
import { Turns } from './turns.js';
import { Unsettled } from './unsettled.js';

export interface PublisherOptions extends ReplayBounds {
  readonly qos2: 'republish' | 'reject';
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** MQTT.js's `queueQoSZero`: false refuses QoS 0 while there is no connection. */
  readonly queueQoSZero: boolean;
}

export interface PublisherDeps extends IntakeDeps {
  readonly outbox: Outbox;
  readonly inFlight: InFlight;
  readonly retries: Retries;
  readonly core: MqttCore;
  readonly events: EventSink;
  readonly options: PublisherOptions;
  readonly createGate: CreateGate;
}

/** DISCONNECT reason codes that ask for a slower replay (R178): Message rate too high, Quota exceeded. */
const TOO_FAST: ReadonlySet<unknown> = new Set([0x96, QUOTA_EXCEEDED]);

/** Milliseconds that a planned move waits for acknowledgements (R111). */
const QUIESCE_MS = 5_000;

/** Orders, bounds and settles publishes; the connection comes and goes under it. */
export class Publisher {
  /** How much is not settled, and who waits for it. */
  readonly unsettled: Unsettled;
  readonly #outbox: Outbox;
  readonly #inFlight: InFlight;
  readonly #retries: Retries;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #options: PublisherOptions;
  readonly #intake: Intake;
  readonly #window: SendWindow;
  readonly #turns: Turns;
  readonly #replayer: Replayer;
  #linked = false;
  #flowing = false;
  #onCaution: (cautious: boolean) => void = () => {};

  constructor(deps: PublisherDeps) {
    const { outbox, inFlight, retries, clock, events, options } = deps;
    this.#outbox = outbox;
    this.#inFlight = inFlight;
    this.#retries = retries;
    this.#clock = clock;
    this.#events = events;
    this.#options = options;
    this.unsettled = new Unsettled(deps);
    this.#intake = new Intake(deps);
    this.#window = new SendWindow(deps, {
      answered: (message, error, packet) => answers.take(message, error, packet),
      freed: () => {
        this.#turns.sendLive();
        this.#changed();
      },
    });
    this.#turns = new Turns({
      outbox,
      hasPlace: (message) => this.#window.hasPlace(message),
      isBacklogShort: () => this.#replayer.isShort,
      send: (message) => void this.#send(message),
    });
    const target = {
      hasQuota: (message: Message) => this.#window.hasPlace(message),
      quotaChanged: () => this.unsettled.changed(),
      send: (message: Message) => this.#replay(message),
      gaveWay: () => this.#turns.sendLive(),
    };
    this.#replayer = new Replayer(outbox, target, options, clock, deps.createGate);
    const answers = new Answers(deps, this.#replayer);
    inFlight.onReceived((message) => outbox.received(message));
    outbox.onRemoved(() => this.#changed());
    outbox.onAdded(() => {
      // Later: it may be while an older message of the topic is taken out, and not sent yet.
      if (outbox.firstLive) queueMicrotask(() => this.#turns.sendLive());
      this.#replayer.wake();
    });
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
    publishedAt?: number,
  ): void {
    const message = this.#intake.accept(topic, payload, options, callback, publishedAt);
    if (!message) return;
    if (this.#flowing && this.#outbox.mayPass(message) && this.#turns.mayPass(message))
      this.#sendNow(message);
    else this.#enqueue(message);
    this.unsettled.grew();
  }

  /**
   * CONNACK was accepted: what was in flight is settled with the broker's memory before anything new.
   *
   * @param afterSubscriptions - Resends nothing before {@link flow}: a SUBSCRIBE is suspected and goes out alone.
   */
  linkUp(link: Link, afterSubscriptions = false): void {
    const { resumed, endpoint } = link;
    this.#linked = true;
    const inFlight = this.#inFlight.size;
    this.#window.linkUp(link, afterSubscriptions);
    if (!resumed) this.#restart();
    if (inFlight === 0) return;
    const how = resumed ? 'sent again' : 'published again as new';
    traceStep(this.#events, endpoint.id, 'resent', `${inFlight} in flight ${how}`);
  }

  /** Subscriptions are restored: queued and new publishes may flow. */
  flow(): void {
    if (!this.#linked) return;
    if (this.#window.isCautious) this.#onCaution(true);
    this.#flowing = true;
    this.#window.release();
    this.#relax();
    this.#replayer.start(this.#window.quota);
  }

  /** Holds everything back that is not sent yet; resolves with whether all that was sent is acknowledged in time. */
  async quiesce(): Promise<boolean> {
    this.#hold();
    let late = false;
    const timer = this.#clock.setTimeout(() => {
      late = true;
      this.#changed();
    }, QUIESCE_MS);
    while (this.#linked && !late && this.#inFlight.size > 0) await this.unsettled.changed();
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
    this.#linked = false;
    this.#hold();
    if (end?.outcome?.kind === 'disconnect' && TOO_FAST.has(end.outcome.code)) this.#replayer.slowDown();
    const suspected = this.#window.linkDown(end);
    this.#changed();
    return suspected;
  }

  /** Settles everything that is left, as the client has ended. */
  abandon(): void {
    this.linkDown();
    const kept = this.#outbox.isDurable ? '; the next client with this store and client id delivers it' : '';
    const text = `The client was ended before the message was delivered${kept}`;
    const error = new FailoverError('ERR_ENDED', text);
    this.#outbox.seal(error);
    for (const { message } of this.#window.takeAll()) settle(message, error);
    for (const message of this.#retries.clear()) settle(message, error);
    this.#outbox.clear(error);
    this.#changed();
  }

  #replay(message: Message): Promise<void> {
    const settled = this.#send(message);
    if (message.qos > 0) this.#turns.replayed();
    return settled;
  }

  /** Sends what was taken from the outbox; resolves when it is settled, or never if the link ends. */
  #send(message: Message): Promise<void> {
    const settled = this.#trySend(message);
    this.#changed();
    return settled;
  }

  #trySend(message: Message): Promise<void> {
    const options = optionsAt(message, this.#clock.now());
    if (!options) {
      this.#outbox.drops.drop(message, 'expired', 'its Message Expiry Interval passed while it waited');
      return Promise.resolve();
    }
    if (this.#window.refuses(message)) return Promise.resolve();
    if (message.received && !this.#mayRepublish(message, 'an earlier client had PUBREC for it'))
      return Promise.resolve();
    message.received = false;
    message.sentAt = this.#clock.now();
    return new Promise((resolve) => this.#window.write(message, options, resolve));
  }

  #sendNow(message: Message): void {
    if (this.#window.refuses(message)) return;
    this.#outbox.stamp(message);
    this.#window.write(message, message.options);
    if (message.onStored !== undefined || this.#outbox.isDurable) this.#outbox.sent(message);
  }

  #enqueue(message: Message): void {
    if (message.qos === 0 && !this.#linked && !this.#options.queueQoSZero) {
      settle(message, new Error('No connection to broker'));
      return;
    }
    // Nothing overtakes a suspect.
    this.#outbox.add(message, this.#flowing && !this.#window.isCautious);
    this.#turns.sendLive();
    this.#replayer.wake();
  }

  /** Session Present 0: the broker knows nothing. Published again as new, before everything that waits. R97. */
  #restart(): void {
    const uncertain: Message[] = [];
    const again: Message[] = [];
    for (const { message, packet } of this.#window.takeAll()) {
      const isUncertain = packet.cmd === 'pubrel';
      if (isUncertain) uncertain.push(message);
      if (!isUncertain || this.#options.qos2 === 'republish') again.push(message);
    }
    this.#outbox.putBack(again);
    // Last, as listeners may end the client: each message is in one place again.
    for (const message of uncertain) if (!message.settled) this.#mayRepublish(message);
    this.#changed();
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
    this.#outbox.drops.reject(message, 'rejected', new FailoverError('ERR_DELIVERY_UNCERTAIN', text));
    return false;
  }

  #changed(): void {
    if (this.#flowing) this.#relax();
    this.unsettled.wake();
  }

  #relax(): void {
    if (this.#window.relax()) this.#onCaution(false);
  }
}
