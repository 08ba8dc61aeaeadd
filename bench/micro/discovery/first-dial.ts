/** From `connect()` to the first dial in a fresh process, by each kind of source, and by hand. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { srv } from '../../../test/support/dns-messages.js';
import { DnsServer } from '../../../test/support/dns-server.js';
import { RegistryServer } from '../../../test/support/registry-server.js';

/** What is measured; those by hand are the least that the platform takes for the same. */
export const FIRST_DIALS = ['list', 'srv', 'srv by hand', 'registry', 'registry by hand'] as const;
export type FirstDial = (typeof FIRST_DIALS)[number];

/** Milliseconds of one first dial. */
export interface FirstDialTimes {
  /** On the wall, less one round trip of the question. */
  readonly beyondMs: number;
  /** Of the processor, which does not count what others do on the machine. */
  readonly cpuMs: number;
}

/** Everything that can be asked, and the broker that is dialed. */
export class FirstDials implements AsyncDisposable {
  readonly #broker: Server;
  readonly #dns: DnsServer;
  readonly #registry: RegistryServer;

  private constructor(broker: Server, dns: DnsServer, registry: RegistryServer) {
    this.#broker = broker;
    this.#dns = dns;
    this.#registry = registry;
  }

  static async open(): Promise<FirstDials> {
    const broker = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const { port } = broker.address() as AddressInfo;
    const dns = await DnsServer.open(({ name }) => ({ answers: [srv(name, 'localhost', { port })] }));
    const registry = await RegistryServer.open({
      schema: 'mqtt-nodes/1',
      nodes: [{ id: 'a', urls: [`mqtt://127.0.0.1:${port}`] }],
    });
    return new FirstDials(broker, dns, registry);
  }

  /** From `connect` to the first dial in a process of its own. */
  async measure(what: FirstDial): Promise<FirstDialTimes> {
    const program = fileURLToPath(new URL('first-dial/dial-process.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program, what, this.#where(what)]);
    const { tookMs, cpuMs, roundTripMs } = JSON.parse(stdout);
    return { beyondMs: tookMs - (what === 'list' ? 0 : roundTripMs), cpuMs };
  }

  #where(what: FirstDial): string {
    if (what === 'list') return String((this.#broker.address() as AddressInfo).port);
    return what.startsWith('srv') ? this.#dns.address : this.#registry.url.slice('registry+'.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#broker.close();
    await this.#dns[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
  }
}
