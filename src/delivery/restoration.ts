/** Subscriptions that the present session should have and lacks, until it has them or has refused them. */
import type { IClientSubscribeOptions, IClientSubscribeProperties } from 'mqtt';
import type { EventSink } from '../events.js';
import { backoffDelay } from '../health/backoff.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock, Random, Timer } from '../platform/ports.js';
import type { BrokerLimits } from '../session/broker-limits.js';
import type { Link } from '../session/link.js';
import { afterRefusal, isRefusal, unsupportedCode } from './filters.js';
import type { RequestLine, Sending } from './request-line.js';

/** A filter that a broker has accepted, with the options last asked for. */
export interface Wanted {
  readonly filter: string;
  readonly options: IClientSubscribeOptions;
}

type Properties = IClientSubscribeProperties['properties'];

export interface RestorationDeps {
  readonly core: MqttCore;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Filters in one SUBSCRIBE. */
  readonly batchSize: number;
  /** Every accepted filter. */
  readonly wanted: Map<string, Wanted>;
  /** The way to the wire, which knows what must be sent alone. */
  readonly line: Pick<RequestLine<Wanted>, 'add' | 'suspect' | 'suspects'>;
}

/** Milliseconds between attempts on one link. */
const BACKOFF = { minMs: 500, baseMs: 1_000, maxMs: 60_000 };
/** Milliseconds that a filter rests which ended three links, and longer each time that it ends one more. */
const REST = { minMs: 60_000, baseMs: 60_000, maxMs: 900_000 };
/** Milliseconds that a link has for everything else before a filter that has rested is tried on it. */
const SETTLE_MS = 1_000;

/** A filter that is suspected to end links. */
interface Rest {
  /** How often in a row it was convicted. */
  readonly times: number;
  readonly until: number;
  /** The link that it was tried on since. */
  tried?: Link;
}

/**
 * Asks for each filter on every link that lacks it, and again on the same link where the refusal may pass (R72).
 *
 * What was refused stays wanted and missing, so that a resumed session is asked for it too, and for nothing else (R118).
 * That holds also for what ended links (R92): a broker had accepted it once, and a cluster in trouble may close connections
 * over any subscription. It rests, and is tried again at the price of one link at most.
 */
export class Restoration {
  readonly #deps: RestorationDeps;
  readonly #missing = new Set<string>();
  #link: Link | undefined;
  #due = new Set<string>();
  #retryTimer: Timer | undefined;
  #attempts = 0;
  readonly #resting = new Map<string, Rest>();
  #restTimer: Timer | undefined;

  constructor(deps: RestorationDeps) {
    this.#deps = deps;
  }

  /** Whether the present session lacks an accepted filter. */
  lacks(filter: string): boolean {
    return this.#missing.has(filter);
  }

  /** The session has `filter`, or nobody wants it any more. */
  settled(filter: string): void {
    this.#missing.delete(filter);
    this.#due.delete(filter);
    this.#resting.delete(filter);
  }

  /**
   * A connection is there.
   *
   * @param lost - Whether the session has none of the subscriptions.
   * @returns what must be sent.
   */
  linkUp(link: Link, lost: boolean): Sending<Wanted>[] {
    this.#link = link;
    this.#attempts = 0;
    if (lost) {
      this.#missing.clear();
      for (const filter of this.#deps.wanted.keys()) this.#missing.add(filter);
    }
    this.#wakeLater();
    return this.#sendings(
      [...this.#missing].filter((filter) => !this.#resting.has(filter)),
      link,
    );
  }

  linkDown(): void {
    this.#link = undefined;
    this.#due.clear();
    if (this.#retryTimer) this.#deps.clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    if (this.#restTimer) this.#deps.clock.clearTimeout(this.#restTimer);
    this.#restTimer = undefined;
  }

  /** Lets a filter rest that ended three links, the last one alone on it (R92). The link is gone. */
  quarantine({ filter }: Wanted, endpoint: string): void {
    const { clock, random } = this.#deps;
    const times = (this.#resting.get(filter)?.times ?? 0) + 1;
    this.#resting.set(filter, { times, until: clock.now() + backoffDelay(REST, times, random) });
    this.#missing.add(filter);
    this.#report(filter, null, true, endpoint);
  }

  /** Waits for the first of those that have not been tried on this link. */
  #wakeLater(): void {
    const rests = [...this.#resting].filter(([, { tried }]) => tried !== this.#link);
    const [next] = rests.sort(([, a], [, b]) => a.until - b.until);
    if (!next) return;
    const [filter, rest] = next;
    const { clock, line, wanted } = this.#deps;
    const wake = () => {
      this.#restTimer = undefined;
      const link = this.#link as Link;
      rest.tried = link;
      for (const sending of this.#sendings([filter], link)) {
        line.suspect(wanted.get(filter) as Wanted);
        line.add(sending);
      }
      this.#wakeLater();
    };
    this.#restTimer = clock.setTimeout(wake, Math.max(SETTLE_MS, rest.until - clock.now()));
  }

  #sendings(filters: Iterable<string>, link: Link): Sending<Wanted>[] {
    const supported: Wanted[] = [];
    for (const filter of filters) {
      const wanted = this.#deps.wanted.get(filter);
      const code = unsupportedCode(filter, link.limits);
      if (code !== undefined) this.#report(filter, code, true, link.endpoint.id);
      else if (wanted) supported.push(wanted);
    }
    return this.#batches(supported).map((batch) => this.#sending(batch, link));
  }

  #sending(batch: readonly Wanted[], link: Link): Sending<Wanted> {
    return {
      items: batch,
      send: (answered) => {
        const filters = Object.fromEntries(batch.map(({ filter, options }) => [filter, options]));
        const properties = supportedProperties(batch[0]?.options.properties, link.limits);
        this.#deps.core.subscribe(
          filters,
          { properties } as IClientSubscribeProperties,
          (_error, _granted, packet) => {
            // An answer without a packet is MQTT.js's "Connection closed".
            if (!packet || link !== this.#link) return;
            const codes = packet.granted;
            Object.keys(filters).forEach((filter, index) => {
              // A listener may have ended the client.
              if (link === this.#link) this.#judge(filter, codes[index], link.endpoint.id);
            });
            answered();
          },
        );
      },
    };
  }

  #judge(filter: string, code: unknown, endpoint: string): void {
    if (!this.#missing.has(filter)) return;
    // Whatever the answer is: it did not end the link.
    this.#resting.delete(filter);
    if (!isRefusal(code)) {
      this.settled(filter);
      return;
    }
    const action = afterRefusal(code);
    if (action === 'forget') this.#forget(filter);
    if (action === 'retry') this.#retryLater(filter);
    this.#report(filter, code, action !== 'forget', endpoint);
  }

  #forget(filter: string): void {
    this.#deps.wanted.delete(filter);
    this.settled(filter);
  }

  #retryLater(filter: string): void {
    const { clock, random, line } = this.#deps;
    this.#due.add(filter);
    if (this.#retryTimer) return;
    this.#attempts += 1;
    this.#retryTimer = clock.setTimeout(
      () => {
        this.#retryTimer = undefined;
        const due = this.#due;
        this.#due = new Set();
        const link = this.#link;
        if (!link) return;
        for (const sending of this.#sendings(due, link)) if (link === this.#link) line.add(sending);
      },
      backoffDelay(BACKOFF, this.#attempts, random),
    );
  }

  #report(filter: string, code: number | null, willRetry: boolean, endpoint: string): void {
    this.#deps.events.emit('subscription-refused', { filter, code, willRetry, endpoint });
  }

  /** Filters of one SUBSCRIBE share its properties, such as the subscription identifier. */
  #batches(wanted: readonly Wanted[]): Wanted[][] {
    const { batchSize, line } = this.#deps;
    const alone = wanted.filter((item) => line.suspects(item)).map((item) => [item]);
    const shared: { readonly properties: Properties; readonly items: Wanted[] }[] = [];
    for (const item of wanted) {
      if (line.suspects(item)) continue;
      const { properties } = item.options;
      let batch = shared.find((b) => b.properties === properties && b.items.length < batchSize);
      if (!batch) {
        batch = { properties, items: [] };
        shared.push(batch);
      }
      batch.items.push(item);
    }
    return [...shared.map(({ items }) => items), ...alone];
  }
}

/** Without the subscription identifier where the broker has none (R121). */
export function supportedProperties(properties: Properties, limits: BrokerLimits): Properties {
  if (!properties || limits.subscriptionIdentifiers) return properties;
  const { subscriptionIdentifier: _, ...others } = properties;
  return others;
}
