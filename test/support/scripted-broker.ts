/**
 * An MQTT peer that answers what a test tells it to.
 *
 * No broker at hand refuses with "server moved", forgets an acknowledgement or sends half a packet when
 * asked; this one does. It speaks MQTT 3.1, 3.1.1 and 5 over TCP or WebSocket, answers every packet the way
 * the simplest correct broker would, and lets a script replace any of the answers. It keeps no sessions and
 * routes no messages: it is the other end of a connection and a record of what came in.
 */
import { EventEmitter } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { generate, type Packet, type PacketCmd, parser } from 'mqtt-packet';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { HOST, Listener, reset } from './listener.js';

export type ConnectPacket = Extract<Packet, { cmd: 'connect' }>;

/** Sees every packet first; `true` says that it is dealt with, anything else leaves the default answer. */
export type Script =
  | ((packet: Packet, connection: ScriptedConnection) => boolean | undefined)
  | ((packet: Packet, connection: ScriptedConnection) => void);

export type PacketPredicate = (packet: Packet, connection: ScriptedConnection) => boolean;

export interface ReceivedPacket {
  readonly packet: Packet;
  /** Index of the connection it came by. */
  readonly connection: number;
  /** Monotonic milliseconds (`performance.now()`). */
  readonly at: number;
}

export interface ScriptedBrokerOptions {
  readonly port?: number;
  /** WebSocket with subprotocol `mqtt` in place of plain TCP. */
  readonly ws?: boolean;
}

export async function scriptedBroker(
  script?: Script,
  options: ScriptedBrokerOptions = {},
): Promise<ScriptedBroker> {
  const broker = new ScriptedBroker(script, options);
  await broker.restart();
  return broker;
}

export class ScriptedBroker implements AsyncDisposable {
  /** May be changed at any time; holds for all connections. */
  script: Script | undefined;
  /** Every connection ever accepted, in that order. */
  readonly connections: ScriptedConnection[] = [];
  /** Every packet that came in, over all connections. */
  readonly received: ReceivedPacket[] = [];
  readonly #listener: Listener;
  readonly #scheme: string;
  readonly #arrivals = new EventEmitter().setMaxListeners(0);

  constructor(script: Script | undefined, { port = 0, ws = false }: ScriptedBrokerOptions) {
    this.script = script;
    this.#scheme = ws ? 'ws' : 'mqtt';
    this.#listener = new Listener(() => (ws ? this.#webSocketServer() : this.#tcpServer()), port);
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `${this.#scheme}://${HOST}:${this.port}`;
  }

  /** Number of CONNECT packets so far; a connection may never get as far as sending one. */
  get connects(): number {
    return this.received.filter(({ packet }) => packet.cmd === 'connect').length;
  }

  /** The connection accepted last. */
  get latest(): ScriptedConnection {
    const connection = this.connections.at(-1);
    if (!connection) throw new Error('nobody has connected to the scripted broker');
    return connection;
  }

  /** The packets of one kind received so far. */
  packets<Cmd extends PacketCmd>(cmd: Cmd): Extract<Packet, { cmd: Cmd }>[] {
    const isWanted = (packet: Packet): packet is Extract<Packet, { cmd: Cmd }> => packet.cmd === cmd;
    return this.received.map(({ packet }) => packet).filter(isWanted);
  }

  /** The first packet that fits, be it here already or still to come. */
  waitFor<Cmd extends PacketCmd>(cmd: Cmd, timeoutMs?: number): Promise<Extract<Packet, { cmd: Cmd }>>;
  waitFor(predicate: PacketPredicate, timeoutMs?: number): Promise<Packet>;
  waitFor(wanted: PacketCmd | PacketPredicate, timeoutMs?: number): Promise<Packet> {
    const fits = asPredicate(wanted);
    for (const { packet, connection } of this.received) {
      if (fits(packet, this.connections[connection] as ScriptedConnection)) return Promise.resolve(packet);
    }
    return this.#arrival(fits, timeoutMs);
  }

  /** The next packet that fits; those already here do not count. */
  waitForNext<Cmd extends PacketCmd>(cmd: Cmd, timeoutMs?: number): Promise<Extract<Packet, { cmd: Cmd }>>;
  waitForNext(predicate: PacketPredicate, timeoutMs?: number): Promise<Packet>;
  waitForNext(wanted: PacketCmd | PacketPredicate, timeoutMs?: number): Promise<Packet> {
    return this.#arrival(asPredicate(wanted), timeoutMs);
  }

  /** Stops listening and resets every connection. */
  async stop(): Promise<void> {
    await this.#listener.crash();
  }

  /** Listens again, at the same port as before. */
  async restart(): Promise<void> {
    await this.#listener.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #tcpServer(): Server {
    return createServer({ noDelay: true }, (socket) => this.#accept(socket, socket));
  }

  #webSocketServer(): Server {
    const server = createHttpServer();
    const handleProtocols = (offered: Set<string>) => (offered.has('mqtt') ? 'mqtt' : false);
    new WebSocketServer({ server, handleProtocols })
      .on('connection', (webSocket, request) => {
        this.#accept(createWebSocketStream(webSocket), request.socket);
      })
      // It repeats those of the server, of which the listener hears.
      .on('error', () => {});
    return server;
  }

  #accept(stream: Duplex, socket: Socket): void {
    const connection = new ScriptedConnection(stream, socket, this.connections.length);
    this.connections.push(connection);
    connection.onPacket = (packet) => {
      this.received.push({ packet, connection: connection.index, at: performance.now() });
      if (this.script?.(packet, connection) !== true) answer(packet, connection);
      this.#arrivals.emit('packet', packet, connection);
    };
  }

  #arrival(fits: PacketPredicate, timeoutMs = 5000): Promise<Packet> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#arrivals.off('packet', look);
      };
      const look = (packet: Packet, connection: ScriptedConnection) => {
        if (!fits(packet, connection)) return;
        stop();
        resolve(packet);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`the packet awaited did not come within ${timeoutMs} ms; ${this.#story()}`));
      }, timeoutMs);
      this.#arrivals.on('packet', look);
    });
  }

  #story(): string {
    const arrived = this.received.map(({ packet, connection }) => `${connection}:${summary(packet)}`);
    const list = arrived.join(' ') || 'nothing';
    return `${this.connections.length} connections, arrived (connection:packet): ${list}`;
  }
}

export class ScriptedConnection {
  /** This is the nth connection of its broker, counted from 0. */
  readonly index: number;
  readonly received: Packet[] = [];
  /** The CONNECT, once it is here. */
  connectPacket: ConnectPacket | undefined;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
  /** Set by the broker. */
  onPacket: (packet: Packet) => void = () => {};
  readonly #stream: Duplex;
  readonly #socket: Socket;

  constructor(stream: Duplex, socket: Socket, index: number) {
    this.index = index;
    this.#stream = stream;
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    const incoming = parser();
    incoming.on('packet', (packet) => {
      // The rest of a chunk in the midst of which the connection was reset.
      if (!this.isOpen) return;
      if (packet.cmd === 'connect') this.connectPacket = packet;
      this.received.push(packet);
      this.onPacket(packet);
    });
    incoming.on('error', () => this.destroy());
    stream.on('data', (bytes: Buffer) => incoming.parse(bytes));
    stream.on('error', () => {});
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  get protocolVersion(): number {
    return this.connectPacket?.protocolVersion ?? 4;
  }

  send(packet: Packet): void {
    this.sendRaw(generate(packet, { protocolVersion: this.protocolVersion }));
  }

  /** Bytes as they are: half a packet, or no MQTT at all. */
  sendRaw(bytes: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(bytes);
  }

  /** An orderly end (FIN), after what has been sent. */
  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
    this.#socket.destroy();
  }

  /** The peer sees ECONNRESET. */
  reset(): void {
    reset(this.#socket);
  }

  /** Reads nothing more until `resume`: a peer whose receive window fills up. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }
}

/** What the simplest correct broker would answer. */
export function answer(packet: Packet, connection: ScriptedConnection): void {
  const { messageId = 0 } = packet;
  switch (packet.cmd) {
    case 'connect': {
      const accepted =
        connection.protocolVersion === 5 ? { reasonCode: 0, properties: {} } : { returnCode: 0 };
      connection.send({ cmd: 'connack', sessionPresent: false, ...accepted });
      break;
    }
    case 'pingreq':
      connection.send({ cmd: 'pingresp' });
      break;
    case 'subscribe':
      connection.send({ cmd: 'suback', messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
      break;
    case 'unsubscribe':
      connection.send({ cmd: 'unsuback', messageId, granted: packet.unsubscriptions.map(() => 0) });
      break;
    case 'publish':
      if (packet.qos === 1) connection.send({ cmd: 'puback', messageId, reasonCode: 0 });
      if (packet.qos === 2) connection.send({ cmd: 'pubrec', messageId, reasonCode: 0 });
      break;
    case 'pubrec':
      connection.send({ cmd: 'pubrel', messageId, reasonCode: 0 });
      break;
    case 'pubrel':
      connection.send({ cmd: 'pubcomp', messageId, reasonCode: 0 });
      break;
    case 'disconnect':
      connection.end();
      break;
    default:
      // Acknowledgements end here.
      break;
  }
}

function asPredicate(wanted: PacketCmd | PacketPredicate): PacketPredicate {
  return typeof wanted === 'function' ? wanted : (packet) => packet.cmd === wanted;
}

function summary(packet: Packet): string {
  const details: unknown[] = [packet.messageId];
  if (packet.cmd === 'connect') details.push(packet.clientId);
  if (packet.cmd === 'publish') details.push(packet.topic, `qos${packet.qos}`);
  if (packet.cmd === 'subscribe') details.push(...packet.subscriptions.map(({ topic }) => topic));
  if (packet.cmd === 'unsubscribe') details.push(...packet.unsubscriptions);
  return `${packet.cmd}(${details.filter((detail) => detail !== undefined).join(',')})`;
}
