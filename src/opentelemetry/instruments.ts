/**
 * The instruments, each with its unit: those of OpenTelemetry's messaging conventions by their names, and what they have
 * no name for under `mqtt_failover`. Durations are seconds, as the conventions ask.
 */
import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';

/** Bounds of the buckets in seconds: what the conventions advise, and up to the minutes that an outage takes. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const OUTAGE_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];

/** What is counted and timed as it happens. */
export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly operations: Histogram;
  readonly attempts: Counter;
  readonly dials: Histogram;
  readonly connects: Histogram;
  readonly failovers: Counter;
  readonly offline: Histogram;
  readonly detections: Histogram;
  readonly moves: Histogram;
  readonly dropped: Counter;
  readonly events: Counter;
}

/** Creates the instruments; a meter gives the same ones for the same names. */
export function createInstruments(meter: Meter): Instruments {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit, description });
  const seconds = (name: string, description: string, explicitBucketBoundaries = SECONDS) =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } });
  return {
    sent: counter('messaging.client.sent.messages', '{message}', 'Publishes that were settled'),
    consumed: counter('messaging.client.consumed.messages', '{message}', 'Messages that were received'),
    operations: seconds(
      'messaging.client.operation.duration',
      'From publish() to its acknowledgement or error, with the time that the message waited',
    ),
    attempts: counter('mqtt_failover.connection.attempts', '{attempt}', 'Attempts to connect to a broker'),
    dials: seconds('mqtt_failover.dial.duration', 'Time to open a transport: TCP, TLS, WebSocket'),
    connects: seconds('mqtt_failover.connect.duration', 'From CONNECT to CONNACK'),
    failovers: counter(
      'mqtt_failover.failovers',
      '{failover}',
      'Connections lost and made to another broker',
    ),
    offline: seconds('mqtt_failover.offline.duration', 'From a lost connection to the next', OUTAGE_SECONDS),
    detections: seconds(
      'mqtt_failover.detection.duration',
      'How long a broker had been silent when its connection was given up',
      OUTAGE_SECONDS,
    ),
    moves: seconds('mqtt_failover.move.duration', 'Gap of a planned move, from DISCONNECT to CONNACK'),
    dropped: counter('mqtt_failover.dropped.messages', '{message}', 'Publishes that were given up'),
    events: counter('mqtt_failover.events', '{event}', 'Events of other kinds'),
  };
}

/** `error.type` of what a callback or an event got: our code, a reason code as `0x87`, or the class of the error. */
export function errorType(error: Error): string {
  const { code } = error as { code?: unknown };
  return codeText(code) ?? error.name;
}

/** A code as an attribute: few values, and the same for the same cause. */
export function codeText(code: unknown): string | undefined {
  if (typeof code === 'number') return `0x${code.toString(16).padStart(2, '0')}`;
  return typeof code === 'string' ? code : undefined;
}

/** Where a broker listens, as `server.address` and `server.port`; from a URL of `status()`, which has no secrets. */
export function serverOf(url: string): Attributes {
  const [, host = '', port] = /^[^:]+:\/\/(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(url) ?? [];
  const address = host.replace(/^\[|\]$/g, '');
  return { 'server.address': address, ...(port === undefined ? {} : { 'server.port': Number(port) }) };
}
