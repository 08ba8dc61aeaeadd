/** Keeps credentials out of what MQTT.js logs and emits (J12, R195). */
import type { Packet } from 'mqtt';
import type { FailoverEvents } from '../events.js';

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

/** Logs an event of ours beside what MQTT.js logs: of `trace` its sentence, of errors their messages alone. */
export function logEvent<E extends keyof FailoverEvents>(
  log: (...args: unknown[]) => void,
  event: E,
  payload: FailoverEvents[E],
): void {
  if (event === 'trace') {
    const { endpoint, text } = payload as FailoverEvents['trace'];
    log('mqtt-failover :: %s: %s', endpoint, text);
    return;
  }
  const shown = Object.entries(payload).map(([name, value]) => [name, messageOrValue(value)]);
  log('mqtt-failover :: %s %o', event, Object.fromEntries(shown));
}

/** The cause of an error may be the application's own, and hold whatever it likes. */
function messageOrValue(value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}

/** Wraps a log function so that what reaches it is redacted: packets, with the payloads of messages, and user names. */
export function redactingLog(log: (...args: unknown[]) => void): (...args: unknown[]) => void {
  return (...args) => {
    if (SECRET_LINE.test(String(args[0]))) log(args[0], REDACTED, ...args.slice(2));
    else log(...args.map((arg) => (isPacket(arg) ? redactLogged(arg) : arg)));
  };
}

/** Lines of MQTT.js whose first value is the user name, or the payload of a message. */
const SECRET_LINE = /options\.username$|^publish :: message/;

function redactLogged(packet: Packet): Packet {
  return packet.cmd === 'publish' ? { ...packet, payload: REDACTED } : redactPacket(packet);
}

function isPacket(value: unknown): value is Packet {
  return typeof value === 'object' && value !== null && 'cmd' in value;
}
