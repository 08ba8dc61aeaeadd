/** What is killed, and what is measured against it. */
import type { MqttClient } from 'mqtt';
import type { BrokerCluster } from '../../support/broker.js';
import { PublishingApp } from '../../support/publishing-app.js';
import { type Address, connectRaw, publishOnce, type RawLink } from '../../support/raw-client.js';

/** Milliseconds of publishing before the kill. */
const LOAD_MS = 30;

/** Milliseconds after the kill. */
export interface Phases {
  /** The client noticed that its connection is gone. */
  readonly noticed: number;
  /** The next broker sent CONNACK. */
  readonly accepted: number;
  /** The next broker acknowledged a message. */
  readonly acknowledged: number;
}

export interface Outcome extends Phases {
  readonly published: number;
  readonly faults: readonly string[];
}

/** What survives a crash in one way or another. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  /** Connects a new client. */
  prepare(round: number): Promise<void>;
  /** Kills its broker and waits until a message got through again. */
  crash(): Promise<Outcome>;
  /** Brings everything back. */
  restore(): Promise<void>;
}

/** A client with MQTT.js's API in front of three brokers. */
export class ClientContestant implements Contestant {
  readonly name: string;
  readonly #cluster: BrokerCluster;
  readonly #open: (cluster: BrokerCluster, clientId: string) => MqttClient;
  #clientId = '';
  #app: PublishingApp | undefined;

  constructor(
    name: string,
    cluster: BrokerCluster,
    open: (cluster: BrokerCluster, id: string) => MqttClient,
  ) {
    this.name = name;
    this.#cluster = cluster;
    this.#open = open;
  }

  async prepare(round: number): Promise<void> {
    this.#clientId = `bench-client-${round}`;
    this.#app = new PublishingApp(this.#open(this.#cluster, this.#clientId));
    await this.#app.connected();
  }

  async crash(): Promise<Outcome> {
    const app = this.#app!;
    const broker = await this.#cluster.holding(this.#clientId);
    app.start();
    await pause(LOAD_MS);
    const killedAt = performance.now();
    const died = broker.kill();
    app.publish();
    const acknowledgedAt = await app.recovered();
    app.stop();
    await Promise.all([died, app.settled()]);
    const received = await this.#cluster.payloadsOf(this.#clientId);
    return {
      noticed: app.closedAt - killedAt,
      accepted: app.acceptedAt - killedAt,
      acknowledged: acknowledgedAt - killedAt,
      published: app.published,
      faults: app.faults(received).map((fault) => `${this.name}: ${fault}`),
    };
  }

  async restore(): Promise<void> {
    await this.#app?.end();
    this.#app = undefined;
    await this.#cluster.revive();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app?.end();
    await this.#cluster[Symbol.asyncDispose]();
  }
}

/** A socket that knows where to go next: what is left is what the operating system and the broker take. */
export class RawContestant implements Contestant {
  readonly name: string;
  readonly #cluster: BrokerCluster;
  #link: RawLink | undefined;

  constructor(name: string, cluster: BrokerCluster) {
    this.name = name;
    this.#cluster = cluster;
  }

  async prepare(): Promise<void> {
    this.#link = await connectRaw(this.#cluster.at(0), 'raw');
    this.#link.socket.on('error', () => {});
  }

  async crash(): Promise<Outcome> {
    const { socket, publish } = this.#link!;
    for (const until = performance.now() + LOAD_MS; performance.now() < until; ) await publish('load');
    const closed = new Promise<number>((resolve) => {
      socket.on('close', () => resolve(performance.now()));
    });
    const killedAt = performance.now();
    const died = this.#cluster.at(0).kill();
    const noticedAt = await closed;
    const { acceptedAt, acknowledgedAt } = await timedExchange(this.#cluster.at(1));
    await died;
    return {
      noticed: noticedAt - killedAt,
      accepted: acceptedAt - killedAt,
      acknowledged: acknowledgedAt - killedAt,
      published: 1,
      faults: [],
    };
  }

  restore(): Promise<void> {
    return this.#cluster.revive();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cluster[Symbol.asyncDispose]();
  }
}

/** The same exchange with a broker that was alive all the time: the floor. */
export class FloorContestant implements Contestant {
  readonly name: string;
  readonly #cluster: BrokerCluster;

  constructor(name: string, cluster: BrokerCluster) {
    this.name = name;
    this.#cluster = cluster;
  }

  async prepare(): Promise<void> {}

  async crash(): Promise<Outcome> {
    const broker = this.#cluster.at(0);
    for (const until = performance.now() + LOAD_MS; performance.now() < until; )
      await publishOnce(broker, 'load');
    const startedAt = performance.now();
    const { acceptedAt, acknowledgedAt } = await timedExchange(broker);
    return {
      noticed: 0,
      accepted: acceptedAt - startedAt,
      acknowledged: acknowledgedAt - startedAt,
      published: 1,
      faults: [],
    };
  }

  async restore(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cluster[Symbol.asyncDispose]();
  }
}

async function timedExchange(broker: Address): Promise<{ acceptedAt: number; acknowledgedAt: number }> {
  const { socket, publish } = await connectRaw(broker, 'raw');
  const acceptedAt = performance.now();
  await publish('after');
  const acknowledgedAt = performance.now();
  socket.destroy();
  return { acceptedAt, acknowledgedAt };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
