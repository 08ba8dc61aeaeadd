/**
 * A cluster of NATS servers with JetStream, which speaks MQTT.
 *
 * The world it builds: servers that keep streams in three copies and serve while most of them live. MQTT 3.1.1 without
 * QoS 2, TCP and WebSocket.
 */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort } from './daemon.js';
import { until } from './events.js';
import { HOST } from './listener.js';
import { type BrokerCluster, type BrokerNode, buildCluster, Server } from './server.js';

interface Ports {
  readonly nats: number;
  readonly route: number;
  readonly mqtt: number;
  readonly ws: number;
  readonly monitor: number;
}

export function natsCluster(size: number): Promise<BrokerCluster> {
  return buildCluster('nats', async ({ directory, use }) => {
    const ports: Ports[] = [];
    for (let n = 0; n < size; n += 1) {
      ports.push({
        nats: await freePort(),
        route: await freePort(),
        mqtt: await freePort(),
        ws: await freePort(),
        monitor: await freePort(),
      });
    }
    const routes = ports.map(({ route }) => `"nats://${HOST}:${route}"`).join(', ');
    const nodes: NatsServer[] = [];
    for (const [index, own] of ports.entries()) {
      const name = `nats${index + 1}`;
      const file = join(directory, `${name}.conf`);
      await writeFile(file, configuration(name, own, routes, join(directory, name), size));
      nodes.push(use(new NatsServer(file, own, size)));
    }
    await Promise.all(nodes.map((node) => node.start()));
    return nodes;
  });
}

function configuration(name: string, ports: Ports, routes: string, store: string, replicas: number): string {
  return `server_name: ${name}
listen: ${HOST}:${ports.nats}
http: ${HOST}:${ports.monitor}
cluster { name: mq, listen: ${HOST}:${ports.route}, routes: [${routes}] }
jetstream { store_dir: "${store}", max_mem: 64M, max_file: 256M }
mqtt { listen: "${HOST}:${ports.mqtt}", ack_wait: "5s", stream_replicas: ${replicas} }
websocket { listen: "${HOST}:${ports.ws}", no_tls: true }
`;
}

class NatsServer extends Server implements BrokerNode {
  readonly url: string;
  readonly wsUrl: string;
  readonly #monitor: string;
  readonly #size: number;

  constructor(file: string, { mqtt, ws, monitor }: Ports, size: number) {
    super({
      command: 'nats-server',
      args: ['-c', file],
      cwd: dirname(file),
      ready: (said) => said.includes('Server is ready'),
    });
    this.url = `mqtt://${HOST}:${mqtt}`;
    this.wsUrl = `ws://${HOST}:${ws}/mqtt`;
    this.#monitor = `http://${HOST}:${monitor}`;
    this.#size = size;
  }

  /**
   * Ready when the nodes have agreed on who leads them. `/healthz` asks for more, and may go on doing so for ever after a
   * time without a majority, though clients are served.
   */
  override async start(): Promise<void> {
    await super.start();
    await until(() => this.#hasLeader(), { what: 'a NATS cluster that has a leader', timeoutMs: 30_000 });
  }

  async #hasLeader(): Promise<boolean> {
    try {
      const response = await fetch(`${this.#monitor}/jsz`);
      const { meta_cluster: meta } = (await response.json()) as {
        meta_cluster?: { leader?: string; cluster_size?: number };
      };
      return Boolean(meta?.leader) && meta?.cluster_size === this.#size;
    } catch {
      return false;
    }
  }
}
