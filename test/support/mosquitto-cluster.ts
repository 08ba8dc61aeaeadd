/**
 * Mosquitto nodes that tell each other their messages.
 *
 * The world it builds: independent nodes and one more mosquitto, the hub, that is bridged to each of them and that no
 * client knows. Messages and what is retained are at every node, with their MQTT 5 properties; sessions are not. The
 * nodes are not bridged to each other, as messages would go round in circles. Clients come over TLS, or WebSockets over TLS:
 * each node has an address of its own, and a certificate for it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, freePort } from './daemon.js';
import { until } from './events.js';
import { HOST } from './listener.js';
import { type Mosquitto, mosquitto } from './mosquitto.js';
import { type BrokerCluster, type BrokerNode, buildCluster, Server } from './server.js';
import type { CertificateAuthority } from './tls.js';

/** Client id of the hub at every node. */
const BRIDGE = 'bridge';

export function mosquittoCluster(size: number, authority: CertificateAuthority): Promise<BrokerCluster> {
  return buildCluster('mosquitto', async ({ directory, use }) => {
    const addresses = Array.from({ length: size }, (_, n) => `127.0.0.${n + 1}`);
    const brokers = await Promise.all(
      addresses.map(async (host) =>
        use(await mosquitto({ certificate: await authority.issue([host]), host })),
      ),
    );
    const nodes = brokers.map((broker) => new BridgedNode(broker));
    const port = await freePort();
    const file = join(directory, 'hub.conf');
    await writeFile(file, configuration(port, brokers));
    const hub = use(new Server({ command: 'mosquitto', args: ['-c', file], ready: () => accepts(port) }));
    await hub.start();
    await Promise.all(nodes.map((node) => node.start()));
    return nodes;
  });
}

function configuration(port: number, brokers: readonly Mosquitto[]): string {
  const lines = [
    'user root',
    'allow_anonymous true',
    'persistence false',
    'sys_interval 0',
    `listener ${port} ${HOST}`,
    ...brokers.flatMap((broker, n) => [
      `connection node${n + 1}`,
      `address ${HOST}:${broker.port}`,
      'bridge_protocol_version mqttv50',
      `remote_clientid ${BRIDGE}`,
      `local_clientid node${n + 1}`,
      'topic # both 1',
      'notifications false',
      'cleansession true',
      // Seconds, twice: without the second the wait for a node that restarts grows.
      'restart_timeout 1 1',
      'keepalive_interval 5',
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

class BridgedNode implements BrokerNode {
  readonly #broker: Mosquitto;

  constructor(broker: Mosquitto) {
    this.#broker = broker;
  }

  get url(): string {
    return this.#broker.tlsUrl;
  }

  get wsUrl(): string {
    return this.#broker.wssUrl;
  }

  get isRunning(): boolean {
    return this.#broker.isRunning;
  }

  /** Ready when the bridge is, too: before, what is published here stays here. */
  async start(): Promise<void> {
    await this.#broker.start();
    await until(() => this.#broker.hasSubscriber(BRIDGE), {
      what: 'the bridge to a mosquitto node',
      timeoutMs: 15_000,
    });
  }

  kill(signal?: NodeJS.Signals): Promise<void> {
    return this.#broker.kill(signal);
  }

  freeze(): void {
    this.#broker.freeze();
  }

  thaw(): void {
    this.#broker.thaw();
  }
}
