/**
 * A bad network between a client and a server.
 *
 * The world it builds: a TCP hop whose faults are switched on and off while connections live, so that a test
 * can give a healthy broker a slow, dead, or broken line. It knows nothing of what it carries, MQTT, TLS or
 * WebSocket alike. Ends of connections travel through it in order with the bytes, so on a stalled line
 * neither side learns that the other has gone: that is a half-open connection.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../src/platform/ports.js';
import { HOST, Listener, reset } from './listener.js';
import { SeededRandom } from './seeded-random.js';

/** As seen from the client: `up` is towards the server. */
export type Direction = 'up' | 'down';

export interface Faults {
  /** Every byte arrives this many milliseconds late, in each direction. */
  readonly latency?: number;
  /** Up to this many milliseconds more, drawn anew each time; the order of the bytes stays. */
  readonly jitter?: number;
  /** Bytes and ends of connections are held, and delivered when the fault is cleared. */
  readonly stall?: boolean;
  /** Bytes and ends of connections are lost; what comes after the fault is cleared is delivered again. */
  readonly drop?: boolean;
  /** Limits latency, jitter, stall and drop to one direction. */
  readonly direction?: Direction;
  /** New connections are accepted and never answered; they stay that way. */
  readonly silent?: boolean;
  /** New connections are accepted and reset at once. */
  readonly resetAtAccept?: boolean;
  /** Resets a connection before more than this many bytes, both directions together, have passed over it. */
  readonly cutAfter?: number;
}

export interface FaultProxyOptions {
  readonly port?: number;
  readonly random?: Random;
}

export async function faultProxy(targetPort: number, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const proxy = new FaultProxy(targetPort, options);
  await proxy.accept();
  return proxy;
}

export class FaultProxy implements AsyncDisposable {
  /** Where new connections go; may be changed. */
  targetPort: number;
  /** Connections accepted so far. */
  accepted = 0;
  readonly #listener: Listener;
  readonly #random: Random;
  readonly #links = new Set<Link>();
  #faults: Faults = {};

  constructor(targetPort: number, { port = 0, random = new SeededRandom() }: FaultProxyOptions) {
    this.targetPort = targetPort;
    this.#random = random;
    this.#listener = new Listener(() => this.#server(), port);
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://${HOST}:${this.port}`;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#listener.sockets.size;
  }

  get faults(): Faults {
    return this.#faults;
  }

  /** Replaces all faults at once, for connections old and new. */
  set(faults: Faults): void {
    this.#faults = faults;
    for (const link of this.#links) link.flush();
  }

  /** A good line again: what was held is delivered. */
  clear(): void {
    this.set({});
  }

  /** Resets every connection on both sides, whatever the faults. */
  rst(): void {
    for (const link of this.#links) link.reset();
    this.#listener.resetAll();
  }

  /** Ends every connection in order on both sides, whatever the faults. */
  fin(): void {
    for (const link of this.#links) link.end();
    for (const socket of this.#listener.sockets) socket.end();
  }

  /** Refuses connections from now on, and resets those that are open. */
  async refuse(): Promise<void> {
    for (const link of this.#links) link.reset();
    await this.#listener.crash();
  }

  /** Accepts connections again, at the same port. */
  async accept(): Promise<void> {
    await this.#listener.open();
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #server(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#connected(client));
  }

  #connected(client: Socket): void {
    this.accepted++;
    if (this.#faults.resetAtAccept) {
      reset(client);
    } else if (this.#faults.silent) {
      // The end of it is not answered either.
      client.resume();
    } else {
      const server = connect({ port: this.targetPort, host: HOST, allowHalfOpen: true, noDelay: true });
      const link = new Link(client, server, () => this.#faults, this.#random);
      this.#links.add(link);
      link.onGone = () => this.#links.delete(link);
    }
  }
}

/** One connection through the proxy: a socket on either side, and a lane in each direction. */
class Link {
  onGone: () => void = () => {};
  readonly #sockets: readonly [Socket, Socket];
  readonly #lanes: readonly [Lane, Lane];
  readonly #faults: () => Faults;
  #bytes = 0;

  constructor(client: Socket, server: Socket, faults: () => Faults, random: Random) {
    this.#faults = faults;
    this.#sockets = [client, server];
    this.#lanes = [new Lane('up', server, faults, random), new Lane('down', client, faults, random)];
    const [up, down] = this.#lanes;
    this.#carry(client, up);
    this.#carry(server, down);
  }

  flush(): void {
    for (const lane of this.#lanes) lane.deliver();
  }

  reset(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  end(): void {
    for (const socket of this.#sockets) socket.end();
  }

  #carry(from: Socket, lane: Lane): void {
    from.on('data', (bytes) => {
      this.#bytes += bytes.length;
      const { cutAfter } = this.#faults();
      if (cutAfter !== undefined && this.#bytes > cutAfter) this.reset();
      else lane.push(bytes);
    });
    from.on('end', () => lane.push('end'));
    from.on('error', () => lane.push('reset'));
    from.on('close', () => {
      if (this.#sockets.every((socket) => socket.destroyed)) {
        for (const each of this.#lanes) each.stop();
        this.onGone();
      }
    });
  }
}

type Cargo = Buffer | 'end' | 'reset';

/** One direction of a connection: what it carries comes out in the order it went in. */
class Lane {
  readonly #direction: Direction;
  readonly #to: Socket;
  readonly #faults: () => Faults;
  readonly #random: Random;
  readonly #queue: { readonly cargo: Cargo; readonly due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(direction: Direction, to: Socket, faults: () => Faults, random: Random) {
    this.#direction = direction;
    this.#to = to;
    this.#faults = faults;
    this.#random = random;
  }

  push(cargo: Cargo): void {
    const { drop, latency = 0, jitter = 0 } = this.#active();
    if (drop) return;
    const delay = latency + (jitter > 0 ? jitter * this.#random.next() : 0);
    const due = Math.max(performance.now() + delay, this.#queue.at(-1)?.due ?? 0);
    this.#queue.push({ cargo, due });
    this.deliver();
  }

  /** Hands over all that is due, and comes back by itself for what is not. */
  deliver(): void {
    this.stop();
    if (this.#active().stall) return;
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.deliver(), Math.ceil(wait));
        return;
      }
      this.#queue.shift();
      this.#hand(next.cargo);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #active(): Faults {
    const faults = this.#faults();
    return faults.direction === undefined || faults.direction === this.#direction ? faults : {};
  }

  #hand(cargo: Cargo): void {
    if (this.#to.destroyed) return;
    if (cargo === 'reset') reset(this.#to);
    else if (cargo === 'end') this.#to.end();
    else this.#to.write(cargo);
  }
}
