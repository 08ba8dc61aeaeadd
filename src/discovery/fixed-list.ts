/** A static list: nothing to ask, nothing to keep, and every endpoint was written down by the user. */
import type { Endpoint } from '../endpoint.js';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock } from '../platform/ports.js';
import type { DialPermit, DiscoveryStatus, EndpointList } from './endpoint-list.js';
import type { EndpointSet } from './resolver.js';

/** The list of a client that discovers nothing, and lets nothing else be dialed. */
export class FixedList implements EndpointList, DialPermit {
  readonly #set: EndpointSet;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #listeners: (() => void)[] = [];
  #updatedAt: number | null = null;
  #receivedAt = Number.NEGATIVE_INFINITY;
  #stops = 0;

  constructor(set: EndpointSet, clock: Clock, events: EventSink) {
    this.#set = set;
    this.#clock = clock;
    this.#events = events;
  }

  get current(): EndpointSet | undefined {
    return this.#updatedAt === null ? undefined : this.#set;
  }

  get receivedAt(): number {
    return this.#receivedAt;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async refresh(): Promise<EndpointSet> {
    const stops = this.#stops;
    // Never in the same turn, as with any other source.
    await undefined;
    if (stops !== this.#stops) throw new FailoverError('ERR_ENDED', 'Discovery was abandoned');
    const isNew = !this.current;
    this.#updatedAt = this.#clock.wallNow();
    this.#receivedAt = this.#clock.now();
    if (isNew) this.#tell();
    return this.#set;
  }

  #tell(): void {
    const { endpoints, source } = this.#set;
    const added = endpoints.map(({ id }) => id);
    this.#events.emit('topology', { added, removed: [], changed: [], source, revision: null });
    for (const listener of this.#listeners) listener();
  }

  rescan(): void {}

  reached(): void {}

  stop(): void {
    this.#stops += 1;
  }

  status(): DiscoveryStatus {
    return { source: this.current?.source ?? null, revision: null, updatedAt: this.#updatedAt, error: null };
  }

  /** What is not in the list was named by a broker (R94); only `discovery.allowedHosts` could permit it. */
  refusal({ origin, host }: Endpoint): string | undefined {
    if (origin === 'static') return undefined;
    return `${host} is named by a broker alone (discovery.allowedHosts can permit it)`;
  }

  admitted<A>({ origin }: Endpoint, addresses: readonly A[]): readonly A[] {
    return origin === 'static' ? addresses : [];
  }
}
