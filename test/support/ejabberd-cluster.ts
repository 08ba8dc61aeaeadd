/**
 * An ejabberd cluster that speaks MQTT 5.
 *
 * The world it builds: nodes that share sessions and routes in Mnesia, in memory; each session lives at one node. MQTT
 * 3.1.1 and 5, TCP, TLS and WebSocket; clients need a user name and any password ({@link EJABBERD_LOGIN}).
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { accepts, freePort } from './daemon.js';
import { distribution, FRUGAL, PortMapper } from './erlang.js';
import { until } from './events.js';
import { HOST } from './listener.js';
import { type BrokerCluster, type BrokerNode, buildCluster, Server } from './server.js';

/** What its clients log in with. */
export const EJABBERD_LOGIN = { username: 'device@localhost', password: 'any' } as const;

const COOKIE = ['-setcookie', 'SECRETOFTHETEST'];
const START_MS = 60_000;

export function ejabberdCluster(size: number): Promise<BrokerCluster> {
  return buildCluster('ejabberd', async (site) => {
    const mapper = await PortMapper.openAt(site);
    const nodes: EjabberdNode[] = [];
    for (let n = 1; n <= size; n += 1) {
      const home = join(site.directory, `ejabberd${n}`);
      await mkdir(home);
      const ports = { mqtt: await freePort(), ws: await freePort(), distribution: await freePort() };
      await writeFile(join(home, 'ejabberd.yml'), configuration(ports));
      nodes.push(site.use(new EjabberdNode(`ejabberd${n}@${HOST}`, home, ports, mapper)));
    }
    await Promise.all(nodes.map((node) => node.start()));
    const [first, ...others] = nodes as [EjabberdNode, ...EjabberdNode[]];
    for (const node of others) await node.join(first);
    return nodes;
  });
}

interface Ports {
  readonly mqtt: number;
  readonly ws: number;
  readonly distribution: number;
}

/** YAML; JSON is part of it. */
function configuration({ mqtt, ws }: Ports): string {
  const everything = { '#': [{ allow: 'all' }] };
  return JSON.stringify({
    hosts: ['localhost'],
    loglevel: 'warning',
    auth_method: 'anonymous',
    anonymous_protocol: 'login_anon',
    allow_multiple_connections: true,
    acl: {},
    access_rules: {},
    listen: [
      { port: mqtt, ip: HOST, module: 'mod_mqtt', backlog: 1_000 },
      { port: ws, ip: HOST, module: 'ejabberd_http', request_handlers: { '/mqtt': 'mod_mqtt' } },
    ],
    modules: {
      mod_mqtt: {
        access_publish: everything,
        access_subscribe: everything,
        session_expiry: '5 minutes',
        max_queue: 5_000,
        ram_db_type: 'mnesia',
      },
    },
  });
}

class EjabberdNode extends Server implements BrokerNode {
  readonly url: string;
  readonly wsUrl: string;
  readonly #name: string;
  readonly #ports: Ports;
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: string, home: string, ports: Ports, mapper: PortMapper) {
    const env = {
      ...process.env,
      ...mapper.env,
      HOME: home,
      ERL_LIBS: ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib'].join(':'),
      ERL_CRASH_DUMP: '/dev/null',
      EJABBERD_CONFIG_PATH: join(home, 'ejabberd.yml'),
      EJABBERD_LOG_PATH: join(home, 'ejabberd.log'),
    };
    super({
      command: 'erl',
      args: [
        ...['-name', name, ...COOKIE, '-kernel', ...distribution(ports.distribution)],
        ...[...FRUGAL, '-mnesia', 'dir', `"${join(home, 'mnesia')}"`, '-s', 'ejabberd', '-noinput'],
      ],
      env,
      cwd: home,
      ready: async () => (await accepts(ports.mqtt)) && (await accepts(ports.ws)),
      readyMs: START_MS,
    });
    this.url = `mqtt://${HOST}:${ports.mqtt}`;
    this.wsUrl = `ws://${HOST}:${ports.ws}/mqtt`;
    this.#name = name;
    this.#ports = ports;
    this.#env = env;
  }

  /** Takes over what `other` knows; restarts its applications on the way. */
  async join(other: EjabberdNode): Promise<void> {
    const call = `rpc:call('${this.#name}', ejabberd_cluster, join, ['${other.#name}'])`;
    const helper = `helper${process.pid}@${HOST}`;
    const { stdout } = await promisify(execFile)(
      'erl',
      [
        ...['-name', helper, ...COOKIE, '-hidden', '-noinput'],
        ...['-eval', `io:format("~p", [${call}]), halt().`],
      ],
      { env: this.#env, timeout: START_MS },
    );
    if (stdout !== 'ok') throw new Error(`${this.#name} could not join ${other.#name}: ${stdout}`);
    await until(async () => (await accepts(this.#ports.mqtt)) && accepts(this.#ports.ws), {
      what: `${this.#name} to listen again`,
      timeoutMs: START_MS,
    });
  }
}
