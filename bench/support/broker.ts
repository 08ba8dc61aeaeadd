/**
 * Brokers that can be killed with `kill -9`: each is a process, so that none shares the client's event loop and the
 * system does what it does when a process dies.
 */
import type { BrokerMethods } from './broker-process.js';
import { Child } from './child.js';
import { publishOnce } from './raw-client.js';

const HOST = '127.0.0.1';
/** Connections that a new broker has served before it is measured: brokers in production are not cold. */
const WARM_UP = 20;

export class Broker implements AsyncDisposable {
  #child: Child<BrokerMethods> | undefined;
  #port = 0;

  static async start(): Promise<Broker> {
    const broker = new Broker();
    await broker.revive();
    return broker;
  }

  get host(): string {
    return HOST;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.#port}`;
  }

  get alive(): boolean {
    return this.#child !== undefined;
  }

  /** Starts again at the same port, if dead. */
  async revive(): Promise<void> {
    if (this.#child) return;
    const child = new Child<BrokerMethods>(new URL('broker-process.ts', import.meta.url));
    this.#child = child;
    this.#port = await child.call('listen', this.#port);
    for (let i = 0; i < WARM_UP; i += 1) await publishOnce(this, `warm-up-${i}`);
  }

  /** The signal is sent in this very turn. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.kill();
  }

  /** Leaves every connection open and answers nothing any more, until it is killed. */
  freeze(): void {
    this.#child?.freeze();
  }

  async holds(clientId: string): Promise<boolean> {
    const connected = await this.#child?.call('connected', undefined);
    return connected?.includes(clientId) ?? false;
  }

  /** Payloads of the messages that came from `clientId` in the present life; none from a dead broker. */
  async payloadsOf(clientId: string): Promise<string[]> {
    return (await this.#child?.call('payloads', clientId)) ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

export class BrokerCluster implements AsyncDisposable, Iterable<Broker> {
  readonly #brokers: readonly Broker[];

  private constructor(brokers: readonly Broker[]) {
    this.#brokers = brokers;
  }

  static async start(size: number): Promise<BrokerCluster> {
    return new BrokerCluster(await Promise.all(Array.from({ length: size }, () => Broker.start())));
  }

  at(index: number): Broker {
    return this.#brokers[index]!;
  }

  get urls(): string[] {
    return this.#brokers.map(({ url }) => url);
  }

  /** Revives the dead. */
  async revive(): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker.revive()));
  }

  /** The broker that `clientId` is connected to. */
  async holding(clientId: string): Promise<Broker> {
    for (const broker of this.#brokers) if (await broker.holds(clientId)) return broker;
    throw new Error(`no broker holds ${clientId}`);
  }

  /** What the living brokers got from `clientId`. */
  async payloadsOf(clientId: string): Promise<Set<string>> {
    const lists = await Promise.all(this.#brokers.map((broker) => broker.payloadsOf(clientId)));
    return new Set(lists.flat());
  }

  [Symbol.iterator](): Iterator<Broker> {
    return this.#brokers[Symbol.iterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker.kill()));
  }
}
