/** What one link can take: how large, of which kind, and how much of it unacknowledged. */
import type { IClientPublishOptions, Packet } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock } from '../platform/ports.js';
import { NO_LIMITS } from '../session/broker-limits.js';
import type { Link } from '../session/link.js';
import { Caution } from './caution.js';
import type { InFlight, InFlightEntry } from './in-flight.js';
import { ignore, type Message, settle } from './message.js';
import type { Outbox } from './outbox.js';
import { PublishLimits } from './publish-limits.js';

export interface SendWindowDeps {
  readonly core: MqttCore;
  readonly inFlight: InFlight;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly options: { readonly maxBytes: number };
}

/** Told of what becomes of messages of QoS 1 and 2. */
export interface SendWindowOwner {
  /** The broker, or MQTT.js, has had the last word on it. */
  answered(message: Message, error: Error | undefined, packet: Packet | undefined): void;
  /** One has left the wire, and what was to be resent has had its chance at the place. */
  freed(): void;
}

/** Ids that stay free for SUBSCRIBE and UNSUBSCRIBE, whatever the publishes do. */
const RESERVED_IDS = 256;
const MAX_IN_FLIGHT = 65_535 - RESERVED_IDS;

/**
 * Writes to the link what fits, and first, after a resumed session, again what was in flight before.
 *
 * It stores nothing: what does not fit stays where it is until {@link SendWindow.hasPlace} says otherwise.
 */
export class SendWindow {
  readonly #deps: SendWindowDeps;
  readonly #owner: SendWindowOwner;
  readonly #inFlight: InFlight;
  readonly #caution: Caution;
  #limits = new PublishLimits(NO_LIMITS, '', { properties: false, aliases: false });
  #quota = 0;
  /** In flight before the link came up and not sent again yet, as the Receive Maximum is smaller. */
  #unsent: InFlightEntry[] = [];
  /** What is in flight is resent when subscriptions are restored, so that neither is blamed for the other. */
  #isHeld = false;

  constructor(deps: SendWindowDeps, owner: SendWindowOwner) {
    const freed = () => {
      this.#resend();
      owner.freed();
    };
    this.#deps = deps;
    this.#owner = owner;
    this.#inFlight = deps.inFlight;
    this.#caution = new Caution(deps.clock, freed);
    deps.inFlight.onRemoved((message) => {
      this.#caution.answered(message);
      freed();
    });
  }

  /** How many messages of QoS 1 and 2 may be on the wire. */
  get quota(): number {
    return this.#quota;
  }

  /** Whether one message at a time may be on the wire, and nothing else (R92). */
  get isCautious(): boolean {
    return this.#caution.isOn;
  }

  /**
   * Session Present 1: the broker knows what is in flight. Same ids, same order, DUP on PUBLISH, one window (R96).
   *
   * @param afterSubscriptions - Resends nothing before {@link release}.
   */
  linkUp({ resumed, limits, endpoint }: Link, afterSubscriptions: boolean): void {
    const { protocolVersion, autoAssignTopicAlias, autoUseTopicAlias } = this.#deps.core.options;
    this.#limits = new PublishLimits(limits, endpoint.id, {
      properties: protocolVersion === 5,
      aliases: autoAssignTopicAlias === true || autoUseTopicAlias === true,
    });
    this.#quota = Math.min(limits.receiveMaximum, MAX_IN_FLIGHT);
    this.#caution.linkUp();
    this.#isHeld = this.#caution.isOn || afterSubscriptions;
    if (resumed) this.#unsent = this.#inFlight.entries();
    this.#resend();
  }

  /** Subscriptions are restored. */
  release(): void {
    this.#isHeld = false;
    this.#resend();
  }

  /** Lets everything flow when nobody is suspected any more; returns whether that is new. */
  relax(): boolean {
    const isNew = this.#caution.relax();
    if (isNew) this.#resend();
    return isNew;
  }

  /**
   * @param end - How the link ended, unless we left it.
   * @returns whether a publish is suspected to have ended it. One that is proven is given up.
   */
  linkDown(end: FailoverError | undefined): boolean {
    const unsent = new Set(this.#unsent);
    this.#unsent = [];
    this.#isHeld = false;
    const onTheWire = this.#inFlight.entries().filter((entry) => !unsent.has(entry));
    const { suspected, culprit } = this.#caution.linkDown(end, onTheWire);
    if (end && culprit) this.#quarantine(culprit, end);
    return suspected;
  }

  /** A message that ended three links, the last one alone on it, goes to no other endpoint. */
  #quarantine({ id, message }: InFlightEntry, cause: FailoverError): void {
    this.#take(id);
    const text = `Message to ${JSON.stringify(message.topic)} was given up: three connections ended when it was sent`;
    const { endpoint } = cause;
    const error = new FailoverError('ERR_POISON', text, {
      cause,
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    this.#deps.outbox.drops.reject(message, 'poison', error);
  }

  /** Whether `message` may be written now. */
  hasPlace(message: Message): boolean {
    if (this.#caution.isTrying || (this.#caution.isOn && this.#unsent.length > 0)) return false;
    if (message.qos === 0) return true;
    return (
      this.#onTheWire < this.#quota && this.#inFlight.bytes + message.bytes <= this.#deps.options.maxBytes
    );
  }

  get #onTheWire(): number {
    return this.#inFlight.size - this.#unsent.length;
  }

  /** Whether the broker we are on cannot take `message`, which is settled then. */
  refuses(message: Message): boolean {
    const misfit = this.#limits.misfit(message);
    if (misfit) this.#deps.outbox.drops.reject(message, misfit.reason, misfit.error);
    return misfit !== undefined;
  }

  /** Writes a message that {@link hasPlace}; `onSettled` is called last, or never if the link ends. */
  write(message: Message, options: IClientPublishOptions, onSettled?: () => void): void {
    const { topic, payload, qos } = message;
    const { core } = this.#deps;
    if (qos === 0) {
      // Without a callback MQTT.js need not wait for `drain`.
      const silent = message.settle === ignore && !onSettled;
      core.publish(
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
    this.#caution.sending(message);
    this.#inFlight.track(message, () => {
      core.publish(topic, payload, options, (error, packet) => {
        this.#owner.answered(message, error, packet);
        onSettled?.();
      });
    });
  }

  #resend(): void {
    if (this.#isHeld) return;
    while (this.#unsent.length > 0 && this.#onTheWire < this.#quota && !this.#caution.isTrying) {
      const entry = this.#unsent.shift() as InFlightEntry;
      if (this.#inFlight.has(entry.id)) this.#resendOne(entry);
    }
  }

  #resendOne({ id, message, packet }: InFlightEntry): void {
    if (packet.cmd === 'publish') {
      const misfit = this.#limits.misfit(message);
      if (misfit) {
        this.#take(id);
        this.#deps.outbox.drops.reject(message, misfit.reason, misfit.error);
        return;
      }
      packet.dup = true;
    }
    message.sentAt = this.#deps.clock.now();
    this.#caution.sending(message);
    this.#deps.core.writePacket(packet);
  }

  /** Takes out all that is in flight, in the order of sending: no answer is waited for any more, and nobody is told. */
  takeAll(): InFlightEntry[] {
    const entries = this.#inFlight.takeAll();
    for (const { id } of entries) this.#deps.core.forget(id);
    return entries;
  }

  #take(id: number): void {
    this.#deps.core.forget(id);
    this.#inFlight.take(id);
  }
}
