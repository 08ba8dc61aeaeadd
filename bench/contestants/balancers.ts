/**
 * The load balancers that are compared, as they are set up for MQTT.
 *
 * HAProxy keeps a client at its broker by client id, and asks brokers for a CONNACK, as often as it does by itself or
 * every 500 ms; the sessions of a broker that fails are closed. nginx balances TCP: it cannot see the client id, and
 * learns of a dead broker from its clients' connections alone. Both give up after a second on a connection that does
 * not come about.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, freePort } from '../../test/support/daemon.js';
import { Program } from '../../test/support/program.js';
import { ENV } from '../support/programs.js';
import type { Address } from '../support/raw-client.js';
import type { Route } from './contestants.js';

const HOST = '127.0.0.1';
const MAX_CLIENTS = 8_000;

/** A running balancer in front of brokers. */
export interface Balancer extends Address, AsyncDisposable {
  readonly pid: number;
}

export type BalancedRoute = Exclude<Route, 'direct'>;

/** Starts the balancer of `route`; ready when it accepts connections. */
export async function startBalancer(route: BalancedRoute, brokers: readonly Address[]): Promise<Balancer> {
  const port = await freePort();
  const isNginx = route === 'nginx';
  const prepare = async (directory: string) => {
    const file = join(directory, 'balancer.conf');
    await mkdir(join(directory, 'tmp'));
    await writeFile(file, isNginx ? nginx(port, brokers) : haproxy(port, brokers, route === 'haproxy-500'));
    return isNginx ? ['-p', `${directory}/`, '-c', file] : ['-db', '-f', file];
  };
  const program = await Program.start(isNginx ? 'nginx' : 'haproxy', prepare, {
    env: ENV,
    ready: () => accepts(port),
  });
  return {
    host: HOST,
    port,
    pid: program.pid,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function haproxy(port: number, brokers: readonly Address[], isFast: boolean): string {
  const clientId = 'req.payload(0,0),mqtt_field_value(connect,client_identifier)';
  return `
global
  maxconn ${MAX_CLIENTS}
defaults
  mode tcp
  timeout connect 1s
  timeout client 150s
  timeout server 150s
frontend mqtt
  bind ${HOST}:${port}
  tcp-request inspect-delay 3s
  tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }
  default_backend brokers
backend brokers
  stick-table type string len 64 size 100k expire 30m
  stick on ${clientId}
  balance hash ${clientId}
  hash-type consistent
  option redispatch
  retries 2
  option tcp-check
  tcp-check connect
  # CONNECT of MQTT 3.1.1 with an empty client id; CONNACK, accepted; DISCONNECT
  tcp-check send-binary 100c00044d5154540402000a0000
  tcp-check expect binary 20020000
  tcp-check send-binary e000
  ${isFast ? 'timeout check 500ms' : ''}
  default-server ${isFast ? 'inter 500ms fastinter 200ms fall 2 rise 1' : ''} on-marked-down shutdown-sessions
${brokers.map((broker, at) => `  server n${at} ${broker.host}:${broker.port} check`).join('\n')}
`;
}

function nginx(port: number, brokers: readonly Address[]): string {
  return `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
worker_rlimit_nofile ${4 * MAX_CLIENTS};
events { worker_connections ${2 * MAX_CLIENTS + 100}; }
stream {
  upstream brokers {
    zone brokers 64k;
    least_conn;
${brokers.map((broker) => `    server ${broker.host}:${broker.port};`).join('\n')}
  }
  proxy_connect_timeout 1s;
  proxy_timeout 150s;
  server { listen ${HOST}:${port}; proxy_pass brokers; }
}
`;
}
