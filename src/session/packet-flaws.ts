/** What a broker must not send, and MQTT.js would not mind: the protocol asks for the end of the connection. */
import type { IConnackPacket, Packet } from 'mqtt';

/** Packets that always have an id [MQTT §2.3.1]; PUBLISH has one above QoS 0. */
const IDENTIFIED: ReadonlySet<string> = new Set([
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
]);
/** Flags and code. */
const CONNACK_BYTES = 2;

/**
 * What is wrong with a packet that must have a packet id and has none that can be. MQTT.js would answer it, and what
 * mqtt-packet then writes throws inside the socket: two bytes from a broker would end the process.
 */
export function packetFlaw(packet: Packet): string | undefined {
  return lacksId(packet) ? `${packet.cmd.toUpperCase()} without a packet id` : undefined;
}

/** What is wrong with a CONNACK, whether it accepts or refuses. */
export function connackFlaw({
  reasonCode,
  returnCode,
  length,
  properties,
}: IConnackPacket): string | undefined {
  const code = reasonCode ?? returnCode;
  // Its bytes would be taken from the next packet, or MQTT.js would do nothing at all, for ever.
  if (code === undefined || (length ?? CONNACK_BYTES) < CONNACK_BYTES) return 'CONNACK without a reason code';
  // Nothing of QoS 1 or 2 could ever be sent [MQTT-3.2.2-20].
  if (properties?.receiveMaximum === 0) return 'CONNACK with Receive Maximum 0';
  return undefined;
}

function lacksId(packet: Packet): boolean {
  const { cmd, messageId = 0 } = packet;
  return (IDENTIFIED.has(cmd) || (cmd === 'publish' && packet.qos > 0)) && !(messageId > 0);
}
