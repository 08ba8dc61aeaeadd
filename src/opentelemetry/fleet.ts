/** What is read when a collector asks: sums over all instrumented clients of one meter, however many they are. */
import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { ClientStatus, FailoverClient } from '../public.js';
import { serverOf } from './instruments.js';

/** The living clients of a meter. Their number is no attribute's: a gateway with thousands has as many series as one. */
export class Fleet {
  readonly #clients = new Set<FailoverClient>();

  constructor(meter: Meter) {
    const sum = (name: string, unit: string, description: string) =>
      meter.createObservableUpDownCounter(name, { unit, description });
    const clients = sum('mqtt_failover.clients', '{client}', 'Clients by state and by the broker in use');
    const verdicts = sum(
      'mqtt_failover.endpoint.clients',
      '{client}',
      'Clients that hold a broker to be in this state',
    );
    const messages = sum('mqtt_failover.outbox.messages', '{message}', 'Publishes that are not settled yet');
    const bytes = sum('mqtt_failover.outbox.size', 'By', 'Size of the publishes that are not settled yet');
    const age = meter.createObservableGauge('mqtt_failover.outbox.age', {
      unit: 's',
      description: 'Age of the oldest publish that is not settled yet',
    });
    const states = new Tally(clients);
    const opinions = new Tally(verdicts);
    meter.addBatchObservableCallback(
      (result) => {
        const statuses = [...this.#clients].map((client) => client.status());
        states.observe(result, statuses.flatMap(stateOf));
        opinions.observe(result, statuses.flatMap(verdictsOf));
        const outboxes = statuses.map(({ outbox }) => outbox);
        result.observe(messages, total(outboxes.map((outbox) => outbox.messages)));
        result.observe(bytes, total(outboxes.map((outbox) => outbox.bytes)));
        result.observe(age, Math.max(0, ...outboxes.map(({ oldestAgeMs }) => oldestAgeMs)) / 1_000);
      },
      [clients, verdicts, messages, bytes, age],
    );
  }

  /** Counts a client from now on. */
  add(client: FailoverClient): void {
    this.#clients.add(client);
  }

  /** Forgets a client. */
  remove(client: FailoverClient): void {
    this.#clients.delete(client);
  }
}

/** How many have each set of attributes. One that nobody has any more is told of once more, as 0: SDKs keep the last word. */
class Tally {
  readonly #instrument: Observable;
  #counts = new Map<string, { readonly attributes: Attributes; count: number }>();

  constructor(instrument: Observable) {
    this.#instrument = instrument;
  }

  observe(result: BatchObservableResult, attributeSets: readonly Attributes[]): void {
    const counts = new Map(
      [...this.#counts]
        .filter(([, { count }]) => count > 0)
        .map(([key, entry]) => [key, { ...entry, count: 0 }]),
    );
    for (const attributes of attributeSets) {
      const key = JSON.stringify(attributes);
      const entry = counts.get(key);
      if (entry) entry.count += 1;
      else counts.set(key, { attributes, count: 1 });
    }
    for (const { attributes, count } of counts.values()) result.observe(this.#instrument, count, attributes);
    this.#counts = counts;
  }
}

function stateOf({ state, current, endpoints }: ClientStatus): Attributes[] {
  const endpoint = endpoints.find(({ id }) => id === current);
  return [{ 'mqtt_failover.client.state': state, ...(endpoint ? serverOf(endpoint.url) : {}) }];
}

function verdictsOf({ endpoints }: ClientStatus): Attributes[] {
  return endpoints.map(({ url, state }) => ({ 'mqtt_failover.endpoint.state': state, ...serverOf(url) }));
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
