/** One CONNECT over an open transport, a PINGREQ, and a polite end. */

import mqtt, { type IClientOptions, type IConnackPacket, type Packet, type StreamBuilder } from 'mqtt';
import { LONGEST_TIMER_MS } from '../../platform/longest-timer.js';
import type { Clock, Transport } from '../../platform/ports.js';

const { MqttClient } = mqtt;

/** What became of CONNECT. */
export interface Exchange {
  /** `undefined` where none came. */
  readonly connack: IConnackPacket | undefined;
  /** Why none came. */
  readonly failure: 'closed' | 'silent' | 'malformed' | undefined;
  /** Milliseconds from CONNECT to its answer, or to the end of the wait. */
  readonly connackMs: number;
  /** Milliseconds from PINGREQ to PINGRESP; `undefined` where it was not sent, or not answered. */
  readonly pingMs: number | undefined;
}

/** The return code or reason code of a CONNACK. */
export function codeOf({ reasonCode, returnCode }: IConnackPacket): number {
  return reasonCode ?? returnCode ?? 0;
}

/**
 * Sends CONNECT and, if it is accepted, PINGREQ and DISCONNECT; the transport is closed in the end.
 *
 * @param timeoutMs - For each answer.
 */
export async function exchange(
  transport: Transport,
  options: IClientOptions,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Exchange> {
  const client = new MqttClient((() => transport) as unknown as StreamBuilder, {
    ...options,
    reconnectPeriod: 0,
    connectTimeout: LONGEST_TIMER_MS,
  });
  let malformed = false;
  client.on('error', (error: Error & { code?: unknown }) => {
    malformed ||= typeof error.code !== 'string' && typeof error.code !== 'number';
  });
  const next = <C extends Packet['cmd']>(cmd: C) => awaited(client, cmd, clock, timeoutMs, signal);
  try {
    const startedAt = clock.now();
    const connack = await next('connack');
    const connackMs = clock.now() - startedAt;
    if (typeof connack === 'string')
      return { connack: undefined, failure: malformed ? 'malformed' : connack, connackMs, pingMs: undefined };
    if (codeOf(connack) !== 0) return { connack, failure: undefined, connackMs, pingMs: undefined };
    const pingedAt = clock.now();
    const answer = next('pingresp');
    client.sendPing();
    const pingMs = typeof (await answer) === 'string' ? undefined : clock.now() - pingedAt;
    return { connack, failure: undefined, connackMs, pingMs };
  } finally {
    await new Promise<void>((resolve) => client.end(false, () => resolve()));
    transport.destroy();
  }
}

/** The next packet of a kind, or why it does not come. */
function awaited<C extends Packet['cmd']>(
  client: InstanceType<typeof MqttClient>,
  cmd: C,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Extract<Packet, { cmd: C }> | 'closed' | 'silent'> {
  return new Promise((resolve) => {
    const settle = (result: Extract<Packet, { cmd: C }> | 'closed' | 'silent') => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onClose);
      client.off('packetreceive', onPacket);
      client.off('close', onClose);
      resolve(result);
    };
    const onPacket = (packet: Packet) => {
      if (packet.cmd === cmd) settle(packet as Extract<Packet, { cmd: C }>);
    };
    const onClose = () => settle('closed');
    const timer = clock.setTimeout(() => settle('silent'), timeoutMs);
    client.on('packetreceive', onPacket);
    client.on('close', onClose);
    signal.addEventListener('abort', onClose);
  });
}
