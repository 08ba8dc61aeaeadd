/** A broker of the fleet page: aedes over WebSocket in this process, which can crash, fall silent and come back. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { onReceived } from '../../brokers.js';
import { HOST, listen, reset } from '../../listen.js';

const PATH = '/mqtt';
/** Bytes of one message; the page's readings are a dozen. */
const MAX_MESSAGE_BYTES = 1_024;
/** Connections of one broker: several pages full of clients, and their probes. */
const MAX_CONNECTIONS = 512;

/** What a broker is told about the world. */
export interface WebBrokerSettings {
  /** Whether a page of this origin may connect; browsers let any page dial 127.0.0.1. */
  readonly admits: (origin: string | undefined) => boolean;
  /** Sees the topic and payload of every message that a client sent, before it is acknowledged. */
  readonly onMessage: (topic: string, payload: string) => void;
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly forget: () => void;
}

/** One broker; it keeps its port over all its lives. */
export class WebBroker {
  readonly id: string;
  readonly #settings: WebBrokerSettings;
  readonly #sockets = new Set<Socket>();
  /** Who asked for a connection while the broker hung. */
  readonly #waiting = new Set<Waiting>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: () => 'mqtt',
  });
  #server: Server | undefined;
  #aedes: Aedes | undefined;
  #port = 0;
  #isHung = false;

  constructor(id: string, settings: WebBrokerSettings) {
    this.id = id;
    this.#settings = settings;
  }

  get url(): string {
    return `ws://${HOST}:${this.#port}${PATH}`;
  }

  /** Listening, whether it answers or not. */
  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  get isHung(): boolean {
    return this.#isHung;
  }

  async start(): Promise<void> {
    const aedes = await Aedes.createBroker({ id: this.id });
    onReceived(aedes, ({ topic, payload }) => this.#settings.onMessage(topic, payload.toString()));
    const server = createServer((_request, response) => response.writeHead(426).end());
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#port = await listen(server, this.#port);
    this.#server = server;
    this.#aedes = aedes;
  }

  /** A crash: the port refuses, and every connection is reset without a farewell. */
  async kill(): Promise<void> {
    const server = this.#server;
    const aedes = this.#aedes;
    if (!server || !aedes) return;
    this.#server = undefined;
    this.#aedes = undefined;
    this.#isHung = false;
    this.#waiting.clear();
    server.close();
    for (const socket of this.#sockets) reset(socket);
    await new Promise<void>((resolve) => aedes.close(resolve));
  }

  /** Connections stay open and new ones are accepted, but nothing is read or answered any more. */
  hang(): void {
    this.#isHung = true;
    for (const webSocket of this.#webSockets.clients) webSocket.pause();
  }

  /** Answers again, what came meanwhile first. */
  resume(): void {
    this.#isHung = false;
    for (const webSocket of this.#webSockets.clients) webSocket.resume();
    for (const { request, socket, head, forget } of this.#waiting) {
      forget();
      this.#upgrade(request, socket, head);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#isHung) {
      this.#hold(request, socket, head);
      return;
    }
    if (!this.#settings.admits(request.headers.origin)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      void this.#aedes?.handle(createWebSocketStream(webSocket), request);
    });
  }

  #hold(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const gone = () => {
      this.#waiting.delete(waiting);
      socket.destroy();
    };
    const forget = () => {
      this.#waiting.delete(waiting);
      socket.off('end', gone).off('close', gone);
    };
    const waiting: Waiting = { request, socket, head, forget };
    this.#waiting.add(waiting);
    // Read on: that is how one hears that a client has given up.
    socket.on('end', gone).on('close', gone).resume();
  }
}
