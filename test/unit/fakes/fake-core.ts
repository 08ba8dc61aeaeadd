/**
 * MQTT.js as the library sees it, without MQTT: it takes the stream, and the broker behind it answers as the test says.
 *
 * What it imitates is what `mqttjs-internals.test.ts` proves of the real one: the order of store and callback, the
 * callback kept per id, the stream destroyed on a refusal.
 */
import { EventEmitter } from 'node:events';
import type {
  ClientSubscribeCallback,
  IClientOptions,
  IClientPublishOptions,
  IPublishPacket,
  ISubscriptionMap,
  MqttClient,
  Packet,
  PacketCallback,
} from 'mqtt';
import type { InFlight } from '../../../src/delivery/in-flight.js';
import type { PacketIds } from '../../../src/delivery/packet-ids.js';
import type { MqttCore } from '../../../src/mqtt/mqtt-core.js';
import type { Session } from '../../../src/session/session.js';
import type { SessionStream } from '../../../src/session/session-stream.js';

/** What a broker does with CONNECT. */
export type ConnectAnswer =
  | 'accept'
  | 'resume'
  | 'silent'
  | 'hang up'
  | { readonly refuse: number }
  | { readonly receiveMaximum: number }
  | { readonly userProperties: Record<string, string | string[]> };

export interface Publish {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly options: IClientPublishOptions;
  /** 0 for QoS 0. */
  readonly id: number;
  readonly callback: PacketCallback | undefined;
}

export interface Request {
  readonly cmd: 'subscribe' | 'unsubscribe';
  /** Filters in the order of the packet. */
  readonly topics: string[];
  readonly filters: ISubscriptionMap;
  readonly properties: unknown;
  readonly callback: (error: Error | null, granted?: unknown, packet?: unknown) => void;
}

export class FakeCore extends EventEmitter implements MqttCore {
  options: IClientOptions = { clientId: 'c', clean: false };
  connected = false;
  judgesMessages = false;
  readonly client = { keepalive: 30, sendPing: () => this.log.push('ping') } as unknown as MqttClient;
  /** Set by tests that connect. */
  session: Session | undefined;
  /** Set by tests that publish. */
  inFlight: InFlight | undefined;
  ids: PacketIds | undefined;
  /** What was called or emitted, in order: `connect a`, `reconnect`, `close`, `error ERR_ALL_FAILED`, … */
  readonly log: string[] = [];
  readonly errors: Error[] = [];
  readonly published: Publish[] = [];
  readonly written: Packet[] = [];
  readonly requests: Request[] = [];
  /** Ids whose callback is still waited for, as in `client.outgoing`. */
  readonly outgoing = new Map<number, PacketCallback | undefined>();
  /** False keeps the callbacks of QoS 0, as a stream that asks for a pause does. */
  flushes = true;
  readonly #answers = new Map<string, ConnectAnswer>();
  #lastId = 0;

  /** What the broker at `id` does with CONNECT from now on; brokers that were not told accept. */
  answer(id: string, answer: ConnectAnswer): void {
    this.#answers.set(id, answer);
  }

  connect(): void {
    const stream = this.session!.takeStream();
    const id = String(this.options.host).replace('.test', '');
    this.log.push(`connect ${id}`);
    stream.on('close', () => {
      this.connected = false;
      this.log.push('close');
    });
    queueMicrotask(() => this.#reply(stream, this.#answers.get(id) ?? 'accept'));
  }

  #reply(stream: SessionStream, answer: ConnectAnswer): void {
    const session = this.session!;
    if (answer === 'silent' || stream.destroyed) return;
    if (answer === 'hang up') {
      stream.destroy();
      return;
    }
    const sessionPresent = answer === 'resume';
    const refuse = typeof answer === 'object' && 'refuse' in answer ? answer.refuse : 0;
    const properties = typeof answer === 'object' && !('refuse' in answer) ? answer : {};
    const packet = { cmd: 'connack', sessionPresent, reasonCode: refuse, properties } as const;
    session.packetReceived(packet);
    if (refuse !== 0) {
      stream.destroy();
      return;
    }
    this.connected = true;
    session.connectEmitted(packet);
    this.log.push('connected');
  }

  publish(
    topic: string,
    payload: string | Uint8Array,
    options: IClientPublishOptions,
    callback: PacketCallback | undefined,
  ): void {
    const { qos = 0 } = options;
    if (qos === 0) {
      this.published.push({ topic, payload, options, id: 0, callback });
      if (this.flushes) callback?.();
      return;
    }
    this.#lastId += 1;
    const id = this.ids?.allocate() ?? this.#lastId;
    this.published.push({ topic, payload, options, id, callback });
    this.outgoing.set(id, callback);
    const packet: IPublishPacket = {
      cmd: 'publish',
      messageId: id,
      topic,
      payload: typeof payload === 'string' ? payload : Buffer.from(payload),
      qos,
      retain: false,
      dup: false,
    };
    this.inFlight?.put(packet, () => {});
  }

  /** PUBACK or PUBCOMP: the store lets go first, then the callback runs. */
  acknowledge(id: number, error?: Error): void {
    const callback = this.outgoing.get(id);
    this.outgoing.delete(id);
    this.ids?.deallocate(id);
    this.inFlight?.del({ messageId: id }, () => {});
    callback?.(error, { cmd: 'puback', messageId: id });
  }

  /** PUBREC: PUBREL takes the place of PUBLISH in the store. */
  pubrec(id: number): void {
    this.inFlight?.put({ cmd: 'pubrel', messageId: id }, () => {});
  }

  subscribe(topics: string[] | ISubscriptionMap, options: unknown, callback: ClientSubscribeCallback): void {
    const filters = topics as ISubscriptionMap;
    this.requests.push({
      cmd: 'subscribe',
      topics: Object.keys(filters),
      filters,
      properties: (options as { properties?: unknown } | undefined)?.properties,
      callback: callback as Request['callback'],
    });
  }

  unsubscribe(topics: string[], options: unknown, callback: PacketCallback): void {
    this.requests.push({
      cmd: 'unsubscribe',
      topics,
      filters: {},
      properties: options,
      callback: (error, packet) => callback(error ?? undefined, packet as Packet),
    });
  }

  /** SUBACK with `codes`, or UNSUBACK, for the nth request. */
  answerRequest(index: number, codes: number[] = []): void {
    const { cmd, topics, callback } = this.requests[index]!;
    if (cmd === 'unsubscribe') {
      callback(null, { cmd: 'unsuback' });
      return;
    }
    const granted = codes.length > 0 ? codes : topics.map(() => 0);
    const refused = granted.some((code) => code >= 0x80);
    callback(
      refused ? new Error('Subscribe error') : null,
      topics.map((topic, i) => ({ topic, qos: granted[i] })),
      { cmd: 'suback', granted },
    );
  }

  revive(): void {
    this.log.push('revive');
  }

  end(force: boolean, _options: unknown, callback: (error?: Error) => void): void {
    this.log.push(`end ${force}`);
    callback();
  }

  writePacket(packet: Packet): void {
    this.written.push({ ...packet });
  }

  forget(id: number): void {
    this.outgoing.delete(id);
    this.ids?.deallocate(id);
  }

  override emit(event: string): boolean {
    this.log.push(event);
    return super.emit(event);
  }

  emitError(error: Error): void {
    this.errors.push(error);
    this.log.push(`error ${(error as Error & { code?: string }).code}`);
    if (this.listenerCount('error') > 0) super.emit('error', error);
  }
}
