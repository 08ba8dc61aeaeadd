/** What is said when a connection was not made, or ended: one error each, with the outcome that the table of actions reads. */
import type { IConnackPacket, IDisconnectPacket } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { Outcome } from '../health/outcomes.js';

/** CONNECT was not answered in time. */
export function connackMissing(id: string, timeoutMs: number): FailoverError {
  return new FailoverError('ERR_CONNACK_TIMEOUT', `No CONNACK from ${id} within ${timeoutMs} ms`, {
    endpoint: id,
    retryable: true,
    outcome: { kind: 'link', code: 'connack-timeout' },
  });
}

/** CONNACK with a code that is not success. */
export function connectRefused(id: string, code: number, packet: IConnackPacket): FailoverError {
  const message = `${id} refused CONNECT with code ${code} (0x${code.toString(16).padStart(2, '0')})`;
  return new FailoverError('ERR_REFUSED', message, {
    endpoint: id,
    reasonCode: code,
    retryable: true,
    outcome: { kind: packet.reasonCode === undefined ? 'connack-v3' : 'connack', code },
    serverReference: packet.properties?.serverReference,
  });
}

/** The broker has sent DISCONNECT. */
export function disconnected(id: string, packet: IDisconnectPacket): FailoverError {
  const code = packet.reasonCode ?? 0;
  const message = `${id} disconnected us with code ${code} (0x${code.toString(16).padStart(2, '0')})`;
  return new FailoverError('ERR_LINK', message, {
    endpoint: id,
    reasonCode: code,
    retryable: true,
    outcome: { kind: 'disconnect', code },
    serverReference: packet.properties?.serverReference,
  });
}

/** The connection is closed. @param how - The outcome's code, unless a WebSocket's close code says more. */
export function linkClosed(id: string, text: string, cause: Error | undefined, how: string): FailoverError {
  // How TCP ended says little of the endpoint; the close code of a WebSocket is the broker's own word.
  const { closeCode } = (cause ?? {}) as { closeCode?: number };
  const outcome: Outcome = closeCode ? { kind: 'websocket', code: closeCode } : { kind: 'link', code: how };
  const details = { endpoint: id, retryable: true, outcome, ...(cause ? { cause } : {}) };
  return new FailoverError('ERR_LINK', `The connection to ${id} ended: ${text}`, details);
}

/** The connection stands, but nobody is there. */
export function linkDead(id: string, reason: 'silent' | 'stalled', text: string): FailoverError {
  return new FailoverError('ERR_LINK', `The connection to ${id} is dead: ${text}`, {
    endpoint: id,
    retryable: true,
    outcome: { kind: 'link', code: reason },
  });
}
