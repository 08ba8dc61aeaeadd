/** Broker nodes and the wires to them, as queues: what the simulation has in place of sockets and MQTT. */
import type { Endpoint } from '../endpoint.js';
import type { Clock, Random, Timer, Transport } from '../platform/ports.js';

/** How every broker node of a simulation is. */
export interface BrokerModel {
  /** CONNECTs that a node answers in a second, one after the other. @defaultValue 5000 */
  readonly handshakesPerSecond?: number;
  /** Connections that may wait for their answer; beyond it a node hears no new ones. @defaultValue 4096 */
  readonly backlog?: number;
  /** Milliseconds of a round trip, on average; each way takes between half and three halves of its half. @defaultValue 20 */
  readonly latencyMs?: number;
}

/**
 * `up`; `slow`: everything takes long, and is done all the same; `down`: the machine refuses connections, as the process
 * is not there; `gone`: nothing comes back.
 */
export type Condition = 'up' | 'slow' | 'down' | 'gone';

/** How much slower a slow node is: handshakes, and the milliseconds that each way takes besides. */
const SLOWNESS = { handshakes: 50, wayMs: 1_000 } as const;
/** Milliseconds until the system sends an unanswered SYN again, doubling (RFC 6298 §2.1), and how often. */
const SYN_AGAIN_MS = 1_000;
const SYN_TRIES = 6;

/** Who is at our end of a connection after CONNECT. */
export interface Peer {
  /** CONNACK, accepted. */
  answered(connection: Connection): void;
  /** The node closed the connection. */
  closed(connection: Connection): void;
  /** The node is gone without a word; the connection looks as it did. */
  silenced(connection: Connection): void;
}

/** Told of what clients ask of nodes. */
export interface Traffic {
  /** An attempt to open a transport, for a connection, has come to a node or to where it was. */
  dialed(client: number, isRunning: boolean): void;
  /** CONNECT leaves a client. */
  connectSent(client: number): void;
}

/** One node. */
export class Broker {
  readonly endpoint: Endpoint;
  readonly index: number;
  readonly connections = new Set<Connection>();
  readonly #model: Required<BrokerModel>;
  readonly #clock: Clock;
  readonly #random: Random;
  #condition: Condition = 'up';
  /** Grows when the node becomes worse. */
  #episode = 0;
  #waiting = 0;
  #busyUntil = 0;

  constructor(endpoint: Endpoint, index: number, model: Required<BrokerModel>, clock: Clock, random: Random) {
    this.endpoint = endpoint;
    this.index = index;
    this.#model = model;
    this.#clock = clock;
    this.#random = random;
  }

  get condition(): Condition {
    return this.#condition;
  }

  get isRunning(): boolean {
    return this.#condition === 'up' || this.#condition === 'slow';
  }

  /** The same number twice: nothing befell the node in between. */
  get episode(): number {
    return this.#episode;
  }

  /** The process dies, and the machine closes its connections. */
  die(): void {
    this.#worsen('down');
    for (const connection of this.#forget()) connection.hangUp();
  }

  /** The machine is gone, or the network to it. */
  vanish(): void {
    this.#worsen('gone');
    for (const connection of this.#forget()) connection.silence();
  }

  slowDown(): void {
    this.#worsen('slow');
  }

  /** It is as it was. */
  recover(): void {
    this.#condition = 'up';
  }

  /** Milliseconds that a packet is under way to it or from it. */
  wayMs(): number {
    const { latencyMs } = this.#model;
    const slow = this.#condition === 'slow' ? SLOWNESS.wayMs : 0;
    return (0.5 + this.#random.next()) * (latencyMs / 2 + slow);
  }

  /** Whether a new connection finds room. */
  get hasRoom(): boolean {
    return this.#waiting < this.#model.backlog;
  }

  /** A connection waits from now on. */
  admit(connection: Connection): void {
    this.#waiting += 1;
    this.connections.add(connection);
  }

  /** A connection waits no longer. */
  admitted(): void {
    this.#waiting -= 1;
  }

  /** CONNECT has come; calls `done` when its turn is over. */
  serve(done: () => void): void {
    const { handshakesPerSecond } = this.#model;
    const now = this.#clock.now();
    const slowness = this.#condition === 'slow' ? SLOWNESS.handshakes : 1;
    this.#busyUntil = Math.max(now, this.#busyUntil) + (1_000 * slowness) / handshakesPerSecond;
    this.#clock.setTimeout(done, this.#busyUntil - now);
  }

  #worsen(condition: Condition): void {
    this.#condition = condition;
    this.#episode += 1;
  }

  #forget(): Connection[] {
    const lost = [...this.connections];
    this.connections.clear();
    this.#waiting = 0;
    this.#busyUntil = 0;
    return lost;
  }
}

/** A transport between one client and one node. */
export class Connection implements Transport {
  readonly broker: Broker;
  readonly client: number;
  destroyed = false;
  readonly #clock: Clock;
  readonly #traffic: Traffic;
  #isWaiting = true;
  #peer: Peer | undefined;
  #onClose: (() => void) | undefined;

  constructor(broker: Broker, client: number, clock: Clock, traffic: Traffic) {
    this.broker = broker;
    this.client = client;
    this.#clock = clock;
    this.#traffic = traffic;
    broker.admit(this);
  }

  /** Sends CONNECT. */
  connect(peer: Peer): void {
    const { broker } = this;
    this.#peer = peer;
    this.#traffic.connectSent(this.client);
    this.#later(() => {
      if (!broker.connections.has(this)) return;
      broker.serve(() => {
        if (!broker.connections.has(this)) return;
        this.#served();
        this.#later(() => {
          if (!this.destroyed) peer.answered(this);
        });
      });
    });
  }

  /** The node closes its side. */
  hangUp(): void {
    this.#isWaiting = false;
    this.#later(() => {
      if (this.destroyed) return;
      this.destroyed = true;
      this.#onClose?.();
      this.#peer?.closed(this);
    });
  }

  /** The node is gone. */
  silence(): void {
    this.#isWaiting = false;
    if (!this.destroyed) this.#peer?.silenced(this);
  }

  /** Our side closes; the node knows it a little later, and frees the place. */
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#later(() => {
      this.#served();
      this.broker.connections.delete(this);
    });
  }

  end(): void {
    this.destroy();
  }

  /** As of an emitter, but only `close` by the node is ever emitted, and only to the last listener. */
  on(event: string, listener: (...args: never[]) => void): this {
    if (event === 'close') this.#onClose = listener as () => void;
    return this;
  }

  write(): boolean {
    return true;
  }

  cork(): void {}

  uncork(): void {}

  pipe(): void {}

  #served(): void {
    if (this.#isWaiting) this.broker.admitted();
    this.#isWaiting = false;
  }

  #later(callback: () => void): void {
    this.#clock.setTimeout(callback, this.broker.wayMs());
  }
}

/** Opens connections. */
export class Wires {
  readonly #clock: Clock;
  readonly #traffic: Traffic;

  constructor(clock: Clock, traffic: Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
  }

  /**
   * Dials as a system does: a node without room, or one that is gone, does not hear us, and the SYN is sent again.
   *
   * @param isProbe - Whether it is only looked whether the node is there; then it is no attempt to connect.
   * @returns what gives the dial up.
   */
  dial(
    broker: Broker,
    client: number,
    isProbe: boolean,
    opened: (connection: Connection) => void,
    failed: (error: Error) => void,
  ): () => void {
    let timer: Timer | undefined;
    let connection: Connection | undefined;
    const wait = (callback: () => void, ms: number) => {
      timer = this.#clock.setTimeout(callback, ms);
    };
    const arrive = (tries: number) => {
      if (!isProbe && tries === 0) this.#traffic.dialed(client, broker.isRunning);
      if (broker.condition === 'down') wait(() => failed(REFUSED), broker.wayMs());
      else if (broker.isRunning && broker.hasRoom) {
        const made = new Connection(broker, client, this.#clock, this.#traffic);
        connection = made;
        wait(() => (made.destroyed ? failed(RESET) : opened(made)), broker.wayMs());
      } else if (tries < SYN_TRIES) wait(() => knock(tries + 1), SYN_AGAIN_MS * 2 ** tries);
    };
    const knock = (tries: number) => wait(() => arrive(tries), broker.wayMs());
    knock(0);
    return () => {
      if (timer) this.#clock.clearTimeout(timer);
      connection?.destroy();
    };
  }
}

/** One of each for all: their stacks, which nobody reads, would cost more than everything else about a dial. */
const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const RESET = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
