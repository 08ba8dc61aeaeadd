/**
 * Brokers to play with: aedes in this process, on free ports of 127.0.0.1.
 *
 * As a command it starts three, prints their URLs, and reads `kill 2` and `start 2` from the keyboard:
 *
 *     node --import tsx examples/brokers.ts
 *     BROKERS=mqtt://127.0.0.1:40001,… node --import tsx examples/01-static-list.ts   (in another terminal)
 *
 * The examples use it as a module: without BROKERS or arguments they start what they need themselves.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { HOST, listen, reset } from './listen.js';

export interface BrokerSettings {
  /** Serve MQTT over WebSocket at this path instead of TCP. */
  readonly websocket?: string;
  /** The only `username:password` to be let in. */
  readonly login?: string;
  /** More for aedes itself; called at every start, since a crashed broker keeps nothing. */
  readonly aedes?: () => AedesOptions;
}

/** One broker that can crash and come back at the same port. */
export class LocalBroker {
  readonly #settings: BrokerSettings;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #aedes: Aedes | undefined;
  #port = 0;

  constructor(settings: BrokerSettings = {}) {
    this.#settings = settings;
  }

  get url(): string {
    const { websocket } = this.#settings;
    return websocket ? `ws://${HOST}:${this.#port}${websocket}` : `mqtt://${HOST}:${this.#port}`;
  }

  /** What `mqtt-failover` calls it unless it is given an id. */
  get id(): string {
    return `${HOST}:${this.#port}`;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  /** The aedes of this life, to listen to it; throws while the broker is down. */
  get aedes(): Aedes {
    if (!this.#aedes) throw new Error(`broker ${this.id} is down`);
    return this.#aedes;
  }

  async start(): Promise<void> {
    if (this.#server) return;
    const aedes = await Aedes.createBroker({ ...this.#settings.aedes?.(), ...this.#authentication() });
    const server = this.#serve(aedes).on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    this.#server = server;
    this.#aedes = aedes;
    this.#port = await listen(server, this.#port);
  }

  /** A crash: the port refuses and every connection is reset, in this very turn and without a farewell. */
  async kill(): Promise<void> {
    const server = this.#server;
    const aedes = this.#aedes;
    if (!server || !aedes) return;
    this.#server = undefined;
    this.#aedes = undefined;
    server.close();
    for (const socket of this.#sockets) reset(socket);
    await new Promise<void>((resolve) => aedes.close(resolve));
  }

  #serve(aedes: Aedes): Server {
    const { websocket } = this.#settings;
    if (websocket === undefined)
      return createServer({ noDelay: true }, (socket) => void aedes.handle(socket));
    const server = createHttpServer();
    new WebSocketServer({ server, path: websocket, handleProtocols: () => 'mqtt' })
      .on('connection', (socket, request) => void aedes.handle(createWebSocketStream(socket), request))
      // It repeats those of the server, of which `listen` hears.
      .on('error', () => {});
    return server;
  }

  #authentication(): AedesOptions {
    const { login } = this.#settings;
    if (login === undefined) return {};
    return { authenticate: (_client, name, password, done) => done(null, `${name}:${password}` === login) };
  }
}

/**
 * Hears of every message that a client sends, before the client can have an acknowledgement: aedes sends PUBACK first
 * and emits its event `publish` a turn later, which a crash in between swallows. It would look like a loss.
 */
export function onReceived(aedes: Aedes, listener: (packet: PublishPacket, client: Client) => void): void {
  const authorize = aedes.authorizePublish;
  aedes.authorizePublish = (client, packet, done) => {
    // Wills come by, too, without a `cmd`.
    if (client && packet.cmd === 'publish') listener(packet, client);
    authorize.call(aedes, client, packet, done);
  };
}

/** The brokers of an example. */
export interface ExampleBrokers {
  readonly urls: readonly string[];
  /** Crashes the broker `mqtt-failover` calls `id`; if it is yours, asks you to do it and waits. */
  kill(id: string | null): Promise<void>;
  /** Crashes all of its own; yours are left alone. */
  stop(): Promise<void>;
}

/** The brokers named by arguments or BROKERS; if there are none, one of its own for each of `settings`. */
export async function useBrokers(
  settings: readonly BrokerSettings[] = [{}, {}, {}],
): Promise<ExampleBrokers> {
  const urls = [...process.argv.slice(2), process.env.BROKERS ?? ''].join(',').split(',').filter(Boolean);
  if (urls.length > 0) {
    return {
      urls,
      kill: async (id) => {
        console.log(`>>> now stop the broker ${id} <<<`);
        while (await answers(id ?? '')) await sleep(100);
      },
      stop: async () => {},
    };
  }
  const brokers = settings.map((each) => new LocalBroker(each));
  await Promise.all(brokers.map((broker) => broker.start()));
  return {
    urls: brokers.map(({ url }) => url),
    kill: async (id) => brokers.find((broker) => broker.id === id)?.kill(),
    stop: async () => {
      await Promise.all(brokers.map((broker) => broker.kill()));
    },
  };
}

/** Whether something listens at `host:port`. */
async function answers(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** The command. */
async function main(): Promise<void> {
  const brokers = [new LocalBroker(), new LocalBroker(), new LocalBroker()];
  await Promise.all(brokers.map((broker) => broker.start()));
  console.log(`BROKERS=${brokers.map(({ url }) => url).join(',')}`);
  console.log('Type `kill 1`, `start 1` or `quit`.');
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb, number] = line.trim().split(/\s+/);
    if (verb === 'quit') break;
    const broker = brokers[Number(number) - 1];
    if (!broker || (verb !== 'kill' && verb !== 'start')) console.log('kill 1 … 3, start 1 … 3, quit');
    else await broker[verb]();
    console.log(brokers.map(({ url, isUp }, i) => `${i + 1} ${url} ${isUp ? 'up' : 'down'}`).join('   '));
  }
  await Promise.all(brokers.map((broker) => broker.kill()));
  process.stdin.destroy();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
