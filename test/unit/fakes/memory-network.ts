/**
 * Brokers without sockets: real MQTT packets, exchanged in memory, on the virtual clock.
 *
 * Each node answers a dial, a CONNECT and what follows as it was told last. Every answer takes a few milliseconds, so
 * that whatever can be overtaken some day is.
 */
import { EventEmitter } from 'node:events';
import { generate, type Packet, parser } from 'mqtt-packet';
import type { Endpoint } from '../../../src/endpoint.js';
import type {
  Clock,
  DialTarget,
  Network,
  Random,
  Transport,
  TransportSink,
} from '../../../src/platform/ports.js';

/** What one node does from now on. */
export interface Conduct {
  /** To a dial. */
  readonly dial: 'open' | 'hang' | Error;
  /** To CONNECT; a number is the reason code, or the return code of MQTT 3.1.1. */
  readonly connect: number | 'resume' | 'silent' | 'hang up';
  /** Whether it answers anything after CONNACK; one that does not is frozen, and does not close its side either. */
  readonly lives: boolean;
  /** Properties of an accepting CONNACK, MQTT 5. */
  readonly properties?: Readonly<Record<string, number>>;
}

/** A node that serves. */
export const WELL: Conduct = { dial: 'open', connect: 0, lives: true };

/** The most that an answer is under way, in milliseconds. */
const LATENCY_MS = 20;

/** All nodes, by the first label of their host. */
export class MemoryNetwork implements Network {
  readonly schemes: Network['schemes'] = new Set(['mqtt', 'mqtts', 'ws', 'wss'] as const);
  /** Transports that neither side has closed. */
  readonly openTransports = new Set<MemoryTransport>();
  /** Dials that were not answered so far. */
  dialing = 0;
  dials = 0;
  /** Told of each CONNECT before it is answered. */
  onConnect: (transport: MemoryTransport) => void = () => {};
  /** Told of each dial before it is answered. */
  onDial: (endpoint: Endpoint) => void = () => {};
  /** Takes the place of what a node does with packets, for those that remember sessions. */
  serve: ((transport: MemoryTransport, packet: Packet) => void) | undefined;
  /** Payloads that a broker took, in the order of arrival. */
  readonly taken: string[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #conduct = new Map<string, Conduct>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** How a node behaves; those that were not told are well. */
  conduct(id: string): Conduct {
    return this.#conduct.get(id) ?? WELL;
  }

  behave(id: string, conduct: Conduct): void {
    this.#conduct.set(id, conduct);
  }

  /** Calls back after the time that an answer takes. */
  later(callback: () => void): void {
    this.#clock.setTimeout(callback, this.#random.next() * LATENCY_MS);
  }

  open({ endpoint }: DialTarget, signal: AbortSignal): Promise<Transport> {
    const { dial } = this.conduct(endpoint.id);
    this.onDial(endpoint);
    this.dials += 1;
    this.dialing += 1;
    return new Promise<Transport>((resolve, reject) => {
      signal.throwIfAborted();
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (dial === 'hang') return;
      this.later(() => {
        if (signal.aborted) return;
        if (dial === 'open') resolve(new MemoryTransport(endpoint.id, this));
        else reject(dial);
      });
    }).finally(() => {
      this.dialing -= 1;
    });
  }
}

/** One connection: our side is the transport, the other side is the node. */
export class MemoryTransport extends EventEmitter implements Transport {
  readonly id: string;
  /** Whether CONNECT has come by it. */
  connected = false;
  /** Gone for us: destroyed by us, or closed by the peer. */
  closed = false;
  readonly #network: MemoryNetwork;
  readonly #parser = parser();
  #sink: TransportSink | undefined;
  #protocolVersion = 4;
  #peerEnded = false;

  constructor(id: string, network: MemoryNetwork) {
    super();
    this.id = id;
    this.#network = network;
    network.openTransports.add(this);
    this.#parser.on('packet', (packet: Packet) => this.#received(packet));
  }

  write(chunk: Uint8Array | string): boolean {
    if (!this.closed) this.#parser.parse(Buffer.from(chunk));
    return true;
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    if (this.#network.conduct(this.id).lives) this.#network.later(() => this.hangUp());
  }

  destroy(): void {
    this.#close();
  }

  pipe(sink: TransportSink): void {
    this.#sink = sink;
  }

  /** The node sends. */
  send(packet: Packet): void {
    this.sendRaw(generate(packet, { protocolVersion: this.#protocolVersion }));
  }

  /** The node sends bytes that need not be MQTT. */
  sendRaw(bytes: Buffer): void {
    if (this.closed || this.#peerEnded) return;
    this.emit('data', bytes);
    this.#sink?.write(bytes);
  }

  /** The node closes the connection, or it breaks for `error`. */
  hangUp(error?: Error): void {
    if (this.closed || this.#peerEnded) return;
    this.#peerEnded = true;
    if (error) this.emit('error', error);
    else this.emit('end');
    this.#close();
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#network.openTransports.delete(this);
    queueMicrotask(() => this.emit('close'));
  }

  get protocolVersion(): number {
    return this.#protocolVersion;
  }

  #received(packet: Packet): void {
    if (packet.cmd === 'connect') {
      this.connected = true;
      this.#protocolVersion = packet.protocolVersion ?? 4;
      this.#network.onConnect(this);
    }
    if (this.#network.serve) {
      this.#network.serve(this, packet);
      return;
    }
    const { lives, connect, properties = {} } = this.#network.conduct(this.id);
    if (packet.cmd === 'connect') {
      if (connect === 'silent') return;
      this.#network.later(() => this.#answerConnect(connect, properties));
    } else if (lives) {
      if (packet.cmd === 'publish') this.#network.taken.push(String(packet.payload));
      const answer = answerTo(packet);
      if (answer) this.#network.later(() => this.send(answer));
    }
  }

  #answerConnect(connect: number | 'resume' | 'hang up', properties: object): void {
    if (connect === 'hang up') {
      this.hangUp();
      return;
    }
    const code = connect === 'resume' ? 0 : connect;
    const sessionPresent = connect === 'resume';
    const v5 = this.#protocolVersion === 5;
    this.send({
      cmd: 'connack',
      sessionPresent,
      ...(v5 ? { reasonCode: code, properties: code === 0 ? properties : {} } : { returnCode: code }),
    });
    if (code !== 0) this.hangUp();
  }
}

/** What a broker that remembers nothing answers. */
export function answerTo(packet: Packet): Packet | undefined {
  const { messageId = 0 } = packet;
  switch (packet.cmd) {
    case 'publish':
      if (packet.qos === 0) return undefined;
      return { cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode: 0 };
    case 'pubrel':
      return { cmd: 'pubcomp', messageId, reasonCode: 0 };
    case 'subscribe':
      return { cmd: 'suback', messageId, granted: packet.subscriptions.map(({ qos }) => qos) };
    case 'unsubscribe':
      return { cmd: 'unsuback', messageId, granted: packet.unsubscriptions.map(() => 0) };
    case 'pingreq':
      return { cmd: 'pingresp' };
    default:
      return undefined;
  }
}
