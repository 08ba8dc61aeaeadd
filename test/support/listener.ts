/**
 * A listening port that can vanish and come back.
 *
 * The brokers and the proxy of these tests all have to do what a crashed process does: stop listening and
 * reset every connection in the same instant, and later listen again at the same port. On 127.0.0.1 only.
 */
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { HOST, listen, reset } from '../../examples/listen.js';

export { HOST, reset };

export class Listener {
  /** Every connection accepted and still open. */
  readonly sockets = new Set<Socket>();
  readonly #create: () => Server;
  #server: Server | undefined;
  #port: number;

  /** `create` makes a server that is not yet listening; it is called anew each time the listener opens. */
  constructor(create: () => Server, port = 0) {
    this.#create = create;
    this.#port = port;
  }

  /** 0 before the first `open`, the same ever after. */
  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server !== undefined;
  }

  async open(): Promise<void> {
    if (this.#server) return;
    const server = this.#create();
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      // A reset connection is what these tests are made of; nobody needs to be told.
      socket.on('error', () => {});
    });
    try {
      this.#port = await listen(server, this.#port);
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  /** From now on connections are refused; those that are open stay. */
  shut(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Resets every open connection: the peer sees ECONNRESET. */
  resetAll(): void {
    for (const socket of this.sockets) reset(socket);
  }

  /** What the death of a process does to its peers, in this order and without a turn of the loop between. */
  async crash(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = server && once(server, 'close');
    server?.close();
    this.resetAll();
    await closed;
  }
}
