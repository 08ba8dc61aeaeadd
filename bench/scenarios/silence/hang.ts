/** A broker that is stopped, with every connection open, while applications publish to it. */
import mqtt, { type MqttClient } from 'mqtt';
import { type Broker, BrokerCluster } from '../../support/broker.js';
import { connect } from '../../support/library.js';
import { PublishingApp } from '../../support/publishing-app.js';
import type { Measured, SilentWorld } from './world.js';

/** Longer than the second that our client leaves between two attempts at one endpoint. */
const LOAD_MS = 1_200;
/** MQTT.js gives up after 1.5 times its keepalive of 60 s, and waits for another second. */
const GIVE_UP_MS = 120_000;

export class Hang implements SilentWorld {
  readonly #ours: BrokerCluster;
  readonly #theirs: BrokerCluster;

  private constructor(ours: BrokerCluster, theirs: BrokerCluster) {
    this.#ours = ours;
    this.#theirs = theirs;
  }

  static async open(): Promise<Hang> {
    return new Hang(await BrokerCluster.start(2), await BrokerCluster.start(2));
  }

  async ours(round: number): Promise<Measured> {
    const clientId = `ours-${round}`;
    const client = connect(this.#ours.urls, { clientId, protocolVersion: 4 });
    const [measured] = await freezeUnder(this.#ours, [{ clientId, client }]);
    const result = await measured!;
    // A frozen broker can only be killed.
    for (const broker of this.#ours) await broker.kill();
    await this.#ours.revive();
    return result;
  }

  startMqttJs(count: number): Promise<readonly Promise<Measured>[]> {
    const servers = [...this.#theirs].map(({ host, port }) => ({ host, port, protocol: 'mqtt' as const }));
    const clients = Array.from({ length: count }, (_, at) => {
      const clientId = `mqttjs-${at}`;
      const own = servers.map((server) => ({ ...server }));
      return { clientId, client: mqtt.connect({ servers: own, clientId, protocolVersion: 4 }) };
    });
    return freezeUnder(this.#theirs, clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ours[Symbol.asyncDispose]();
    await this.#theirs[Symbol.asyncDispose]();
  }
}

interface Named {
  readonly clientId: string;
  readonly client: MqttClient;
}

/** Stops the broker that all of `clients` are on, with a publish of each in the air. */
async function freezeUnder(cluster: BrokerCluster, clients: readonly Named[]): Promise<Promise<Measured>[]> {
  const apps = clients.map(({ client }) => {
    client.on('error', () => {});
    return new PublishingApp(client, GIVE_UP_MS);
  });
  await Promise.all(apps.map((app) => app.connected()));
  for (const app of apps) app.start();
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
  const broker = await cluster.holding(clients[0]!.clientId);
  broker.freeze();
  const frozenAt = performance.now();
  return apps.map((app, at) => recovery(app, clients[at]!.clientId, cluster, broker, frozenAt));
}

async function recovery(
  app: PublishingApp,
  clientId: string,
  cluster: BrokerCluster,
  frozen: Broker,
  frozenAt: number,
): Promise<Measured> {
  const ms = (await app.recovered()) - frozenAt;
  app.stop();
  await app.settled();
  const survivors = [...cluster].filter((broker) => broker !== frozen);
  const lists = await Promise.all(survivors.map((broker) => broker.payloadsOf(clientId)));
  const faults = app.faults(new Set(lists.flat())).map((fault) => `${clientId}: ${fault}`);
  await app.end();
  return { ms, faults };
}
