/** Keeps credentials out of what MQTT.js logs and emits (J12, R195). */
import type { Packet } from 'mqtt';

const REDACTED = '[redacted]';

/** A copy of a CONNECT or AUTH packet without its secrets; any other packet as it is. */
export function redactPacket<T extends Packet>(packet: T): T {
  if (packet.cmd === 'connect') {
    const { password, will, properties } = packet;
    return {
      ...packet,
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

/** Wraps a log function so that packets reach it redacted. */
export function redactingLog(log: (...args: unknown[]) => void): (...args: unknown[]) => void {
  return (...args) => log(...args.map((arg) => (isPacket(arg) ? redactPacket(arg) : arg)));
}

function isPacket(value: unknown): value is Packet {
  return typeof value === 'object' && value !== null && 'cmd' in value;
}
