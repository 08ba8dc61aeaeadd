/** QoS 1 and 2 publishes that were sent and are not acknowledged yet, in the order of sending. */
import type { IPublishPacket, IStore, Packet } from 'mqtt';
import type { Message } from './message.js';

/** A sent packet and the message it belongs to. A PUBREL takes the place of its PUBLISH. */
export interface InFlightEntry {
  readonly id: number;
  readonly message: Message;
  /** The PUBLISH as MQTT.js copied it, or the PUBREL that followed. */
  packet: Packet;
  /** The PUBLISH, kept beside a PUBREL so that the message can be published again. */
  readonly publish: IPublishPacket;
}

/**
 * MQTT.js's outgoing store, which shows MQTT.js nothing to replay.
 *
 * MQTT.js resends its store one message a round trip, before `connect`, without DUP and whether or not the session
 * survived (J2, J3). Here its `createStream` is always empty: `connect` fires at once and the publisher decides.
 */
export class InFlight implements IStore {
  readonly #entries = new Map<number, InFlightEntry>();
  #bytes = 0;
  #sending: Message | undefined;
  #onRemoved: (message: Message) => void = () => {};
  #onReceived: (message: Message) => void = () => {};

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of the messages in flight, as the outbox counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds since the oldest message in flight was published; 0 when there is none. */
  oldestAgeMs(now: number): number {
    const [oldest] = this.#entries.values();
    return oldest ? now - oldest.message.publishedAt : 0;
  }

  has(id: number): boolean {
    return this.#entries.has(id);
  }

  /** All entries in the order of sending. */
  entries(): InFlightEntry[] {
    return [...this.#entries.values()];
  }

  /** Whether `test` holds for a message in flight. */
  some(test: (message: Message) => boolean): boolean {
    for (const { message } of this.#entries.values()) if (test(message)) return true;
    return false;
  }

  /** Calls `listener` whenever an entry has left. */
  onRemoved(listener: (message: Message) => void): void {
    this.#onRemoved = listener;
  }

  /** Calls `listener` whenever a broker has answered a message with PUBREC. */
  onReceived(listener: (message: Message) => void): void {
    this.#onReceived = listener;
  }

  /** Runs `send`, during which MQTT.js puts the packet of `message`. */
  track(message: Message, send: () => void): void {
    this.#sending = message;
    try {
      send();
    } finally {
      this.#sending = undefined;
    }
  }

  put(packet: Packet, callback: (error?: Error) => void): this {
    const id = packet.messageId as number;
    const known = this.#entries.get(id);
    if (known) {
      known.packet = packet;
      if (packet.cmd === 'pubrel') this.#onReceived(known.message);
    } else if (this.#sending && packet.cmd === 'publish') {
      this.#entries.set(id, { id, message: this.#sending, packet, publish: packet });
      // MQTT.js's copy: the caller may reuse its buffer, and the message may have to be published again.
      this.#sending.payload = packet.payload;
      this.#bytes += this.#sending.bytes;
    }
    callback();
    return this;
  }

  del(packet: Pick<Packet, 'messageId'>, callback: (error?: Error, packet?: Packet) => void): this {
    const entry = this.take(packet.messageId as number);
    if (entry) callback(undefined, entry.publish);
    else callback(new Error('missing packet'));
    return this;
  }

  get(packet: Pick<Packet, 'messageId'>, callback: (error?: Error, packet?: Packet) => void): this {
    const entry = this.#entries.get(packet.messageId as number);
    if (entry) callback(undefined, entry.packet);
    else callback(new Error('missing packet'));
    return this;
  }

  /** Removes and returns an entry. */
  take(id: number): InFlightEntry | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    this.#bytes -= entry.message.bytes;
    this.#onRemoved(entry.message);
    return entry;
  }

  /** Removes and returns all entries in the order of sending; nobody is told. */
  takeAll(): InFlightEntry[] {
    const entries = this.entries();
    this.#entries.clear();
    this.#bytes = 0;
    return entries;
  }

  createStream(): ReturnType<IStore['createStream']> {
    return new EmptyStream() as unknown as ReturnType<IStore['createStream']>;
  }

  /** The store outlives connections, so closing it keeps what is in flight. */
  close(callback: () => void): void {
    callback();
  }
}

/** As much of an exhausted `Readable` as MQTT.js asks for; browsers have no `Readable` to inherit from. */
class EmptyStream {
  #onEnd: () => void = () => {};

  on(event: string, listener: () => void): this {
    if (event === 'end') this.#onEnd = listener;
    return this;
  }

  once(event: string, _listener: () => void): this {
    if (event === 'readable') this.#onEnd();
    return this;
  }

  read(): null {
    return null;
  }

  destroy(): void {}
}
