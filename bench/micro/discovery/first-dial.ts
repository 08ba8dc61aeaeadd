/** From `connect()` to the first dial in a fresh process, by each kind of source, and by hand. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from '../../../src/index.js';
import { srv } from '../../../test/support/dns-messages.js';
import { DnsServer } from '../../../test/support/dns-server.js';
import { until } from '../../../test/support/events.js';
import { RegistryServer } from '../../../test/support/registry-server.js';

/** What is measured; those by hand are the least that the platform takes for the same. */
export const FIRST_DIALS = [
  'list',
  'srv',
  'srv by hand',
  'registry',
  'registry by hand',
  'kept list',
] as const;
export type FirstDial = (typeof FIRST_DIALS)[number];

/** Milliseconds of one first dial. */
export interface FirstDialTimes {
  /** On the wall, less one round trip of the question, if one is asked. */
  readonly beyondMs: number;
  /** As the first, of a second client of the same process. */
  readonly againMs: number;
  /** Of the processor, which does not count what others do on the machine. */
  readonly cpuMs: number;
}

/** Everything that can be asked, and the broker that is dialed. */
export class FirstDials implements AsyncDisposable {
  readonly #broker: Server;
  readonly #dns: DnsServer;
  readonly #registry: RegistryServer;
  /** Answers once, and then accepts requests without a word. */
  readonly #silent: RegistryServer;
  readonly #folder: string;

  private constructor(
    broker: Server,
    dns: DnsServer,
    registry: RegistryServer,
    silent: RegistryServer,
    folder: string,
  ) {
    this.#broker = broker;
    this.#dns = dns;
    this.#registry = registry;
    this.#silent = silent;
    this.#folder = folder;
  }

  static async open(): Promise<FirstDials> {
    const broker = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const { port } = broker.address() as AddressInfo;
    const dns = await DnsServer.open(({ name }) => ({ answers: [srv(name, 'localhost', { port })] }));
    const document = { schema: 'mqtt-nodes/1', nodes: [{ id: 'a', urls: [`mqtt://127.0.0.1:${port}`] }] };
    const registry = await RegistryServer.open(document);
    const silent = await RegistryServer.open(document);
    const folder = await mkdtemp(join(tmpdir(), 'first-dial-'));
    const world = new FirstDials(broker, dns, registry, silent, folder);
    await world.#keepList();
    return world;
  }

  /** A device has been here before, and its list is on the disk. */
  async #keepList(): Promise<void> {
    const [url, file] = this.#where('kept list').split(' ') as [string, string];
    // What is a file already stays one; a LevelDB would not tell when it has the list.
    await writeFile(file, '');
    const device = connect(url, { clientId: 'bench', discovery: { lastKnownGood: file } });
    await until(() => stat(file).then(({ size }) => size > 0), { what: 'the list to be kept' });
    await device.endAsync(true);
    this.#silent.handler = () => {};
  }

  /** From `connect` to the first dial in a process of its own. */
  async measure(what: FirstDial): Promise<FirstDialTimes> {
    const program = fileURLToPath(new URL('first-dial/dial-process.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program, what, this.#where(what)]);
    const { tookMs, cpuMs, againMs, roundTripMs } = JSON.parse(stdout);
    return { beyondMs: tookMs - roundTripMs, againMs: againMs - roundTripMs, cpuMs };
  }

  #where(what: FirstDial): string {
    if (what === 'list') return String((this.#broker.address() as AddressInfo).port);
    if (what === 'kept list') return `${this.#silent.url} ${join(this.#folder, 'list')}`;
    return what.startsWith('srv') ? this.#dns.address : this.#registry.url.slice('registry+'.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#broker.close();
    await this.#dns[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
    await this.#silent[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}
