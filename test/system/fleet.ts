/**
 * Clients as an application would run them, with all that is promised of them written down: what was acknowledged, in
 * which order it was sent, how often it was settled, and how many connections of theirs were open at a time.
 */
import assert from 'node:assert/strict';
import mqtt, { type IClientOptions, type Packet } from 'mqtt';
import {
  type BrokersInput,
  connect,
  type FailoverClient,
  type FailoverEvents,
  type FailoverOptions,
  rank,
  tokens,
} from '../../src/index.js';
import type { Network, Transport } from '../../src/platform/ports.js';
import { collect, until } from '../support/events.js';

/** Options that turn minutes into seconds, and leave all rules as they are. */
export const HASTE = {
  keepalive: 5,
  backoff: { minMs: 200, baseMs: 300, maxMs: 1_000 },
  health: { ejectMs: 1_000, maxEjectMs: 2_000, probeMs: 300 },
  failback: { healthyMs: 1_000, probes: 2, windowMs: 500, dwellMs: 0 },
} as const satisfies FailoverOptions;

/** Milliseconds between two publishes of a device. */
const PUBLISH_MS = 25;
/** Readings of a device that may wait for a broker. */
const MOST_UNSETTLED = 200;

/** A reading that the broker `by` has acknowledged. */
export interface Acknowledgement {
  readonly reading: number;
  readonly by: string | null;
}

/** A client with a will and a subscription, which publishes its readings for ever. */
export class Device {
  readonly id: string;
  readonly client: FailoverClient;
  readonly acknowledged: Acknowledgement[] = [];
  readonly rejected: string[] = [];
  /** Readings in the order in which they were first put on the wire. */
  readonly transmitted = new Set<number>();
  readonly commands: string[] = [];
  readonly failovers: FailoverEvents['failover'][];
  readonly moves: FailoverEvents['move'][];
  readonly failbacks: FailoverEvents['failback'][];
  readonly conflicts: FailoverEvents['conflict'][];
  /** The most connections with a CONNECT on them that were ever open at once. */
  mostOpen = 0;
  /** Readings published so far; they are numbered from 0. */
  published = 0;
  #settledTwice = 0;
  readonly #settled = new Set<number>();
  #traffic: NodeJS.Timeout | undefined;

  constructor(id: string, brokers: BrokersInput, options: FailoverOptions = {}) {
    this.id = id;
    this.client = connect(brokers, {
      ...HASTE,
      will: { topic: `wills/${id}`, payload: Buffer.from(id), qos: 1, retain: false },
      ...options,
      clientId: id,
      overrides: (container) => {
        const network = witnessed(container.resolve(tokens.network), (open) => {
          this.mostOpen = Math.max(this.mostOpen, open);
        });
        container.register(tokens.network, { useValue: network });
      },
    });
    // Every endpoint may fail for a moment; that it does not last is what the tests are about.
    this.client.on('error', () => {});
    this.client.on('message', (_topic, payload) => this.commands.push(payload.toString()));
    this.client.on('packetsend', (packet: Packet) => this.#sent(packet));
    this.failovers = collect(this.client, 'failover');
    this.moves = collect(this.client, 'move');
    this.failbacks = collect(this.client, 'failback');
    this.conflicts = collect(this.client, 'conflict');
    this.client.subscribe(this.commandTopic, { qos: 1 });
  }

  get commandTopic(): string {
    return `commands/${this.id}`;
  }

  get isHome(): boolean {
    const { state, current, home } = this.client.status();
    return state === 'connected' && current === home;
  }

  get unsettled(): number {
    return this.published - this.#settled.size;
  }

  /** Publishes a reading at QoS 1. */
  publish(): void {
    const reading = this.published;
    this.published += 1;
    this.client.publish(`readings/${this.id}`, `${reading}`, { qos: 1 }, (error) => {
      if (this.#settled.has(reading)) this.#settledTwice += 1;
      this.#settled.add(reading);
      if (error) this.rejected.push(`${reading}: ${error.message}`);
      else this.acknowledged.push({ reading, by: this.client.status().current });
    });
  }

  /** Publishes for ever, but not more than can be delivered. */
  start(everyMs = PUBLISH_MS): void {
    this.#traffic = setInterval(() => {
      if (this.unsettled < MOST_UNSETTLED) this.publish();
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#traffic);
  }

  /** What holds whatever happened, once everything is settled. */
  assertPromises(): void {
    const readings = Array.from({ length: this.published }, (_, n) => n);
    assert.deepEqual(
      { settledTwice: this.#settledTwice, rejected: this.rejected, mostOpen: this.mostOpen },
      { settledTwice: 0, rejected: [], mostOpen: 1 },
      this.id,
    );
    assert.deepEqual([...this.transmitted], readings, `first transmissions of ${this.id} are in order`);
  }

  async end(): Promise<void> {
    this.stop();
    // Politely where there is a connection, so that no session of a dead client is left behind.
    await this.client.endAsync(!this.client.connected);
  }

  #sent(packet: Packet): void {
    if (packet.cmd !== 'publish' || packet.dup) return;
    // One that is published again as new, in a session that knows nothing of it, keeps its place.
    this.transmitted.add(Number(packet.payload));
  }
}

/**
 * A network that tells how many of its connections have carried CONNECT and are open.
 *
 * Bytes are read as they leave, so only for connections without TLS and WebSocket.
 */
function witnessed(network: Network, tell: (open: number) => void): Network {
  const open = new Set<Transport>();
  const connected = (transport: Transport) => {
    for (const each of open) if (each.destroyed) open.delete(each);
    open.add(transport);
    transport.on('close', () => open.delete(transport));
    tell(open.size);
  };
  return {
    schemes: network.schemes,
    resolve: async (target, signal) => network.resolve?.(target, signal),
    open: async (target, signal, address) => {
      const transport = await network.open(target, signal, address);
      const write = transport.write.bind(transport);
      let isFirst = true;
      transport.write = (chunk, encoding) => {
        if (isFirst) connected(transport);
        isFirst = false;
        return write(chunk, encoding);
      };
      return transport;
    },
  };
}

/** Client ids of which `each` have their home at every one of `endpoints`. */
export function idsByHome(endpoints: readonly { readonly id: string }[], each: number): string[] {
  const ids = new Map(endpoints.map(({ id }) => [id, [] as string[]]));
  for (let n = 0; [...ids.values()].some(({ length }) => length < each); n += 1) {
    const home = ids.get(rank(`device-${n}`, endpoints)[0]?.id as string);
    if (home && home.length < each) home.push(`device-${n}`);
  }
  return [...ids.values()].flat();
}

const AUDITED = ['readings/#', 'wills/#'];

/** Sees what really arrives at subscribers. */
export class Audit implements AsyncDisposable {
  readonly wills: string[] = [];
  readonly #watchers: Watcher[] = [];

  /**
   * Subscribes at every one of `urls` with plain MQTT.js.
   *
   * @param session - Beginning of client ids, where sessions are to be kept while a subscriber is away.
   */
  static async at(urls: readonly string[], options: IClientOptions, session?: string): Promise<Audit> {
    const audit = new Audit();
    const own = (n: number) => (session === undefined ? {} : { clean: false, clientId: `${session}-${n}` });
    try {
      await Promise.all(urls.map((url, n) => audit.#watch(url, { ...options, ...own(n) })));
    } catch (error) {
      await audit[Symbol.asyncDispose]();
      throw error;
    }
    return audit;
  }

  /** Readings that were acknowledged to `device` and have arrived nowhere. */
  missing({ id, acknowledged }: Device): readonly Acknowledgement[] {
    const arrived = new Set(this.#watchers.flatMap(({ readings }) => readings.get(id) ?? []));
    return acknowledged.filter(({ reading }) => !arrived.has(reading));
  }

  /** How many readings of `device` came to a subscriber that had them already; of the one that this befell most. */
  copies({ id }: Device): number {
    return Math.max(
      ...this.#watchers.map(({ readings }) => {
        const all = readings.get(id) ?? [];
        return all.length - new Set(all).size;
      }),
    );
  }

  /** Whether more wills of `device` came to the subscribers than it has lost connections. */
  hasNeedlessWill({ id, failovers }: Device): boolean {
    const seen = this.wills.filter((each) => each === id).length;
    return seen > failovers.length * this.#watchers.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#watchers.map(async ({ client }) => {
        // A session that is kept would go on collecting.
        if (client.connected && client.options.clean === false) await client.unsubscribeAsync(AUDITED);
        await client.endAsync(!client.connected);
      }),
    );
  }

  async #watch(url: string, options: IClientOptions): Promise<void> {
    // MQTT.js gives up for ever on a refusal, and a node that starts may refuse for a moment: a subscriber that is gone takes
    // everything for lost.
    const again: IClientOptions = { reconnectPeriod: 100, reconnectOnConnackError: true };
    const client = await mqtt.connectAsync(url, { ...again, ...options });
    const readings = new Map<string, number[]>();
    this.#watchers.push({ client, readings });
    client.on('error', () => {});
    client.on('message', (topic, payload) => {
      const [kind, id = ''] = topic.split('/');
      if (kind === 'wills') this.wills.push(id);
      else arrived(readings, id, Number(payload.toString()));
    });
    // One by one: aedes over Redis never answers a SUBSCRIBE of several filters where the session is kept.
    for (const filter of AUDITED) await client.subscribeAsync(filter, { qos: 1 });
  }
}

function arrived(readings: Map<string, number[]>, id: string, reading: number): void {
  const known = readings.get(id);
  if (known) known.push(reading);
  else readings.set(id, [reading]);
}

interface Watcher {
  readonly client: mqtt.MqttClient;
  /** By device, in the order of arrival. */
  readonly readings: Map<string, number[]>;
}

/** Waits until everything that these devices have published is settled. */
export async function settled(devices: readonly Device[], timeoutMs: number): Promise<void> {
  for (const device of devices) device.stop();
  const behind = () => devices.filter(({ unsettled }) => unsettled > 0);
  await until(() => behind().length === 0, {
    timeoutMs,
    what: () =>
      `${behind().map(({ id, unsettled, client }) => `${unsettled} of ${id}: ${JSON.stringify(client.status())}`)}`,
  });
}

/** Waits until these devices are connected to their preferred endpoints. */
export async function allHome(devices: readonly Device[], timeoutMs: number): Promise<void> {
  const away = () => devices.filter(({ isHome }) => !isHome);
  await until(() => away().length === 0, {
    timeoutMs,
    what: () =>
      `${away().map(({ id, client }) => `${id}: ${JSON.stringify(client.status())}`)} to be at home`,
  });
}
