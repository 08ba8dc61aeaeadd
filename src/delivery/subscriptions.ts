/** What the application wants to be subscribed to, and making every broker it meets agree. */
import type {
  ClientSubscribeCallback,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  ISubscriptionMap,
  PacketCallback,
} from 'mqtt';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { Link } from '../session/link.js';
import { traceStep } from '../trace.js';
import { RequestLine, type Sending } from './request-line.js';
import { type Filters, type Request, type SubscribeRequest, sendRequest } from './requests.js';
import { Restoration, type Wanted } from './restoration.js';
import { takes } from './topic-filter.js';

export interface SubscriptionOptions {
  /** MQTT.js's `resubscribe`: false leaves a new session without subscriptions. */
  readonly resubscribe: boolean;
  /** MQTT.js's `subscribeBatchSize`: filters in one SUBSCRIBE. */
  readonly batchSize: number;
}

export interface SubscriptionDeps {
  readonly core: MqttCore;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly options: SubscriptionOptions;
}

/** Milliseconds that restored subscriptions may take before publishes flow all the same (R80). */
const RESTORE_TIMEOUT_MS = 5_000;

/**
 * Keeps every accepted subscription with its options, and every request until a broker has answered it.
 *
 * MQTT.js forgets a whole SUBSCRIBE when one of its filters is refused (J6), fails requests when the connection
 * breaks, and restores subscriptions after the queue. Here a request outlives connections, an accepted filter stays
 * accepted, and the publisher waits for the restoration.
 */
export class Subscriptions {
  readonly #core: MqttCore;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #options: SubscriptionOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #requests = new Set<Request>();
  readonly #restoration: Restoration;
  readonly #line: RequestLine<Request | Wanted>;
  #link: Link | undefined;
  #restoreTimer: Timer | undefined;

  constructor({ core, clock, random, events, options }: SubscriptionDeps) {
    this.#core = core;
    this.#clock = clock;
    this.#events = events;
    this.#options = options;
    this.#line = new RequestLine(clock, (item) =>
      'kind' in item ? this.#requests.has(item) : this.#wanted.get(item.filter) === item,
    );
    this.#restoration = new Restoration({
      core,
      clock,
      random,
      events,
      batchSize: options.batchSize,
      wanted: this.#wanted,
      line: this.#line,
    });
  }

  /** Whether a SUBSCRIBE or UNSUBSCRIBE is suspected to end connections, so that it goes out alone (R92). */
  get cautious(): boolean {
    return this.#line.cautious;
  }

  /** As MQTT.js's `subscribe`; `topics` was validated. Calls back when a broker has answered. */
  subscribe(
    topics: string[] | ISubscriptionMap,
    options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
    callback: ClientSubscribeCallback,
  ): void {
    const filters = this.#news(topics, options);
    if (Object.keys(filters).length === 0) {
      callback(null, []);
      return;
    }
    this.#request({
      kind: 'subscribe',
      filters,
      properties: options?.properties,
      callback,
      givenUp: new Set(),
    });
  }

  /** As MQTT.js's `unsubscribe`; `topics` was validated. Calls back when a broker has answered. */
  unsubscribe(
    topics: string[],
    options: IClientUnsubscribeProperties | undefined,
    callback: PacketCallback,
  ): void {
    for (const topic of topics) {
      this.#wanted.delete(topic);
      this.#restoration.settled(topic);
      for (const request of this.#requests) if (request.kind === 'subscribe') request.givenUp.add(topic);
    }
    this.#request({ kind: 'unsubscribe', topics, options, callback });
  }

  /**
   * A connection is there. Restores what its session lacks, then sends what was asked for meanwhile.
   *
   * @param restored - Called when the broker has answered all of it or has had five seconds; at once if there is
   * nothing to do.
   */
  linkUp(link: Link, restored: () => void): void {
    this.#link = link;
    const since = this.#clock.now();
    let filters = 0;
    let open = 1;
    let done = false;
    const finish = () => {
      if (done) return;
      done = true;
      this.#clock.clearTimeout(timer);
      if (link !== this.#link) return;
      if (filters > 0) {
        const which = filters === 1 ? '1 subscription' : `${filters} subscriptions`;
        const text = open > 0 ? `${which} asked for again, not all answered yet` : `${which} restored`;
        traceStep(this.#events, link.endpoint.id, 'restored', text, this.#clock.now() - since);
      }
      // A listener may have ended the client.
      if (link === this.#link) restored();
    };
    const answered = () => {
      open -= 1;
      if (open === 0) finish();
    };
    const timer = this.#clock.setTimeout(finish, RESTORE_TIMEOUT_MS);
    this.#restoreTimer = timer;
    const again = this.#restoration.linkUp(link, !link.resumed && this.#options.resubscribe);
    for (const { items } of again) filters += items.length;
    const sendings: Sending<Request | Wanted>[] = [
      ...again,
      ...[...this.#requests].map((request) => this.#sending(request, link)),
    ];
    // A listener may have ended the client.
    if (link !== this.#link) return;
    open += sendings.length;
    for (const { items, send } of sendings) {
      const both = (acknowledged: () => void) =>
        send(() => {
          acknowledged();
          answered();
        });
      this.#line.add({ items, send: both });
    }
    answered();
  }

  /** Keeps new requests back, or sends them: a publish must be alone on the wire. */
  hold(held: boolean): void {
    this.#line.hold(held);
  }

  /**
   * The connection is gone; unanswered requests wait for the next.
   *
   * @param end - How it ended, unless we left it.
   * @returns whether one of them is suspected to have ended it.
   */
  linkDown(end?: FailoverError): boolean {
    const endpoint = this.#link?.endpoint.id ?? '';
    this.#link = undefined;
    if (this.#restoreTimer) this.#clock.clearTimeout(this.#restoreTimer);
    this.#restoration.linkDown();
    const { suspected, culprit } = this.#line.linkDown(end);
    if (culprit) this.#quarantine(culprit, endpoint, end);
    return suspected;
  }

  /** Calls back every unanswered request with `error`, as the client has ended. */
  abandon(error: Error): void {
    this.linkDown();
    const requests = [...this.#requests];
    this.#requests.clear();
    for (const { callback } of requests) callback(error);
  }

  #quarantine(culprit: Request | Wanted, endpoint: string, cause: FailoverError | undefined): void {
    if (!('kind' in culprit)) {
      this.#restoration.quarantine(culprit, endpoint);
      return;
    }
    this.#requests.delete(culprit);
    const topics = culprit.kind === 'subscribe' ? Object.keys(culprit.filters) : culprit.topics;
    const what = `${culprit.kind} of ${topics.map((topic) => JSON.stringify(topic)).join(', ')}`;
    const text = `The ${what} was given up: three connections ended when it was sent`;
    culprit.callback(new FailoverError('ERR_POISON', text, { endpoint, cause }));
  }

  /** Whether messages to `topic` come by a subscription of the application's. */
  covers(topic: string): boolean {
    return [...this.#wanted.keys()].some((filter) => takes(filter, topic));
  }

  /** The filters that MQTT.js would send: those that are new, or wanted at a higher QoS than before. */
  #news(
    topics: string[] | ISubscriptionMap,
    options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
  ): Filters {
    const defaults: IClientSubscribeOptions = { qos: 0, ...options };
    const asked: [string, IClientSubscribeOptions][] = Array.isArray(topics)
      ? topics.map((topic) => [topic, defaults])
      : Object.entries(topics)
          .filter(([topic]) => topic !== 'resubscribe')
          .map(([topic, own]) => [topic, (own as IClientSubscribeOptions | undefined) ?? defaults]);
    const force = !Array.isArray(topics) && topics.resubscribe === true;
    // Who restores subscriptions himself must be able to ask for the same ones again.
    if (force || !this.#options.resubscribe) return Object.fromEntries(asked);
    return Object.fromEntries(
      asked.filter(([topic, { qos }]) => {
        const known = this.#restoration.lacks(topic) ? undefined : this.#wanted.get(topic);
        return !known || known.options.qos < qos;
      }),
    );
  }

  #request(request: Request): void {
    this.#requests.add(request);
    if (this.#link) this.#line.add(this.#sending(request, this.#link));
  }

  #sending(request: Request, link: Link): Sending<Request> {
    return {
      items: [request],
      send: (answered) =>
        sendRequest(this.#core, request, link, (accepted, callBack) => {
          if (!this.#requests.delete(request)) return;
          if (request.kind === 'subscribe') this.#remember(request, accepted);
          answered();
          callBack();
        }),
    };
  }

  /** An accepted filter is wanted from now on, whatever became of its neighbours in the packet. R72. */
  #remember({ filters, properties, givenUp }: SubscribeRequest, accepted: readonly string[]): void {
    for (const filter of accepted) {
      if (givenUp.has(filter)) continue;
      const options = filters[filter] as IClientSubscribeOptions;
      this.#wanted.set(filter, { filter, options: properties ? { ...options, properties } : options });
      this.#restoration.settled(filter);
    }
  }
}
