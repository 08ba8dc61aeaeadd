/** The clients of the demo: devices that publish readings and take commands, and a control room that sends them. */
import { once } from 'node:events';
import { type BrokerFunction, connect, type FailoverClient, type FailoverEvents } from 'mqtt-failover';
import type { Tally } from './tally.js';

/** The library takes minutes over what a demo must show in seconds; everything else is its defaults. */
export const HASTE = {
  discovery: { refreshMs: 1_000 },
  health: { probeMs: 300 },
  failback: { healthyMs: 1_500, windowMs: 2_000, dwellMs: 0 },
} as const;
/** Milliseconds between readings of a device: 5 to 10 per second, each device with a rhythm of its own. */
const SLOWEST_MS = 200;
const RHYTHM_STEP_MS = 37;
const COMMAND_EVERY_MS = 80;

const READING = /^readings\/(.+)$/;

/** What the audience should hear of. */
export interface FleetListener {
  moved(client: FleetClient, event: FailoverEvents['failover'], waited: number): void;
  movedByPlan(client: FleetClient, event: FailoverEvents['move']): void;
  topology(client: FleetClient, event: FailoverEvents['topology']): void;
  failed(client: FleetClient, error: Error): void;
}

/** One client, whatever its job. */
export class FleetClient {
  readonly id: string;
  /** At most two characters, for the table. */
  readonly label: string;
  readonly mqtt: FailoverClient;
  /** Name of the broker it was on first; the table colours it by that. */
  firstBroker: string | undefined;

  constructor(id: string, label: string, mqtt: FailoverClient) {
    this.id = id;
    this.label = label;
    this.mqtt = mqtt;
  }

  /** Name of the broker it is connected to now. */
  get broker(): string | null {
    return this.mqtt.connected ? this.mqtt.status().current : null;
  }
}

/** All clients. */
export class Fleet {
  readonly clients: FleetClient[] = [];
  readonly #brokers: BrokerFunction;
  readonly #tally: Tally;
  readonly #listener: FleetListener;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(brokers: BrokerFunction, tally: Tally, listener: FleetListener) {
    this.#brokers = brokers;
    this.#tally = tally;
    this.#listener = listener;
  }

  /** Connects device `number`; resolves when it publishes and takes commands, which its session keeps for it. */
  async addDevice(number: number): Promise<FleetClient> {
    const label = `${number}`.padStart(2, '0');
    const device = await this.#connect(`thermostat-${label}`, label, { clean: false });
    device.mqtt.on('message', (_topic, payload) => {
      this.#tally.commands.of(device.id).arrived(Number(payload.toString()));
    });
    await device.mqtt.subscribeAsync(`cmd/${device.id}`, { qos: 1 });
    const rhythm = SLOWEST_MS - ((number * RHYTHM_STEP_MS) % (SLOWEST_MS / 2));
    this.#every(rhythm, () => {
      const n = ++this.#tally.readings.of(device.id).sent;
      const celsius = 20 + Math.round(30 * Math.sin(n / 20)) / 10;
      this.#publish(device, `readings/${device.id}`, JSON.stringify({ n, celsius }));
    });
    return device;
  }

  /** Connects the control room: it sends each device a command in turn. */
  async addControlRoom(): Promise<void> {
    const room = await this.#connect('control-room', 'CR', { clean: true });
    let turn = 0;
    this.#every(COMMAND_EVERY_MS, () => {
      const devices = this.clients.filter((client) => client !== room && client.firstBroker);
      const device = devices[turn++ % devices.length];
      if (!device) return;
      const n = ++this.#tally.commands.of(device.id).sent;
      this.#publish(room, `cmd/${device.id}`, `${n}`);
    });
  }

  /** A broker received a message: books it if it is a reading. */
  received(topic: string, payload: Buffer): void {
    const device = READING.exec(topic)?.[1];
    if (device) this.#tally.readings.of(device).arrived(JSON.parse(payload.toString()).n);
  }

  get offline(): number {
    return this.clients.filter(({ mqtt }) => !mqtt.connected).length;
  }

  /** Whether every client is on the broker that it prefers. */
  get allAtHome(): boolean {
    return this.clients.every(({ mqtt }) => {
      const { current, home } = mqtt.status();
      return current === home;
    });
  }

  /** Publishes that are waiting or not yet acknowledged. */
  get inOutbox(): number {
    return this.clients.reduce((sum, { mqtt }) => sum + mqtt.status().outbox.messages, 0);
  }

  /** Nothing new is published from now on. */
  stopPublishing(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  /** Ends all clients once each has delivered what it took. */
  async leave(timeoutMs: number): Promise<void> {
    this.stopPublishing();
    await Promise.all(this.clients.map(({ mqtt }) => mqtt.drain({ timeoutMs })));
  }

  async #connect(id: string, label: string, { clean }: { clean: boolean }): Promise<FleetClient> {
    const mqtt = connect(this.#brokers, {
      clientId: id,
      clean,
      // The brokers share sessions, as those of a real cluster do.
      sessions: 'shared',
      ...HASTE,
    });
    const client = new FleetClient(id, label, mqtt);
    this.clients.push(client);
    this.#tally.clients = this.clients.length;
    mqtt.on('failover', (event) => this.#moved(client, event));
    for (const kind of ['failback', 'move'] as const) {
      mqtt.on(kind, (event: FailoverEvents['move']) => {
        this.#tally.movedByPlan(id, event.to === mqtt.status().home, event.gapMs);
        this.#listener.movedByPlan(client, event);
      });
    }
    mqtt.on('topology', (event) => this.#listener.topology(client, event));
    mqtt.on('error', (error) => this.#listener.failed(client, error));
    await once(mqtt, 'connect');
    client.firstBroker = mqtt.status().current ?? undefined;
    return client;
  }

  #moved(client: FleetClient, event: FailoverEvents['failover']): void {
    this.#tally.moved(client.id, event.from, event.offlineMs);
    this.#listener.moved(client, event, client.mqtt.status().outbox.messages);
  }

  #publish({ mqtt }: FleetClient, topic: string, payload: string): void {
    mqtt.publish(topic, payload, { qos: 1 }, (error) => {
      this.#tally.settled += 1;
      if (error) this.#tally.rejected += 1;
    });
  }

  #every(ms: number, action: () => void): void {
    this.#timers.add(setInterval(action, ms));
  }
}
