/** What the application wants to be subscribed to, and making every broker it meets agree. */
import type {
  ClientSubscribeCallback,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  ISubscriptionMap,
  PacketCallback,
} from 'mqtt';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock } from '../platform/ports.js';

type Filters = Record<string, IClientSubscribeOptions>;

interface SubscribeRequest {
  readonly kind: 'subscribe';
  readonly filters: Filters;
  readonly properties: IClientSubscribeProperties['properties'];
  readonly callback: ClientSubscribeCallback;
  /** Filters that were unsubscribed from while the request waited for its answer. */
  readonly givenUp: Set<string>;
}

interface UnsubscribeRequest {
  readonly kind: 'unsubscribe';
  readonly topics: string[];
  readonly options: IClientUnsubscribeProperties | undefined;
  readonly callback: PacketCallback;
}

type Request = SubscribeRequest | UnsubscribeRequest;

export interface SubscriptionOptions {
  /** MQTT.js's `resubscribe`: false leaves a new session without subscriptions. */
  readonly resubscribe: boolean;
  /** MQTT.js's `subscribeBatchSize`: filters in one SUBSCRIBE. */
  readonly batchSize: number;
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
  readonly #options: SubscriptionOptions;
  readonly #wanted = new Map<string, IClientSubscribeOptions>();
  readonly #requests = new Set<Request>();
  #linked = false;
  #generation = 0;

  constructor(core: MqttCore, clock: Clock, options: SubscriptionOptions) {
    this.#core = core;
    this.#clock = clock;
    this.#options = options;
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
      for (const request of this.#requests) if (request.kind === 'subscribe') request.givenUp.add(topic);
    }
    this.#request({ kind: 'unsubscribe', topics, options, callback });
  }

  /**
   * A connection is there. Restores what a new session lacks, then sends what was asked for meanwhile.
   *
   * @param restored - Called when the broker has answered all of it or has had five seconds; at once if there is
   * nothing to do.
   */
  linkUp(resumed: boolean, restored: () => void): void {
    this.#linked = true;
    this.#generation += 1;
    const generation = this.#generation;
    let open = 1;
    let done = false;
    const finish = () => {
      if (done) return;
      done = true;
      this.#clock.clearTimeout(timer);
      if (generation === this.#generation && this.#linked) restored();
    };
    const answered = () => {
      open -= 1;
      if (open === 0) finish();
    };
    const timer = this.#clock.setTimeout(finish, RESTORE_TIMEOUT_MS);
    this.#cancelRestore = () => this.#clock.clearTimeout(timer);
    if (!resumed && this.#options.resubscribe) {
      for (const batch of this.#batches()) {
        open += 1;
        this.#core.subscribe(
          batch.filters,
          { properties: batch.properties } as IClientSubscribeProperties,
          answered,
        );
      }
    }
    for (const request of this.#requests) {
      open += 1;
      this.#send(request, answered);
    }
    answered();
  }

  /** The connection is gone; unanswered requests wait for the next. */
  linkDown(): void {
    this.#linked = false;
    this.#cancelRestore();
  }

  /** Calls back every unanswered request with `error`, as the client has ended. */
  abandon(error: Error): void {
    this.linkDown();
    const requests = [...this.#requests];
    this.#requests.clear();
    for (const { callback } of requests) callback(error);
  }

  #cancelRestore: () => void = () => {};

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
    return Object.fromEntries(
      asked.filter(([topic, { qos }]) => {
        const known = this.#wanted.get(topic);
        return force || !known || known.qos < qos;
      }),
    );
  }

  #request(request: Request): void {
    this.#requests.add(request);
    if (this.#linked) this.#send(request, () => {});
  }

  #send(request: Request, answered: () => void): void {
    // An answer without a packet is MQTT.js's "Connection closed": the request waits for the next connection.
    if (request.kind === 'subscribe') {
      const { filters, properties, callback } = request;
      this.#core.subscribe(
        { ...filters },
        { properties } as IClientSubscribeProperties,
        (error, granted, packet) => {
          if ((error && !packet) || !this.#requests.delete(request)) return;
          this.#remember(request, packet?.granted ?? []);
          answered();
          callback(error, granted, packet);
        },
      );
      return;
    }
    const { topics, options, callback } = request;
    this.#core.unsubscribe([...topics], options, (error, packet) => {
      if ((error && !packet) || !this.#requests.delete(request)) return;
      answered();
      callback(error, packet);
    });
  }

  /** An accepted filter is wanted from now on, whatever became of its neighbours in the packet. R72. */
  #remember({ filters, properties, givenUp }: SubscribeRequest, codes: readonly unknown[]): void {
    Object.entries(filters).forEach(([topic, options], index) => {
      const code = codes[index];
      const refused = typeof code === 'number' && code >= 0x80;
      if (!refused && !givenUp.has(topic))
        this.#wanted.set(topic, properties ? { ...options, properties } : options);
    });
  }

  /** Filters of one SUBSCRIBE share its properties, such as the subscription identifier. */
  #batches(): { filters: Filters; properties: IClientSubscribeProperties['properties'] }[] {
    const batches: {
      filters: Filters;
      properties: IClientSubscribeProperties['properties'];
      size: number;
    }[] = [];
    for (const [topic, options] of this.#wanted) {
      const { properties } = options;
      let batch = batches.find((b) => b.properties === properties && b.size < this.#options.batchSize);
      if (!batch) {
        batch = { filters: {}, properties, size: 0 };
        batches.push(batch);
      }
      batch.filters[topic] = options;
      batch.size += 1;
    }
    return batches;
  }
}
