/** A tab's own part: keeps what it has asked for until a leader has done it, across leaders. */
import type {
  ClientSubscribeCallback,
  IClientPublishOptions,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  ISubscriptionGrant,
  ISubscriptionMap,
  PacketCallback,
} from 'mqtt';
import { callOut } from '../call-out.js';
import { utf8Length } from '../delivery/message.js';
import { takes } from '../delivery/topic-filter.js';
import { FailoverError } from '../errors.js';
import type { EventSink, FailoverEvents } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock } from '../platform/ports.js';
import type { ClientStatus, OutboxStatus } from '../status.js';
import type { Bus } from './bus.js';
import { receivedPacket } from './hub.js';
import { type TabFilter, type TabMessage, type TabRequest, unpackError, unpackPayload } from './messages.js';

/** What one tab may hold, and what becomes of a QoS 2 publish whose leader is gone; see `OutboxOptions`. */
export interface RelayBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly qos2: 'republish' | 'reject';
}

export interface RelayDeps {
  readonly bus: Bus;
  readonly core: MqttCore;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly bounds: RelayBounds;
}

interface Pending {
  readonly request: TabRequest;
  readonly bytes: number;
  readonly askedAt: number;
  readonly settle: (error?: Error, value?: unknown) => void;
  /** The leader that was asked. */
  leader: string | undefined;
}

/** Speaks to whoever leads. */
export class Relay {
  readonly #deps: RelayDeps;
  readonly #pending = new Map<number, Pending>();
  readonly #filters = new Map<string, TabFilter>();
  #lastN = 0;
  #messages = 0;
  #bytes = 0;
  #leader: string | undefined;
  #term = 0;
  #status: ClientStatus | undefined;
  #isLinked = false;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(deps: RelayDeps) {
    this.#deps = deps;
  }

  /** Term of the last leader that was heard. */
  get term(): number {
    return this.#term;
  }

  /** What the leader told last, with this tab's own unsettled publishes; `undefined` before the first leader. */
  get status(): ClientStatus | undefined {
    return this.#status && { ...this.#status, outbox: this.outbox };
  }

  /** This tab's own unsettled publishes. */
  get outbox(): OutboxStatus {
    const oldest = [...this.#pending.values()].find(({ request }) => request.kind === 'publish');
    const oldestAgeMs = oldest ? this.#deps.clock.now() - oldest.askedAt : 0;
    return { messages: this.#messages, bytes: this.#bytes, oldestAgeMs };
  }

  publish(
    topic: string,
    payload: string | Uint8Array | undefined,
    given: IClientPublishOptions,
    callback: PacketCallback | undefined,
  ): void {
    const { maxMessages, maxBytes } = this.#deps.bounds;
    const body = payload ?? '';
    const bytes = utf8Length(topic) + (typeof body === 'string' ? utf8Length(body) : body.length);
    const done = (error?: Error) => callback?.(error);
    if (this.#messages >= maxMessages || this.#bytes + bytes > maxBytes) {
      const text = `No room for a publish: ${this.#messages} messages with ${this.#bytes} bytes of this tab wait`;
      queueMicrotask(() => done(new FailoverError('ERR_OVERFLOW', text, { retryable: true })));
      return;
    }
    // Functions cannot be cloned, and only these four say what is sent.
    const { qos, retain, dup, properties } = given;
    const options: IClientPublishOptions = {
      ...(qos === undefined ? {} : { qos }),
      ...(retain === undefined ? {} : { retain }),
      ...(dup === undefined ? {} : { dup }),
      ...(properties === undefined ? {} : { properties }),
    };
    this.#ask({ kind: 'publish', topic, payload: body, options }, done, bytes);
  }

  subscribe(
    topics: string[] | ISubscriptionMap,
    options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
    callback: ClientSubscribeCallback,
  ): void {
    for (const filter of filtersOf(topics, options)) this.#filters.set(...filter);
    this.#ask({ kind: 'subscribe', topics, options }, (error, value) => {
      const granted = (value ?? []) as ISubscriptionGrant[];
      for (const { topic, qos } of granted) if (qos >= 0x80) this.#filters.delete(topic);
      callback(error ?? null, granted);
    });
  }

  unsubscribe(
    topics: string[],
    options: IClientUnsubscribeProperties | undefined,
    callback: PacketCallback,
  ): void {
    for (const topic of topics) this.#filters.delete(topic);
    this.#ask({ kind: 'unsubscribe', topics, options }, (error) => callback(error));
  }

  /** Has the leader do something to the connection that all share. */
  call(method: 'moveTo' | 'rebalance' | 'reconnect', id?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = { kind: 'call', method, ...(id === undefined ? {} : { id }) } as const;
      this.#ask(request, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Resolves when no more than `count` publishes of this tab are unsettled. */
  settled(count = 0): Promise<void> {
    if (this.#messages <= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Settles all that is left; the tab leaves. */
  abandon(error: FailoverError): void {
    this.#deps.bus.post({ kind: 'leave' });
    for (const n of [...this.#pending.keys()]) this.#settle(n, error);
    this.#filters.clear();
    this.#linkDown();
    this.#leader = undefined;
    this.#status = undefined;
  }

  receive(message: TabMessage): void {
    const { kind, from } = message;
    if (kind === 'lead') this.#led(message);
    else if (kind === 'bye' && from === this.#leader) {
      // What it still acknowledges counts; what it does not is the next leader's.
      this.#leader = undefined;
    } else if (kind === 'declined') {
      const pending = this.#pending.get(message.n);
      if (pending && pending.leader === from) pending.leader = undefined;
    } else if (kind === 'settled') {
      this.#settle(message.n, message.error && unpackError(message.error), message.value);
    } else if (from !== this.#leader) return;
    else if (kind === 'message') this.#message(message);
    else if (kind === 'event') this.#event(message.name, message.payload as object);
  }

  #led({ from, term, status, connack }: Extract<TabMessage, { kind: 'lead' }>): void {
    // A leader that was frozen and robbed may not know it yet.
    if (term < this.#term) return;
    const isNew = from !== this.#leader && term > this.#term;
    this.#term = term;
    this.#status = status;
    if (isNew) {
      this.#leader = from;
      this.#linkDown();
      this.#join(from);
    }
    if (this.#leader === undefined) return;
    const { client } = this.#deps.core;
    if (connack && !this.#isLinked) {
      this.#isLinked = true;
      client.connected = true;
      client.emit('connect', connack);
    } else if (!connack) this.#linkDown();
  }

  #linkDown(): void {
    if (!this.#isLinked) return;
    this.#isLinked = false;
    this.#deps.core.client.connected = false;
    this.#deps.core.emit('close');
  }

  /** Subscriptions first, then what was asked for and not done, in order (R80). */
  #join(leader: string): void {
    const { bus } = this.#deps;
    bus.post({ kind: 'join', to: leader, filters: [...this.#filters.values()] });
    for (const [n, pending] of [...this.#pending]) {
      if (pending.leader === undefined || this.#mayRepeat(n, pending)) this.#send(n, pending, leader);
    }
  }

  /** Whether to ask a second leader for what the first may have done already. If not, it is settled. */
  #mayRepeat(n: number, { request }: Pending): boolean {
    if (request.kind !== 'publish') return true;
    const { topic, options } = request;
    const { bounds, events } = this.#deps;
    const reason = 'the tab that was sending it is gone';
    if (options.qos === 1) return true;
    if (options.qos !== 2) {
      this.#settle(n, new FailoverError('ERR_LINK', `A QoS 0 publish may be lost: ${reason}`));
      return false;
    }
    const action = bounds.qos2 === 'republish' ? 'republished' : 'rejected';
    events.emit('uncertain', { topic, qos: 2, reason, action });
    if (action === 'republished') return true;
    this.#settle(n, new FailoverError('ERR_DELIVERY_UNCERTAIN', `A QoS 2 publish is uncertain: ${reason}`));
    return false;
  }

  #ask(request: TabRequest, settle: Pending['settle'], bytes = 0): void {
    this.#lastN += 1;
    const pending: Pending = { request, settle, bytes, askedAt: this.#deps.clock.now(), leader: undefined };
    this.#pending.set(this.#lastN, pending);
    if (request.kind === 'publish') this.#messages += 1;
    this.#bytes += bytes;
    if (this.#leader !== undefined) this.#send(this.#lastN, pending, this.#leader);
  }

  #send(n: number, pending: Pending, leader: string): void {
    pending.leader = leader;
    try {
      this.#deps.bus.post({ kind: 'request', to: leader, n, request: pending.request });
    } catch (error) {
      // Structured cloning refused something in the options.
      const text = `A request of this tab cannot be passed on: ${(error as Error).message}`;
      this.#settle(n, new FailoverError('ERR_MESSAGE', text, { cause: error }));
    }
  }

  #settle(n: number, error?: Error, value?: unknown): void {
    const pending = this.#pending.get(n);
    if (!pending) return;
    this.#pending.delete(n);
    this.#bytes -= pending.bytes;
    if (pending.request.kind === 'publish') this.#messages -= 1;
    callOut(() => pending.settle(error, value));
    const ready = this.#waiting.filter(({ count }) => this.#messages <= count);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((each) => !ready.includes(each));
    for (const { resolve } of ready) resolve();
  }

  #message({ topic, payload, packet }: Extract<TabMessage, { kind: 'message' }>): void {
    if (![...this.#filters.keys()].some((filter) => takes(filter, topic))) return;
    const received = receivedPacket(topic, payload, packet);
    this.#deps.core.client.emit('message', topic, received.payload as Buffer, received);
  }

  #event(name: string, packed: object): void {
    const payload = unpackPayload(packed);
    const { error } = payload as { error?: unknown };
    if (name !== 'error') this.#deps.events.emit(name as keyof FailoverEvents, payload as never);
    else if (error instanceof Error) this.#deps.core.emitError(error);
  }
}

/** Each filter of a subscription on its own, as a new leader will be asked for it. */
function filtersOf(
  topics: string[] | ISubscriptionMap,
  options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
): [string, TabFilter][] {
  const { properties, ...rest } = (options ?? {}) as IClientSubscribeOptions & IClientSubscribeProperties;
  const common = properties ? { properties } : undefined;
  const map = Array.isArray(topics)
    ? Object.fromEntries(topics.map((topic) => [topic, { ...rest, qos: rest.qos ?? 0 }]))
    : topics;
  return Object.entries(map)
    .filter(([, own]) => typeof own === 'object')
    .map(([filter, own]) => [filter, { topics: { [filter]: own }, options: common }]);
}
