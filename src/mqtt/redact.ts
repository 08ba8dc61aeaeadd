/** Keeps credentials out of what MQTT.js logs and emits (J12, R195). */
import type { Packet } from 'mqtt';

const REDACTED = '[redacted]';

/** A copy of a CONNECT or AUTH packet without its secrets; any other packet as it is. Some use tokens as user names. */
export function redactPacket<T extends Packet>(packet: T): T {
  if (packet.cmd === 'connect') {
    const { username, password, will, properties } = packet;
    return {
      ...packet,
      ...(username === undefined ? {} : { username: REDACTED }),
      ...(password === undefined ? {} : { password: REDACTED }),
      ...(will ? { will: { ...will, payload: REDACTED } } : {}),
      ...(properties ? { properties: redactProperties(properties) } : {}),
    };
  }
  if (packet.cmd === 'auth' && packet.properties)
    return { ...packet, properties: redactProperties(packet.properties) };
  return packet;
}

function redactProperties<T extends object>(properties: T): T {
  return 'authenticationData' in properties ? { ...properties, authenticationData: REDACTED } : properties;
}

/** Wraps a log function so that what reaches it is redacted: packets, with the payloads of messages, and user names. */
export function redactingLog(log: (...args: unknown[]) => void): (...args: unknown[]) => void {
  return (...args) => {
    if (USERNAME_LINE.test(String(args[0]))) log(args[0], REDACTED);
    else log(...args.map((arg) => (isPacket(arg) ? redactLogged(arg) : arg)));
  };
}

/** MQTT.js logs some options one by one, this one with its value. */
const USERNAME_LINE = /options\.username$/;

function redactLogged(packet: Packet): Packet {
  return packet.cmd === 'publish' ? { ...packet, payload: REDACTED } : redactPacket(packet);
}

function isPacket(value: unknown): value is Packet {
  return typeof value === 'object' && value !== null && 'cmd' in value;
}
