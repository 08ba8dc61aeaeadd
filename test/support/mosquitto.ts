/**
 * A real mosquitto as a process of its own, so that it can be killed, frozen and restarted.
 *
 * The world it builds: one broker on free ports of this machine, TCP and WebSocket, with a certificate also both over
 * TLS; anonymous, without persistence.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepts, freePort } from './daemon.js';
import { HOST } from './listener.js';
import { type BrokerNode, disposeAll, Server } from './server.js';
import type { CertificateAuthority, ServerCertificate } from './tls.js';

/** TLS of one node. */
export interface MosquittoTls {
  readonly certificate: ServerCertificate;
  /** Address in 127.0.0.0/8 at which the node listens: the one that its certificate is for. */
  readonly host: string;
}

interface Ports {
  readonly tcp: number;
  readonly ws: number;
  readonly tls: number;
  readonly wss: number;
}

export class Mosquitto implements BrokerNode, AsyncDisposable {
  readonly #ports: Ports;
  readonly #directory: string;
  readonly #tls: MosquittoTls | undefined;
  readonly #server: Server;

  constructor(ports: Ports, directory: string, tls?: MosquittoTls) {
    this.#ports = ports;
    this.#directory = directory;
    this.#tls = tls;
    this.#server = new Server({
      command: 'mosquitto',
      args: ['-c', this.#file('mosquitto.conf')],
      ready: () => accepts(ports.ws),
    });
  }

  get port(): number {
    return this.#ports.tcp;
  }

  get wsPort(): number {
    return this.#ports.ws;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://${HOST}:${this.wsPort}`;
  }

  /** Only of a broker that was given a certificate; so is the next. */
  get tlsUrl(): string {
    return `mqtts://${this.#tls?.host}:${this.#ports.tls}`;
  }

  get wssUrl(): string {
    return `wss://${this.#tls?.host}:${this.#ports.wss}`;
  }

  get isRunning(): boolean {
    return this.#server.isRunning;
  }

  async start(): Promise<void> {
    await writeFile(this.#file('mosquitto.conf'), await this.#configuration());
    await this.#server.start();
  }

  /** Topics of every PUBLISH that it has ever taken, also before it was killed: it logs each before it answers. */
  takenTopics(): Set<string> {
    const said = this.#server.formerOutput + this.#server.output;
    const taken = said.matchAll(/Received PUBLISH from \S+ \(.*?, '([^']*)',/g);
    return new Set([...taken].map(([, topic]) => topic as string));
  }

  /** Whether the client of this id has subscribed to anything in this life of the broker. */
  hasSubscriber(clientId: string): boolean {
    return this.#server.output.includes(`Sending SUBACK to ${clientId}\n`);
  }

  async kill(signal?: NodeJS.Signals): Promise<void> {
    await this.#server.kill(signal);
  }

  freeze(): void {
    this.#server.freeze();
  }

  thaw(): void {
    this.#server.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #configuration(): Promise<string> {
    const { tcp, ws, tls, wss } = this.#ports;
    const lines = [
      'user root',
      'allow_anonymous true',
      'persistence false',
      'sys_interval 0',
      'set_tcp_nodelay true',
      'log_dest stderr',
      'log_type all',
      `listener ${tcp} ${HOST}`,
    ];
    if (this.#tls) {
      const { key, cert } = this.#tls.certificate;
      await writeFile(this.#file('key.pem'), key);
      await writeFile(this.#file('cert.pem'), cert);
      const { host } = this.#tls;
      const files = [`certfile ${this.#file('cert.pem')}`, `keyfile ${this.#file('key.pem')}`];
      lines.push(
        `listener ${tls} ${host}`,
        ...files,
        `listener ${wss} ${host}`,
        ...files,
        'protocol websockets',
      );
    }
    // Listeners open in this order, and the last one tells that the broker is ready.
    lines.push(`listener ${ws} ${HOST}`, 'protocol websockets');
    return `${lines.join('\n')}\n`;
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

export async function mosquitto(tls?: MosquittoTls): Promise<Mosquitto> {
  const ports = {
    tcp: await freePort(),
    ws: await freePort(),
    tls: await freePort(),
    wss: await freePort(),
  };
  const broker = new Mosquitto(ports, await mkdtemp(join(tmpdir(), 'mosquitto-')), tls);
  try {
    await broker.start();
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  return broker;
}

/** `count` independent brokers, as separate machines would be. */
export async function mosquittos(count: number): Promise<Mosquitto[] & AsyncDisposable> {
  const brokers = await Promise.all(Array.from({ length: count }, () => mosquitto()));
  return Object.assign(brokers, { [Symbol.asyncDispose]: () => disposeAll(brokers) });
}

/**
 * Independent brokers at addresses of their own, from 127.0.0.1 on, each with a certificate for its address alone.
 *
 * @param addresses - Of the certificates, by node; where one differs from the node's address, its clients must notice.
 */
export async function secureMosquittos(
  authority: CertificateAuthority,
  addresses: readonly string[],
): Promise<Mosquitto[] & AsyncDisposable> {
  const brokers = await Promise.all(
    addresses.map(async (address, n) =>
      mosquitto({ certificate: await authority.issue([address]), host: `127.0.0.${n + 1}` }),
    ),
  );
  return Object.assign(brokers, { [Symbol.asyncDispose]: () => disposeAll(brokers) });
}
