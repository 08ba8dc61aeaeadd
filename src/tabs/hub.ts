/** The leader's part: the one real client, used by all tabs. */
import type { IConnackPacket, IPublishPacket, ISubscriptionGrant } from 'mqtt';
import type { FailoverClient } from '../client/client.js';
import { isFailoverError } from '../errors.js';
import type { FailoverEvents } from '../events.js';
import type { HeldLock, Locks } from '../platform/page.js';
import type { Clock, Timer } from '../platform/ports.js';
import type { Bus } from './bus.js';
import { toBuffer } from './bytes.js';
import { packError, packPayload, type TabFilter, type TabMessage, type TabRequest } from './messages.js';

export interface HubDeps {
  readonly bus: Bus;
  /** The client with the connection; nobody else uses it. */
  readonly client: FailoverClient;
  readonly clock: Clock;
  readonly locks: Locks;
  /** What makes this the leader. */
  readonly lock: Pick<HeldLock, 'isHeld'>;
  /** Higher than that of every leader before. */
  readonly term: number;
}

/** Milliseconds between two signs of life. */
const BEAT_MS = 2_000;
/** Milliseconds that a leader which leaves waits for acknowledgements; the next one sends the rest again. */
const RESIGN_MS = 1_000;
/** Reason codes of SUBACK from here on are refusals. */
const REFUSAL = 0x80;

/** Events that every tab gets, as they are about the connection that all share. */
const SHARED_EVENTS = [
  ...([
    'failover',
    'failback',
    'move',
    'state',
    'health',
    'topology',
    'dropped',
    'uncertain',
    'trace',
  ] as const),
  ...(['subscription-refused', 'redirect', 'conflict', 'warning', 'security', 'discovery-error'] as const),
] satisfies (keyof FailoverEvents)[];

/** The lock that a tab holds as long as it lives. */
export const aliveLock = (tab: string): string => `mqtt-failover:alive:${tab}`;

/** Serves the tabs while this one leads. */
export class Hub {
  readonly #deps: HubDeps;
  /** Who has which filters. */
  readonly #tabs = new Map<string, Set<string>>();
  readonly #gone = new AbortController();
  #connack: IConnackPacket | undefined;
  #timer: Timer | undefined;
  #unlisten: () => void = () => {};
  #retired = false;
  #leaving = false;
  #term: number;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#term = deps.term;
  }

  start(): void {
    const { bus, client } = this.#deps;
    this.#unlisten = bus.listen((message) => this.#receive(message));
    client.on('connect', (packet) => this.#linked(packet));
    client.on('close', () => this.#linked(undefined));
    client.on('error', (error) => this.#tell('error', { error }));
    client.on('message', (topic, payload, { payload: _, ...packet }) => {
      // A copy: what MQTT.js gives is a window on a larger piece of memory, which would be cloned as a whole.
      bus.post({ kind: 'message', topic, payload: Uint8Array.from(payload), packet });
    });
    for (const name of SHARED_EVENTS) client.on(name, (payload: object) => this.#tell(name, payload));
    this.#beat();
  }

  /** The lock was stolen: the link goes first, and nothing more is said in the leader's name. */
  retire(): void {
    if (this.#retired) return;
    this.#silence();
    this.#deps.client.end(true);
  }

  /** Leaves politely: what is on its way is acknowledged, if that is quick. Resolves when the link is closed. */
  async resign(): Promise<void> {
    const { bus, client } = this.#deps;
    this.#leaving = true;
    bus.post({ kind: 'bye' });
    await client.drain({ timeoutMs: this.#connack ? RESIGN_MS : 0 });
    this.#silence();
  }

  #silence(): void {
    this.#retired = true;
    this.#gone.abort();
    this.#unlisten();
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
  }

  #beat(): void {
    this.#announce();
    this.#timer = this.#deps.clock.setTimeout(() => this.#beat(), BEAT_MS);
  }

  #announce(): void {
    const { bus, client } = this.#deps;
    if (!this.#retired)
      bus.post({ kind: 'lead', term: this.#term, status: client.status(), connack: this.#connack });
  }

  #linked(connack: IConnackPacket | undefined): void {
    if (this.#connack === undefined && connack === undefined) return;
    this.#connack = connack;
    this.#announce();
  }

  #tell(name: string, payload: object): void {
    if (!this.#retired) this.#deps.bus.post({ kind: 'event', name, payload: packPayload(payload) });
    if (name === 'state') this.#announce();
  }

  #receive(message: TabMessage): void {
    const { from, kind } = message;
    if (kind === 'ask') this.#announce();
    else if (kind === 'lead') void this.#rivalled(from, message.term);
    else if (kind === 'join') this.#join(from, message.filters);
    else if (kind === 'leave') this.#forget(from);
    else if (kind === 'request') this.#serve(from, message.n, message.request);
  }

  /** Another tab says that it leads. Whoever has the lock is right, and says so with the higher term. */
  async #rivalled(from: string, term: number): Promise<void> {
    const { bus, lock } = this.#deps;
    if (from === bus.id || term < this.#term || !(await lock.isHeld())) return;
    this.#term = Math.max(this.#term, term + 1);
    this.#announce();
  }

  #filtersOf(tab: string): Set<string> {
    const known = this.#tabs.get(tab);
    if (known) return known;
    const filters = new Set<string>();
    this.#tabs.set(tab, filters);
    const { bus, locks } = this.#deps;
    if (tab === bus.id) return filters;
    // A tab that crashes says nothing, but its lock becomes free.
    locks.acquire(aliveLock(tab), this.#gone.signal, 'wait').then(
      (lock) => {
        lock.release();
        this.#forget(tab);
      },
      () => {
        // We lead no longer.
      },
    );
    return filters;
  }

  #join(tab: string, filters: readonly TabFilter[]): void {
    const own = this.#filtersOf(tab);
    for (const { topics, options } of filters) {
      const [filter] = Object.keys(topics) as [string];
      const isNew = !this.#isWanted([filter]);
      own.add(filter);
      if (!isNew) continue;
      this.#deps.client.subscribe(topics, options ?? {}, (error, granted) => {
        const code = granted?.[0]?.qos ?? null;
        if (!error && !isRefused(granted)) return;
        const endpoint = this.#deps.client.status().current ?? '';
        this.#tell('subscription-refused', { filter, code, willRetry: false, endpoint });
      });
    }
  }

  #forget(tab: string): void {
    const filters = this.#tabs.get(tab) ?? [];
    this.#tabs.delete(tab);
    const unwanted = [...filters].filter((filter) => !this.#isWanted([filter]));
    if (unwanted.length > 0 && !this.#retired) this.#deps.client.unsubscribe(unwanted);
  }

  /** Whether any tab has one of `filters`. */
  #isWanted(filters: readonly string[]): boolean {
    return [...this.#tabs.values()].some((own) => filters.some((filter) => own.has(filter)));
  }

  #serve(tab: string, n: number, request: TabRequest): void {
    if (this.#leaving) {
      this.#deps.bus.post({ kind: 'declined', to: tab, n });
      return;
    }
    const settle = (error?: Error | null, value?: unknown) => {
      // What we could not finish is the next leader's, and nobody's failure.
      if (this.#retired || (this.#leaving && isFailoverError(error) && error.code === 'ERR_ENDED')) return;
      this.#deps.bus.post({
        kind: 'settled',
        to: tab,
        n,
        error: error ? packError(error) : undefined,
        value,
      });
    };
    try {
      this.#do(tab, request, settle);
    } catch (error) {
      settle(error as Error);
    }
  }

  #do(tab: string, request: TabRequest, settle: (error?: Error | null, value?: unknown) => void): void {
    const { client } = this.#deps;
    if (request.kind === 'publish') {
      const { topic, payload, options } = request;
      const bytes = typeof payload === 'string' ? payload : toBuffer(payload);
      client.publish(topic, bytes, withBuffers(options), (error) => settle(error));
    } else if (request.kind === 'subscribe') {
      const { topics, options } = request;
      const own = this.#filtersOf(tab);
      for (const filter of Array.isArray(topics) ? topics : Object.keys(topics)) own.add(filter);
      client.subscribe(topics, options ?? {}, (error, granted) => {
        for (const { topic, qos } of granted ?? []) if (qos >= REFUSAL) own.delete(topic);
        settle(error, granted);
      });
    } else if (request.kind === 'unsubscribe') {
      const own = this.#filtersOf(tab);
      for (const filter of request.topics) own.delete(filter);
      const unwanted = request.topics.filter((filter) => !this.#isWanted([filter]));
      if (unwanted.length === 0) settle();
      else client.unsubscribe(unwanted, request.options ?? {}, (error) => settle(error));
    } else if (request.method === 'reconnect') {
      client.reconnect();
      settle();
    } else {
      const moved = request.method === 'moveTo' ? client.moveTo(request.id ?? '') : client.rebalance();
      moved.then(() => settle(), settle);
    }
  }
}

function isRefused(granted: ISubscriptionGrant[] | undefined): boolean {
  return granted?.some(({ qos }) => qos >= REFUSAL) ?? false;
}

type PublishOptions = Extract<TabRequest, { kind: 'publish' }>['options'];

/** The one property that is bytes has lost its class on the way. */
function withBuffers(options: PublishOptions): PublishOptions {
  const data: Uint8Array | undefined = options.properties?.correlationData;
  if (!data) return options;
  return { ...options, properties: { ...options.properties, correlationData: toBuffer(data) } };
}

/** A received packet as its tab hands it out. */
export function receivedPacket(topic: string, payload: Uint8Array, packet: object): IPublishPacket {
  return { ...(packet as IPublishPacket), topic, payload: toBuffer(payload) };
}
