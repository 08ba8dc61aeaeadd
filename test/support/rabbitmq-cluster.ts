/**
 * A RabbitMQ cluster that speaks MQTT.
 *
 * The world it builds: nodes with the MQTT, Web MQTT and management plugins, sessions in quorum queues, so that they
 * are at most nodes; a node that sees only a minority of the others stops serving. MQTT 3.1 and 3.1.1, TCP and WebSocket.
 *
 * The nodes are started without the Debian wrapper, which changes the user and fixes directories.
 */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { accepts, freePort } from './daemon.js';
import { distribution, FRUGAL, PortMapper } from './erlang.js';
import { until } from './events.js';
import { HOST } from './listener.js';
import { type BrokerCluster, type BrokerNode, buildCluster, Server } from './server.js';

const COMMAND = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const AUTHORIZATION = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
/** Nodes that start together may wait for each other, half a minute at a time (mnesia_table_loading_retry_timeout). */
const START_MS = 300_000;
/** A busy machine takes half a minute. */
const JOIN_MS = 120_000;
/** How often one may fail to boot. */
const FAILED_BOOTS = 3;

interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  readonly mqtt: number;
  readonly ws: number;
  readonly management: number;
}

export function rabbitmqCluster(size: number): Promise<BrokerCluster> {
  return buildCluster('rabbitmq', async (site) => {
    const { directory } = site;
    const mapper = await PortMapper.openAt(site);
    await writeFile(join(directory, '.erlang.cookie'), 'SECRETOFTHETEST');
    await chmod(join(directory, '.erlang.cookie'), 0o400);
    await writeFile(
      join(directory, 'enabled_plugins'),
      '[rabbitmq_mqtt,rabbitmq_web_mqtt,rabbitmq_management].\n',
    );
    const nodes: RabbitmqNode[] = [];
    for (let n = 1; n <= size; n += 1) {
      const ports: Ports = {
        amqp: await freePort(),
        distribution: await freePort(),
        mqtt: await freePort(),
        ws: await freePort(),
        management: await freePort(),
      };
      const name = `rmq${n}@localhost`;
      await writeFile(join(directory, `${name}.conf`), configuration(ports, size));
      nodes.push(site.use(new RabbitmqNode(name, directory, ports, mapper)));
    }
    // The first one makes the cluster that the others join; all at once they would wait for each other. The Raft cluster of
    // client ids takes one newcomer at a time: whoever is turned away refuses every CONNECT from then on.
    for (const node of nodes) await node.start();
    let seen: readonly number[] = [];
    const areComplete = async () => {
      seen = await Promise.all(nodes.map((node) => node.sees()));
      return seen.every((count) => count === size);
    };
    await until(areComplete, {
      what: () => `a RabbitMQ cluster that is complete: its nodes know of ${seen} running ones`,
      timeoutMs: JOIN_MS,
    });
    // Until the Raft cluster of client ids has a leader every CONNECT is refused with 3.
    await until(async () => (await Promise.all(nodes.map(({ url }) => admits(url)))).every(Boolean), {
      what: 'every RabbitMQ node to admit clients',
      timeoutMs: JOIN_MS,
    });
    return nodes;
  });
}

async function admits(url: string): Promise<boolean> {
  try {
    const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 }, false);
    await client.endAsync();
    return true;
  } catch {
    return false;
  }
}

function configuration(ports: Ports, size: number): string {
  const members = Array.from({ length: size }, (_, n) => {
    return `cluster_formation.classic_config.nodes.${n + 1} = rmq${n + 1}@localhost`;
  });
  return `listeners.tcp.1 = ${HOST}:${ports.amqp}
mqtt.listeners.tcp.1 = ${HOST}:${ports.mqtt}
mqtt.allow_anonymous = true
mqtt.durable_queue_type = quorum
web_mqtt.tcp.ip = ${HOST}
web_mqtt.tcp.port = ${ports.ws}
web_mqtt.ws_path = /mqtt
management.tcp.ip = ${HOST}
management.tcp.port = ${ports.management}
log.console = true
log.console.level = warning
log.file = false
cluster_formation.peer_discovery_backend = classic_config
${members.join('\n')}
cluster_formation.randomized_startup_delay_range.min = 0
cluster_formation.randomized_startup_delay_range.max = 1
cluster_partition_handling = pause_minority
vm_memory_high_watermark.absolute = 512MiB
disk_free_limit.absolute = 50MB
`;
}

class RabbitmqNode extends Server implements BrokerNode {
  readonly url: string;
  readonly wsUrl: string;
  readonly #ports: Ports;

  constructor(name: string, directory: string, ports: Ports, { env }: PortMapper) {
    super({
      command: COMMAND,
      args: [],
      cwd: directory,
      env: {
        ...process.env,
        ...env,
        HOME: directory,
        // The shell script becomes the broker, so that signals reach it.
        RABBITMQ_ALLOW_INPUT: 'true',
        RABBITMQ_NODENAME: name,
        RABBITMQ_NODE_IP_ADDRESS: HOST,
        RABBITMQ_NODE_PORT: `${ports.amqp}`,
        RABBITMQ_DIST_PORT: `${ports.distribution}`,
        RABBITMQ_CONFIG_FILE: join(directory, `${name}.conf`),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        RABBITMQ_MNESIA_BASE: join(directory, name),
        RABBITMQ_LOG_BASE: join(directory, name),
        RABBITMQ_PID_FILE: join(directory, `${name}.pid`),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
          ...['-noinput', '-kernel', ...distribution(ports.distribution)],
          ...FRUGAL,
        ].join(' '),
      },
      ready: async () => (await accepts(ports.mqtt)) && (await accepts(ports.ws)),
      readyMs: START_MS,
    });
    this.url = `mqtt://${HOST}:${ports.mqtt}`;
    this.wsUrl = `ws://${HOST}:${ports.ws}/mqtt`;
    this.#ports = ports;
  }

  /**
   * As a service manager starts it, again when it fails: a node that boots while another one is pausing as a minority asks
   * that one for the Raft cluster of client ids, and ends when there is no answer.
   */
  override async start(): Promise<void> {
    for (let failed = 0; ; failed += 1) {
      try {
        return await super.start();
      } catch (error) {
        if (failed === FAILED_BOOTS || !(error as Error).message.includes(' ended with ')) throw error;
      }
    }
  }

  /** How many nodes it knows to be running, itself among them. */
  async sees(): Promise<number> {
    try {
      const response = await fetch(`http://${HOST}:${this.#ports.management}/api/nodes`, {
        headers: { authorization: AUTHORIZATION },
      });
      const known = (await response.json()) as { running: boolean }[];
      return known.filter(({ running }) => running).length;
    } catch {
      return 0;
    }
  }
}
