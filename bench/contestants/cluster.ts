/** The brokers that all contestants share, and the balancers in front of them. */
import { type Balancer, startBalancer } from './balancers.js';
import { BrokerNode } from './broker-node.js';
import type { Contestant, Route } from './contestants.js';

export class Cluster implements AsyncDisposable {
  readonly nodes: readonly BrokerNode[];
  readonly #balancers: ReadonlyMap<Route, Balancer>;

  private constructor(nodes: readonly BrokerNode[], balancers: ReadonlyMap<Route, Balancer>) {
    this.nodes = nodes;
    this.#balancers = balancers;
  }

  /** `size` brokers, and what the routes of `contestants` need. */
  static async start(size: number, contestants: readonly Contestant[]): Promise<Cluster> {
    const nodes = await Promise.all(Array.from({ length: size }, BrokerNode.start));
    const balancers = new Map<Route, Balancer>();
    const cluster = new Cluster(nodes, balancers);
    try {
      for (const { route } of contestants)
        if (route !== 'direct' && !balancers.has(route))
          balancers.set(route, await startBalancer(route, nodes));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** What `contestant` connects to; brokers of a list in their order from `first` on. */
  urlsFor({ library, route }: Contestant, first = 0): string[] {
    const balancer = this.#balancers.get(route);
    if (balancer) return [`mqtt://${balancer.host}:${balancer.port}`];
    const rotated = [...this.nodes.slice(first), ...this.nodes.slice(0, first)];
    return rotated.map((node) => (library === 'paho' ? node.wsUrl : node.url));
  }

  /** The balancer that `contestant` goes through, if any. */
  balancerOf({ route }: Contestant): Balancer | undefined {
    return this.#balancers.get(route);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const balancer of this.#balancers.values()) await balancer[Symbol.asyncDispose]();
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
