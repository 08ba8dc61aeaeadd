/**
 * What really happens at the brokers: who sits where, and which message arrived how often.
 *
 * A watcher at every node hears all that is published there, before the node acknowledges it, and a feeder publishes
 * the node's name there, so that a subscriber can tell which node serves it. Every node is fed alike, as a cluster
 * would that has all messages everywhere.
 */
import mqtt, { type MqttClient } from 'mqtt';
import type { BrokerNode } from './broker-node.js';

/** Where clients say that they are there, `where/<client id>`. */
export const WHERE = 'where/';
/** Where publishers publish, `pub/<client id>`. */
export const PUBLISHED = 'pub/';
/** Where every node's name is heard. */
export const FEED = 'feed';
const FEED_EVERY_MS = 10;

export class Watch implements AsyncDisposable {
  readonly #nodes: readonly BrokerNode[];
  readonly #clients: (readonly MqttClient[] | undefined)[] = [];
  readonly #seats = new Map<string, number>();
  /** The nodes that took a message, by topic and payload; one that took it twice is there twice. */
  #sightings = new Map<string, number[]>();
  readonly #latest = new Map<string, number>();
  #feed: NodeJS.Timeout | undefined;

  private constructor(nodes: readonly BrokerNode[]) {
    this.#nodes = nodes;
  }

  static async start(nodes: readonly BrokerNode[]): Promise<Watch> {
    const watch = new Watch(nodes);
    await watch.attach();
    return watch;
  }

  /** Watches the nodes that came back, too. */
  async attach(): Promise<void> {
    for (const [at, node] of this.#nodes.entries()) {
      if (this.#clients[at]?.every(({ connected }) => connected)) continue;
      await this.#detach(at);
      const open = (role: string) =>
        mqtt.connectAsync(node.url, { clientId: `${role}-${at}`, reconnectPeriod: 0, keepalive: 0 }, false);
      // Of its own: a socket that is only read from has nothing unread when its broker dies, and loses nothing.
      const [watcher, feeder] = await Promise.all([open('watcher'), open('feeder')]);
      for (const client of [watcher, feeder]) client.on('error', () => {});
      watcher.on('message', (topic, payload) => this.#saw(at, topic, payload.toString()));
      await watcher.subscribeAsync([`${WHERE}#`, `${PUBLISHED}#`], { qos: 0 });
      this.#clients[at] = [watcher, feeder];
    }
  }

  /** The node that `clientId` said last that it is on. */
  seatOf(clientId: string): number | undefined {
    return this.#seats.get(clientId);
  }

  /** Forgets all messages seen so far. */
  forget(): void {
    this.#sightings = new Map();
    this.#seats.clear();
    this.#latest.clear();
  }

  startFeed(): void {
    this.#feed = setInterval(() => {
      for (const [at, clients] of this.#clients.entries()) {
        const feeder = clients?.[1];
        if (feeder?.connected) feeder.publish(FEED, String(at));
      }
    }, FEED_EVERY_MS);
  }

  stopFeed(): void {
    clearInterval(this.#feed);
  }

  /** The nodes that took `payload` of `clientId`; one that took it twice is there twice. */
  sightings(clientId: string, payload: string): readonly number[] {
    return this.#sightings.get(`${PUBLISHED}${clientId} ${payload}`) ?? [];
  }

  /** The node that has taken the latest message of `clientId`. */
  publishesAt(clientId: string): number | undefined {
    return this.#latest.get(clientId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopFeed();
    for (const at of this.#clients.keys()) await this.#detach(at);
  }

  #saw(node: number, topic: string, payload: string): void {
    if (topic.startsWith(WHERE)) {
      this.#seats.set(topic.slice(WHERE.length), node);
      return;
    }
    this.#latest.set(topic.slice(PUBLISHED.length), node);
    const key = `${topic} ${payload}`;
    const known = this.#sightings.get(key);
    if (known) known.push(node);
    else this.#sightings.set(key, [node]);
  }

  async #detach(at: number): Promise<void> {
    await Promise.all((this.#clients[at] ?? []).map((client) => client.endAsync(true)));
    this.#clients[at] = undefined;
  }
}
