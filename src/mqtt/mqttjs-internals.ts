/**
 * The private members of MQTT.js that we use, all of them, with the reason.
 *
 * `test/unit/mqttjs-internals.test.ts` fails when a version of MQTT.js no longer has them.
 */
import type { MqttClient, Packet, StreamBuilder } from 'mqtt';

interface Internals {
  _writePacket(packet: Packet): void;
  _clearReconnect(): void;
  readonly streamBuilder: StreamBuilder;
}

function internals(client: MqttClient): Internals {
  return client as unknown as Internals;
}

/**
 * Writes a packet without storing it: a resumed session needs its packets again with their own ids and DUP, all at
 * once, and MQTT.js's only other way is its store replay of one message a round trip.
 */
export function writePacket(client: MqttClient, packet: Packet): void {
  internals(client)._writePacket(packet);
}

/** Disarms MQTT.js's own reconnect timer, which it arms although an `offline` listener has ended the client. */
export function clearReconnect(client: MqttClient): void {
  internals(client)._clearReconnect();
}

/**
 * The stream builder that `mqtt.connect` made: plain clients keep MQTT.js's own URL parsing, option identity and
 * transports to the letter.
 */
export function streamBuilderOf(client: MqttClient): StreamBuilder {
  return internals(client).streamBuilder;
}
