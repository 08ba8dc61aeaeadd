/** `mqtt-failover/opentelemetry`: metrics of a client, for those who want them. The library itself knows nothing of it. */
import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api';
import { monotonicMs } from '../platform/monotonic.js';
import type { FailoverClient, FailoverEventCallbacks, FailoverEvents } from '../public.js';
import { Fleet } from './fleet.js';
import { codeText, createInstruments, errorType, type Instruments, serverOf } from './instruments.js';
import { watchPublishes } from './publishes.js';

/** What {@link instrument} may be told. */
export interface InstrumentOptions {
  /** Where the metrics go. @defaultValue the global provider, as it is at the time of the call */
  readonly meterProvider?: MeterProvider;
  /**
   * What stands for a topic in attribute `messaging.destination.template`, such as `pumps/{id}/level`. Each value is a
   * series of its own: return few of them. Left out, or where it returns `undefined`, there is no such attribute.
   */
  readonly destination?: (topic: string) => string | undefined;
}

/** Events that are only counted, under their own name. */
const COUNTED = [
  ...(['topology', 'redirect', 'conflict', 'security', 'uncertain', 'storage-degraded'] as const),
  ...(['subscription-refused', 'discovery-error', 'highwater', 'lowwater'] as const),
];

interface Meters {
  readonly instruments: Instruments;
  readonly fleet: Fleet;
}

const metersOf = new WeakMap<MeterProvider, Meters>();

function metersFrom(provider: MeterProvider): Meters {
  const known = metersOf.get(provider);
  if (known) return known;
  const meter = provider.getMeter('mqtt-failover');
  const made = { instruments: createInstruments(meter), fleet: new Fleet(meter) };
  metersOf.set(provider, made);
  return made;
}

/**
 * Reports metrics of `client` from now on; docs/observability.md has their names, units and attributes.
 *
 * Clients of one provider share their series: attributes name brokers, states and errors, never a client or a topic.
 *
 * @returns a function that stops it. A client that has ended need not be stopped.
 */
export function instrument(client: FailoverClient, options: InstrumentOptions = {}): () => void {
  const { meterProvider = metrics.getMeterProvider(), destination } = options;
  const { instruments, fleet } = metersFrom(meterProvider);
  const servers = new Servers(client);
  const stops: (() => void)[] = [];
  const on = <E extends keyof FailoverEventCallbacks>(event: E, listener: FailoverEventCallbacks[E]) => {
    client.on(event, listener);
    stops.push(() => client.off(event, listener as never));
  };

  const operation = (name: string, type: string, topic: string): Attributes => {
    const template = destination?.(topic);
    return {
      'messaging.system': 'mqtt',
      'messaging.operation.name': name,
      'messaging.operation.type': type,
      ...(template === undefined ? {} : { 'messaging.destination.template': template }),
      ...servers.current,
    };
  };
  stops.push(
    watchPublishes(client, monotonicMs, (topic, ms, error) => {
      const failure = error ? { 'error.type': errorType(error) } : {};
      const attributes = { ...operation('publish', 'send', topic), ...failure };
      instruments.sent.add(1, attributes);
      instruments.operations.record(ms / 1_000, attributes);
    }),
  );
  on('message', (topic) => instruments.consumed.add(1, operation('receive', 'receive', topic)));

  on('trace', (trace) => recordStep(trace, servers.of(trace.endpoint), instruments));
  on('failover', ({ from, resumed }) =>
    instruments.failovers.add(1, { ...servers.of(from), 'mqtt_failover.resumed': resumed }),
  );
  for (const event of ['move', 'failback'] as const) {
    on(event, ({ to, gapMs }: FailoverEvents['move']) =>
      instruments.moves.record(gapMs / 1_000, { ...servers.of(to), 'mqtt_failover.move': event }),
    );
  }
  on('dropped', ({ reason }) => instruments.dropped.add(1, { 'mqtt_failover.drop.reason': reason }));
  for (const event of COUNTED) on(event, () => instruments.events.add(1, { 'mqtt_failover.event': event }));

  // Until it is connected again: a planned move is none of it, and neither is an end that was asked for.
  let lostAt: number | undefined;
  on('state', ({ from, to }) => {
    if (to === 'closed') lostAt = undefined;
    else if (ONLINE.has(from) && !ONLINE.has(to)) lostAt = monotonicMs();
    else if (to === 'connected' && lostAt !== undefined) {
      instruments.offline.record((monotonicMs() - lostAt) / 1_000);
      lostAt = undefined;
    }
    if (to !== 'closed') fleet.add(client);
  });
  on('topology', ({ changed, removed }) => servers.forget(changed, removed));
  on('connect', () => {
    fleet.add(client);
    servers.connected();
  });
  on('close', () => servers.closed());
  on('end', () => fleet.remove(client));
  if (client.status().state !== 'closed') fleet.add(client);
  return () => {
    fleet.remove(client);
    for (const stop of stops) stop();
  };
}

const ONLINE: ReadonlySet<string> = new Set(['connected', 'moving']);

function recordStep(
  { step, ms, code }: FailoverEvents['trace'],
  server: Attributes,
  { attempts, dials, connects, detections }: Instruments,
): void {
  if (step === 'accepted') attempts.add(1, server);
  if (step === 'failed') attempts.add(1, { ...server, 'error.type': codeText(code) ?? '_OTHER' });
  if (ms === null) return;
  if (step === 'dialed') dials.record(ms / 1_000, server);
  if (step === 'accepted') connects.record(ms / 1_000, server);
  if (step === 'lost') detections.record(ms / 1_000, server);
}

/** Where endpoints listen, by id; also those that have just left the list. */
class Servers {
  readonly #client: FailoverClient;
  readonly #known = new Map<string, Attributes>();
  /** Endpoints that left the list before the last change: nothing will be told of them any more. */
  #leaving: readonly string[] = [];
  #current: Attributes = {};

  constructor(client: FailoverClient) {
    this.#client = client;
    if (client.connected) this.connected();
  }

  /** The broker in use. */
  get current(): Attributes {
    return this.#current;
  }

  connected(): void {
    const { current } = this.#client.status();
    this.#current = current === null ? {} : this.of(current);
  }

  closed(): void {
    this.#current = {};
  }

  of(id: string): Attributes {
    if (!this.#known.has(id))
      for (const endpoint of this.#client.status().endpoints)
        this.#known.set(endpoint.id, serverOf(endpoint.url));
    return this.#known.get(id) ?? {};
  }

  /** The list has changed. */
  forget(changed: readonly string[], removed: readonly string[]): void {
    for (const id of [...changed, ...this.#leaving]) this.#known.delete(id);
    this.#leaving = removed;
  }
}
