/**
 * The brokers of the demo: aedes nodes behind one store, as they would be behind Redis.
 *
 * Sessions and messages cross nodes and outlive them, so a device that comes back at another node finds the commands
 * that were sent meanwhile. What a node counts is what its own clients sent to it.
 */
import { Aedes, type AedesOptions } from 'aedes';
import type { BrokerSpec } from 'mqtt-failover';
import { LocalBroker, onReceived } from '../brokers.js';

/** Sees every message that a client sent to a node. */
export type OnMessage = (node: Node, topic: string, payload: Buffer) => void;

/** One broker of the cluster. */
export class Node {
  readonly name: string;
  /** Messages received from clients, over all lives. */
  received = 0;
  readonly #broker: LocalBroker;
  readonly #onMessage: OnMessage;

  constructor(name: string, store: () => AedesOptions, onMessage: OnMessage) {
    this.name = name;
    this.#broker = new LocalBroker({ aedes: store });
    this.#onMessage = onMessage;
  }

  get isUp(): boolean {
    return this.#broker.isUp;
  }

  get spec(): BrokerSpec {
    return { id: this.name, url: this.#broker.url };
  }

  async start(): Promise<void> {
    await this.#broker.start();
    onReceived(this.#broker.aedes, ({ topic, payload }) => {
      this.received += 1;
      this.#onMessage(this, topic, payload as Buffer);
    });
  }

  kill(): Promise<void> {
    return this.#broker.kill();
  }
}

/** All nodes, in the order in which they joined. */
export class Cluster {
  readonly nodes: Node[] = [];
  readonly #keeper: Aedes;
  readonly #onMessage: OnMessage;

  private constructor(keeper: Aedes, onMessage: OnMessage) {
    this.#keeper = keeper;
    this.#onMessage = onMessage;
  }

  static async create(onMessage: OnMessage): Promise<Cluster> {
    return new Cluster(await Aedes.createBroker({ id: 'store' }), onMessage);
  }

  /** What a discovery service would answer: the nodes that belong to the cluster, running or not. */
  readonly discover = async (): Promise<BrokerSpec[]> => this.nodes.map(({ spec }) => spec);

  async add(name: string): Promise<Node> {
    const node = new Node(name, () => storeView(this.#keeper), this.#onMessage);
    await node.start();
    this.nodes.push(node);
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await new Promise<void>((resolve) => this.#keeper.close(resolve));
  }
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

/**
 * A node's view of the store, which is the memory of one more aedes without a port: aedes closes what it is given
 * when it closes, and sets it up when it starts; neither may happen to what is shared.
 */
function storeView(keeper: Aedes): AedesOptions {
  const { mq, persistence } = keeper as unknown as { mq: object; persistence: object };
  return {
    mq: withOwn(mq, { close: (done) => setImmediate(done as () => void) }),
    persistence: withOwn(persistence, { setup: async () => {}, destroy: async () => {} }),
  };
}

/** `shared` with some methods replaced; the others run on `shared` itself. */
function withOwn(shared: object, own: Methods): object {
  return new Proxy(shared as Methods, {
    get: (target, name: string) => {
      const value = own[name] ?? target[name];
      return typeof value === 'function' && !own[name] ? value.bind(target) : value;
    },
  });
}
