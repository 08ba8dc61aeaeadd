/**
 * Real brokers that can die.
 *
 * The world it builds: aedes brokers in this process, each on a TCP and a WebSocket port, that crash the way
 * a process does (every connection reset, no farewell, no memory) and come back at the same ports. They stand
 * alone, each with sessions and messages of its own, or as a cluster behind one store, so that a session goes
 * on at another node. aedes speaks MQTT 3.1 and 3.1.1; clients must set `protocolVersion: 4`.
 *
 * aedes takes a message that was overtaken inside it for a duplicate and drops it, which happens in bursts of
 * QoS 2 and of mixed QoS. "Nothing is lost" is therefore asserted on `publishes` or with QoS 1 alone.
 */
import type { EventEmitter } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { Readable } from 'node:stream';
import { Aedes, type AedesOptions, type Client } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { onReceived } from '../../examples/brokers.js';
import { HOST, Listener } from './listener.js';

type QoS = 0 | 1 | 2;

/** A PUBLISH as it came from a client: one that is sent again is recorded again. */
export interface ReceivedPublish {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly messageId: number | undefined;
}

export interface ReceivedSubscription {
  readonly clientId: string;
  readonly topic: string;
  readonly qos: QoS;
}

export interface AedesBrokerOptions {
  readonly port?: number;
  readonly wsPort?: number;
  readonly id?: string;
  /** More for aedes itself, such as `authenticate`. */
  readonly aedes?: AedesOptions;
}

export async function aedesBroker(options: AedesBrokerOptions = {}): Promise<AedesBroker> {
  const broker = new AedesBroker(options);
  await broker.revive();
  return broker;
}

export class AedesBroker implements AsyncDisposable {
  readonly id: string | undefined;
  /** Client ids connected now. */
  readonly connected = new Set<string>();
  /** Client ids of all connections that were accepted, in that order; one that came twice is in it twice. */
  readonly sessions: string[] = [];
  /** Every PUBLISH received from a client, over all the lives of the broker. */
  readonly publishes: ReceivedPublish[] = [];
  /** Every topic of every SUBSCRIBE received, in that order; what a resumed session brings is not in it. */
  readonly subscriptions: ReceivedSubscription[] = [];
  readonly #tcp: Listener;
  readonly #webSocket: Listener;
  readonly #options: AedesOptions;
  readonly #store: SharedStore | undefined;
  #life: Life | undefined;

  constructor({ port, wsPort, id, aedes }: AedesBrokerOptions, store?: SharedStore) {
    this.id = id;
    this.#options = { ...(id === undefined ? {} : { id }), ...aedes };
    this.#store = store;
    this.#tcp = new Listener(() => this.#tcpServer(), port);
    this.#webSocket = new Listener(() => this.#webSocketServer(), wsPort);
  }

  get port(): number {
    return this.#tcp.port;
  }

  get wsPort(): number {
    return this.#webSocket.port;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://${HOST}:${this.wsPort}`;
  }

  get alive(): boolean {
    return this.#life !== undefined;
  }

  /** The aedes of this life, for what is not offered here; throws while the broker is dead. */
  get aedes(): Aedes {
    return this.#living.aedes;
  }

  /** What a client connected to this broker is subscribed to, as topic and QoS. */
  subscribedTopics(clientId: string): ReadonlyMap<string, QoS> {
    const client = this.#living.clients.get(clientId);
    const subscriptions = client ? (client as unknown as AedesInternals).subscriptions : {};
    return new Map(Object.entries(subscriptions).map(([topic, { qos }]) => [topic, qos]));
  }

  /** Sends a message to all that are subscribed, as if some client had published it. */
  async publish(
    topic: string,
    payload: string,
    options: { qos?: QoS; retain?: boolean } = {},
  ): Promise<void> {
    const { qos = 0, retain = false } = options;
    await new Promise<void>((resolve, reject) => {
      const packet = {
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload),
        qos,
        retain,
        dup: false,
      } as const;
      this.aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Throws this client out, without a word, and leaves the broker as it is. */
  disconnect(clientId: string): void {
    this.#living.clients.get(clientId)?.conn.destroy();
  }

  /** A crash: in this very turn the ports refuse and all connections are reset; no memory, no will. */
  async kill(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    this.#life = undefined;
    life.node?.die();
    // A dead process tells nobody about its troubles.
    (life.aedes as EventEmitter).on('error', () => {});
    const crashed = [this.#tcp.crash(), this.#webSocket.crash()];
    this.connected.clear();
    await Promise.all(crashed);
    await closed(life.aedes);
  }

  /** Starts again at the same ports, knowing nothing of its earlier life but what a shared store has kept. */
  async revive(): Promise<void> {
    if (this.#life) return;
    const node = this.#store?.join();
    const aedes = await Aedes.createBroker({ ...this.#options, ...node?.options });
    const life: Life = { aedes, node, clients: new Map() };
    if (node) node.brokerId = aedes.id;
    this.#life = life;
    this.#record(life);
    try {
      await Promise.all([this.#tcp.open(), this.#webSocket.open()]);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** An orderly end: connections are closed, not reset, and wills are sent. */
  async close(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    this.#tcp.shut();
    this.#webSocket.shut();
    await closed(life.aedes);
    // What had not got as far as being a client.
    await this.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #living(): Life {
    if (!this.#life) throw new Error(`broker ${this.id ?? this.port} is dead`);
    return this.#life;
  }

  #record(life: Life): void {
    const { aedes, clients } = life;
    const isCurrent = () => this.#life === life;
    onReceived(aedes, ({ topic, payload, qos, retain, dup, messageId }, { id: clientId }) => {
      if (!isCurrent()) return;
      this.publishes.push({ clientId, topic, payload: String(payload), qos, retain, dup, messageId });
    });
    aedes.on('subscribe', (subscribed, client) => {
      if (!isCurrent()) return;
      for (const { topic, qos } of subscribed) this.subscriptions.push({ clientId: client.id, topic, qos });
    });
    aedes.on('clientReady', (client) => {
      if (!isCurrent()) return;
      clients.set(client.id, client);
      this.connected.add(client.id);
      this.sessions.push(client.id);
    });
    aedes.on('clientDisconnect', (client) => {
      // After a takeover the id belongs to the newer connection.
      if (!isCurrent() || clients.get(client.id) !== client) return;
      clients.delete(client.id);
      this.connected.delete(client.id);
    });
  }

  #tcpServer(): Server {
    return createServer({ noDelay: true }, (socket) => {
      this.#life?.aedes.handle(socket);
    });
  }

  #webSocketServer(): Server {
    const server = createHttpServer();
    const handleProtocols = (offered: Set<string>) => (offered.has('mqtt') ? 'mqtt' : false);
    new WebSocketServer({ server, handleProtocols })
      .on('connection', (webSocket, request) => {
        this.#life?.aedes.handle(createWebSocketStream(webSocket), request);
      })
      // It repeats those of the server, of which the listener hears.
      .on('error', () => {});
    return server;
  }
}

/** What there is of a broker between a start and a death. */
interface Life {
  readonly aedes: Aedes;
  readonly node: Node | undefined;
  readonly clients: Map<string, Client>;
}

/** Not in the types of aedes. */
interface AedesInternals {
  readonly subscriptions: Record<string, { readonly qos: QoS }>;
}

export interface AedesClusterOptions {
  /** One store for all: sessions and messages cross nodes and outlive them. Else each is on its own. */
  readonly shared?: boolean;
  readonly aedes?: AedesOptions;
}

export async function aedesCluster(size: number, options: AedesClusterOptions = {}): Promise<AedesCluster> {
  const { shared = false, aedes = {} } = options;
  const store = shared ? await SharedStore.create() : undefined;
  const brokers = Array.from({ length: size }, (_, index) => {
    return new AedesBroker({ id: `node${index + 1}`, aedes }, store);
  });
  const cluster = new AedesCluster(brokers, store);
  try {
    await Promise.all(brokers.map((broker) => broker.revive()));
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

export class AedesCluster implements AsyncDisposable, Iterable<AedesBroker> {
  readonly brokers: readonly AedesBroker[];
  readonly #store: SharedStore | undefined;

  constructor(brokers: readonly AedesBroker[], store: SharedStore | undefined) {
    this.brokers = brokers;
    this.#store = store;
  }

  get length(): number {
    return this.brokers.length;
  }

  get urls(): string[] {
    return this.brokers.map(({ url }) => url);
  }

  get wsUrls(): string[] {
    return this.brokers.map(({ wsUrl }) => wsUrl);
  }

  /** Every PUBLISH received by any of the brokers, grouped by broker. */
  get publishes(): ReceivedPublish[] {
    return this.brokers.flatMap(({ publishes }) => publishes);
  }

  at(index: number): AedesBroker {
    const broker = this.brokers.at(index);
    if (!broker) throw new RangeError(`no broker ${index} in a cluster of ${this.length}`);
    return broker;
  }

  /** The brokers a client is connected to now; more than one only in the moment of a takeover. */
  holding(clientId: string): AedesBroker[] {
    return this.brokers.filter(({ connected }) => connected.has(clientId));
  }

  [Symbol.iterator](): Iterator<AedesBroker> {
    return this.brokers[Symbol.iterator]();
  }

  async close(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    await this.#store?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

type Done = (error?: Error | null) => void;
type Notify = (packet: unknown, done: Done) => void;

/** The message bus inside aedes (mqemitter), as far as it is used here. */
interface Bus {
  on(topic: string, notify: Notify, done?: Done): unknown;
  removeListener(topic: string, notify: Notify, done?: Done): unknown;
  emit(packet: unknown, done?: Done): unknown;
  close(done: Done): unknown;
}

type Persistence = Record<string, unknown>;

/**
 * What redis is to a cluster of aedes processes: messages and sessions outside all of them.
 *
 * It is the memory of one more aedes that has no port. Every node gets a view of its own, because aedes
 * closes what it is given when it closes, and because the writes of a dead node must not arrive any more.
 */
class SharedStore {
  readonly #keeper: Aedes;

  private constructor(keeper: Aedes) {
    this.#keeper = keeper;
  }

  static async create(): Promise<SharedStore> {
    return new SharedStore(await Aedes.createBroker({ id: 'store' }));
  }

  join(): Node {
    const { mq, persistence } = this.#keeper as unknown as { mq: Bus; persistence: Persistence };
    return new Node(mq, persistence);
  }

  async close(): Promise<void> {
    await closed(this.#keeper);
  }
}

class Node {
  /** Known once the broker is made. */
  brokerId = '';
  readonly options: AedesOptions;
  readonly #bus: Bus;
  readonly #persistence: Persistence;
  readonly #listeners = new Map<Notify, { readonly topic: string; readonly relay: Notify }>();
  /** Deliveries this node has not finished; the bus waits for them. */
  readonly #unfinished = new Set<Done>();
  #dead = false;

  constructor(bus: Bus, persistence: Persistence) {
    this.#bus = bus;
    this.#persistence = persistence;
    this.options = { mq: this.#busView(), persistence: this.#persistenceView() };
  }

  /** From now on the store hears nothing from this node, and the node nothing from the store. */
  die(): void {
    this.#dead = true;
    for (const { topic, relay } of this.#listeners.values()) this.#bus.removeListener(topic, relay);
    this.#listeners.clear();
    for (const done of this.#unfinished) done();
    this.#unfinished.clear();
  }

  #busView(): Bus {
    return {
      on: (topic, notify, done) => {
        const relay: Notify = (packet, delivered) => this.#relay(notify, packet, delivered);
        this.#listeners.set(notify, { topic, relay });
        this.#bus.on(topic, relay, done);
      },
      removeListener: (topic, notify, done) => {
        const listener = this.#listeners.get(notify);
        this.#listeners.delete(notify);
        if (listener) this.#bus.removeListener(topic, listener.relay, done);
        else if (done) setImmediate(done);
      },
      emit: (packet, done) => {
        if (this.#dead) done?.(new Error('this node is dead'));
        else this.#bus.emit(packet, done);
      },
      close: (done) => {
        this.die();
        setImmediate(done);
      },
    };
  }

  #relay(notify: Notify, packet: unknown, delivered: Done): void {
    const done: Done = () => {
      if (this.#unfinished.delete(done)) delivered();
    };
    this.#unfinished.add(done);
    if (this.#dead) done();
    else notify(packet, done);
  }

  #persistenceView(): Persistence {
    const call = (method: string, args: unknown[]) => {
      return (this.#persistence[method] as (...args: unknown[]) => unknown).apply(this.#persistence, args);
    };
    const own: Persistence = {
      // The store was set up by its keeper; aedes insists on an async function.
      setup: async () => {},
      // The store would sign the will with the id of its keeper.
      putWill: async (client: unknown, will: { brokerId?: string }) => {
        if (this.#dead) return new Promise(() => {});
        const stored = await call('putWill', [client, will]);
        will.brokerId = this.brokerId;
        return stored;
      },
    };
    return new Proxy(this.#persistence, {
      get: (target, name: string) => {
        if (own[name]) return own[name];
        if (typeof target[name] !== 'function') return target[name];
        return (...args: unknown[]) => {
          if (!this.#dead) return call(name, args);
          // Nobody is there to take an answer: streams end, promises stay.
          return STREAMS.has(name) ? Readable.from([]) : new Promise(() => {});
        };
      },
    });
  }
}

const STREAMS = new Set([
  ...['createRetainedStream', 'createRetainedStreamCombi'],
  ...['outgoingStream', 'streamWill', 'getClientList'],
]);

/** aedes clears its heartbeat and the timers of all its clients as it closes. */
function closed(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => aedes.close(resolve));
}
