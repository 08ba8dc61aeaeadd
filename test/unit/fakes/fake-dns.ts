/** DNS servers without sockets: each answers as the test says, on the virtual clock. */
import { randomBytes } from 'node:crypto';
import type { DnsServer, DnsTransport } from '../../../src/platform/ports.js';
import { encodeReply, type Reply, readQuery, type SeenQuery } from '../../support/dns-messages.js';

export interface Sent extends SeenQuery {
  readonly via: 'udp' | 'tcp';
  readonly server: string;
}

/** A reply, bytes as they are, nothing at all, or the system's error. */
export type Script = Reply | Uint8Array | 'silent' | Error;

export class FakeDns implements DnsTransport {
  /** Every question, in order. */
  readonly sent: Sent[] = [];
  /** Datagrams that `accept` refused. */
  ignored = 0;
  /** Exchanges that are neither answered nor aborted. */
  open = 0;
  conf: string | undefined;
  /** What happens to each question; several replies to one are datagrams one after another. */
  answer: (sent: Sent) => Script | readonly Script[] = () => 'silent';

  udp(
    server: DnsServer,
    message: Uint8Array,
    accept: (reply: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return this.#exchange('udp', server, message, accept, signal);
  }

  tcp(server: DnsServer, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#exchange('tcp', server, message, () => true, signal);
  }

  async resolvConf(): Promise<string | undefined> {
    return this.conf;
  }

  randomBytes(count: number): Uint8Array {
    return randomBytes(count);
  }

  async #exchange(
    via: 'udp' | 'tcp',
    { host, port }: DnsServer,
    message: Uint8Array,
    accept: (reply: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    signal.throwIfAborted();
    const sent: Sent = { via, server: `${host}:${port}`, ...readQuery(message) };
    this.sent.push(sent);
    const script = this.answer(sent);
    for (const each of [script].flat() as Script[]) {
      if (each instanceof Error) throw each;
      if (each === 'silent') break;
      const bytes = each instanceof Uint8Array ? each : encodeReply(message, each);
      if (accept(bytes)) return bytes;
      this.ignored += 1;
    }
    this.open += 1;
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        this.open -= 1;
        reject(signal.reason);
      });
    });
  }
}
