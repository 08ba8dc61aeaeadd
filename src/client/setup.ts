/** What a client is built of, and how MQTT.js is set up under it. */
import type { IClientOptions, StreamBuilder } from 'mqtt';
import type { InFlight } from '../delivery/in-flight.js';
import type { PacketIds } from '../delivery/packet-ids.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import { redactingLog } from '../mqtt/redact.js';
import { LONGEST_TIMER_MS } from '../platform/longest-timer.js';
import { DEFAULT_KEEPALIVE } from '../session/keepalive.js';
import type { ClientEngine } from './engine.js';

/** What a managed client is built of; see `di/container.ts`. */
export interface ManagedSetup {
  readonly options: IClientOptions;
  readonly inFlight: InFlight;
  readonly packetIds: PacketIds;
  start(core: MqttCore, events: EventSink): ClientEngine;
}

/** What a plain client is built of: what `mqtt.connect` would have used. */
export interface PlainSetup {
  readonly options: IClientOptions;
  readonly streamBuilder: StreamBuilder;
}

/** MQTT.js's own reconnection, resubscription and store replay are off; ours take their place (R1). */
export function managedOptions({ options, inFlight, packetIds }: ManagedSetup): IClientOptions {
  return {
    keepalive: DEFAULT_KEEPALIVE,
    ...options,
    ...(options.log ? { log: redactingLog(options.log) } : {}),
    manualConnect: true,
    // MQTT.js's own timers for that never fire.
    reconnectPeriod: LONGEST_TIMER_MS,
    connectTimeout: LONGEST_TIMER_MS,
    resubscribe: false,
    reconnectOnConnackError: true,
    outgoingStore: inFlight,
    messageIdProvider: packetIds,
  };
}

/** A log that nobody reads. */
export function silent(): void {}

/** Without a log function MQTT.js logs to `debug`; where that is off, a no-op spares formatting each packet. */
export function quietLog(
  log: ((...args: unknown[]) => void) & { enabled?: boolean },
): (...args: unknown[]) => void {
  if (log.enabled === undefined) return log;
  return log.enabled ? redactingLog(log) : silent;
}
