/**
 * A DNS server over real UDP and TCP whose zone is a function.
 *
 * The world it builds: one server on a free port of 127.0.0.1, the same for UDP and TCP, that answers each question
 * as the test says and remembers what it was asked. Closing it leaves no socket.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { encodeReply, type Reply, readQuery, type SeenQuery } from './dns-messages.js';
import { HOST } from './listener.js';

export interface DnsQuestion extends SeenQuery {
  readonly via: 'udp' | 'tcp';
}

/** What a server does with a question; `undefined` is silence. */
export type DnsScript = (question: DnsQuestion) => Reply | undefined;

export class DnsServer implements AsyncDisposable {
  /** Every question, in order. */
  readonly questions: DnsQuestion[] = [];
  /** May be replaced at any time. */
  answer: DnsScript;
  readonly #udp: dgram.Socket;
  readonly #tcp: net.Server;
  readonly #connections = new Set<net.Socket>();

  private constructor(answer: DnsScript, udp: dgram.Socket, tcp: net.Server) {
    this.answer = answer;
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('message', (query, from) => {
      const reply = this.#reply('udp', query);
      if (reply) udp.send(reply, from.port, from.address);
    });
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  static async open(answer: DnsScript): Promise<DnsServer> {
    for (let attempt = 0; ; attempt++) {
      const tcp = net.createServer().listen(0, HOST);
      await once(tcp, 'listening');
      const udp = dgram.createSocket('udp4');
      try {
        udp.bind((tcp.address() as net.AddressInfo).port, HOST);
        await once(udp, 'listening');
        return new DnsServer(answer, udp, tcp);
      } catch (error) {
        // Somebody has the UDP port of that number: another one.
        tcp.close();
        if (attempt === 10) throw error;
      }
    }
  }

  get port(): number {
    return this.#udp.address().port;
  }

  /** For `discovery.dns.servers`. */
  get address(): string {
    return `${HOST}:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.all([once(this.#udp, 'close'), once(this.#tcp, 'close')]);
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #reply(via: 'udp' | 'tcp', query: Uint8Array): Uint8Array | undefined {
    const question = { via, ...readQuery(query) };
    this.questions.push(question);
    const reply = this.answer(question);
    return reply && encodeReply(query, reply);
  }

  #serve(socket: net.Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = this.#reply('tcp', received.subarray(2, 2 + received.readUInt16BE(0)));
      if (!reply) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      // In two pieces, as the network may deliver it.
      socket.write(Buffer.concat([length, reply.subarray(0, 20)]));
      setImmediate(() => socket.write(reply.subarray(20)));
    });
  }
}
