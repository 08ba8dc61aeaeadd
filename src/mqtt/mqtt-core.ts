/**
 * What the rest of the library may do to the one MQTT.js client underneath: its own methods, not our overrides.
 *
 * `bind-core.ts` makes it; everything else gets this interface, so that tests can stand in for MQTT.js.
 */
import type {
  ClientSubscribeCallback,
  IClientOptions,
  IClientPublishOptions,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  IDisconnectPacket,
  ISubscriptionMap,
  MqttClient,
  Packet,
  PacketCallback,
} from 'mqtt';

export interface MqttCore {
  /** The live options; CONNECT is built from them. */
  readonly options: IClientOptions;
  /** The application gave a `customHandleAcks`, whose errors MQTT.js emits while it parses. */
  readonly judgesMessages: boolean;
  /** The client itself, for callbacks that MQTT.js gives it to. */
  readonly client: MqttClient;
  /** Sends CONNECT over the stream that the stream builder returns. */
  connect(): void;
  publish(
    topic: string,
    payload: string | Uint8Array,
    options: IClientPublishOptions,
    callback: PacketCallback | undefined,
  ): void;
  subscribe(
    topics: string[] | ISubscriptionMap,
    options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
    callback: ClientSubscribeCallback,
  ): void;
  unsubscribe(
    topics: string[],
    options: IClientUnsubscribeProperties | undefined,
    callback: PacketCallback,
  ): void;
  /** Undoes `end`, so that publishes are taken again. */
  revive(): void;
  /** Disconnects; `force` skips DISCONNECT. Whatever waits for an acknowledgement was settled before. */
  end(
    force: boolean,
    options: Partial<IDisconnectPacket> | undefined,
    callback: (error?: Error) => void,
  ): void;
  /** Writes a packet as it is. */
  writePacket(packet: Packet): void;
  /** Forgets the callback that waits for an acknowledgement of `id`, and frees the id. */
  forget(id: number): void;
  /** Emits one of MQTT.js's own events. */
  emit(event: 'reconnect' | 'close'): void;
  emitError(error: Error): void;
}
