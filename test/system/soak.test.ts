// A minute in which nodes die, hang and return: nothing that was acknowledged is lost, and everybody ends at home.
// `SOAK_MINUTES=10 npm run test:system -- soak` makes it longer.
//
// World: five independent mosquitto nodes and forty clients of both versions, each with a subscription and a stream of
// QoS 1 publishes; every 1.5 s something happens to a node, two are always well. Real: everything. Fake: nothing; what
// happens is drawn from a seed. What a broker took is read from its log, which a kill -9 does not take away as it does
// messages that were still on their way to a subscriber. Failback is shortened from minutes to seconds.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import mqtt from 'mqtt';
import { connect, type FailoverClient, type FailoverOptions } from '../../src/index.js';
import { collect, until } from '../support/events.js';
import { type Mosquitto, mosquittos } from '../support/mosquitto.js';
import { SeededRandom } from '../support/seeded-random.js';

const NODES = 5;
const CLIENTS = 40;
const MINUTES = Number(process.env.SOAK_MINUTES ?? 1);
const SOAK_MS = MINUTES * 60_000;
const EVENT_MS = 1_500;
const PUBLISH_MS = 250;
/** Nodes that are well at any time, at least. */
const ALWAYS_WELL = 2;

const OPTIONS: FailoverOptions = {
  keepalive: 5,
  backoff: { minMs: 200, baseMs: 300, maxMs: 1_000 },
  health: { ejectMs: 2_000, maxEjectMs: 4_000, probeMs: 500 },
  failback: { healthyMs: 2_000, probes: 2, windowMs: 1_000, dwellMs: 2_000 },
  dial: { transportTimeoutMs: 2_000, connackTimeoutMs: 2_000 },
};

/** A client that publishes to a topic of its own each time. */
class Device {
  readonly client: FailoverClient;
  readonly acknowledged: string[] = [];
  readonly rejected: string[] = [];
  readonly commands: string[] = [];
  sent = 0;
  readonly #index: number;

  constructor(index: number, urls: readonly string[]) {
    this.#index = index;
    this.client = connect([...urls], {
      ...OPTIONS,
      clientId: `device-${index}`,
      protocolVersion: index % 2 === 0 ? 4 : 5,
    });
    this.client.on('message', (_topic, payload) => this.commands.push(payload.toString()));
    this.client.subscribe(`commands/${index}`, { qos: 1 });
  }

  publish(): void {
    const topic = `readings/${this.#index}/${this.sent}`;
    this.sent += 1;
    this.client.publish(topic, '', { qos: 1 }, (error) => {
      if (error) this.rejected.push(`${topic}: ${error.message}`);
      else this.acknowledged.push(topic);
    });
  }

  get unsettled(): number {
    return this.sent - this.acknowledged.length - this.rejected.length;
  }

  get isHome(): boolean {
    const { state, current, home } = this.client.status();
    return state === 'connected' && current === home;
  }
}

/** What happens to nodes. */
class Fate {
  readonly #nodes: readonly Mosquitto[];
  readonly #frozen = new Set<Mosquitto>();
  readonly #random = new SeededRandom(7);

  constructor(nodes: readonly Mosquitto[]) {
    this.#nodes = nodes;
  }

  /** One event; resolves with what it was. */
  async strike(): Promise<string> {
    const node = this.#nodes[Math.floor(this.#random.next() * NODES)] as Mosquitto;
    const index = this.#nodes.indexOf(node);
    const coin = this.#random.next() < 0.5;
    if (!node.isRunning) {
      await node.start();
      return `${index} started`;
    }
    if (this.#frozen.has(node) && coin) {
      node.thaw();
      this.#frozen.delete(node);
      return `${index} thawed`;
    }
    if (!this.#frozen.has(node) && this.#well <= ALWAYS_WELL) return `${index} spared`;
    if (this.#frozen.delete(node) || coin) {
      await node.kill();
      return `${index} killed`;
    }
    node.freeze();
    this.#frozen.add(node);
    return `${index} frozen`;
  }

  async healAll(): Promise<void> {
    for (const node of this.#nodes) {
      node.thaw();
      if (!node.isRunning) await node.start();
    }
  }

  get #well(): number {
    return this.#nodes.filter((node) => node.isRunning && !this.#frozen.has(node)).length;
  }
}

describe(`${MINUTES} min of faults`, () => {
  it('loses nothing that was acknowledged, leaves nothing unsettled, and ends with everybody at home', async (t) => {
    await using nodes = await mosquittos(NODES);
    const devices = Array.from(
      { length: CLIENTS },
      (_, index) =>
        new Device(
          index,
          nodes.map(({ url }) => url),
        ),
    );
    const failovers = devices.map(({ client }) => collect(client, 'failover'));
    const traffic = setInterval(() => {
      for (const device of devices) device.publish();
    }, PUBLISH_MS);
    try {
      const fate = new Fate(nodes);
      const endsAt = performance.now() + SOAK_MS;
      while (performance.now() < endsAt) {
        await pause(EVENT_MS);
        const event = await fate.strike();
        const unsettled = devices.reduce((sum, each) => sum + each.unsettled, 0);
        t.diagnostic(
          `${Math.round((endsAt - performance.now()) / 1_000)} s left: ${event}; ${unsettled} unsettled`,
        );
      }
      await fate.healAll();
      clearInterval(traffic);

      const behind = () => devices.filter(({ unsettled }) => unsettled > 0);
      await until(() => behind().length === 0, {
        timeoutMs: 60_000,
        what: () => `${behind().map(({ client }) => `${client.options.clientId} ${client.status().state}`)}`,
      });
      const away = () => devices.filter(({ isHome }) => !isHome);
      await until(() => away().length === 0, {
        timeoutMs: 60_000,
        what: () =>
          away()
            .map(({ client }) => JSON.stringify(client.status()))
            .join('\n'),
      });

      const taken = nodes.map((node) => node.takenTopics());
      const acknowledged = devices.flatMap((device) => device.acknowledged);
      const missing = acknowledged.filter((topic) => !taken.some((topics) => topics.has(topic)));
      const moves = failovers.reduce((sum, each) => sum + each.length, 0);
      t.diagnostic(`${acknowledged.length} acknowledged, ${missing.length} missing, ${moves} fail-overs`);
      assert.deepEqual(
        devices.flatMap(({ rejected }) => rejected),
        [],
      );
      assert.deepEqual(missing, []);
      assert.ok(moves >= CLIENTS / 2, `${moves} fail-overs are too few to prove anything`);

      await reachAll(nodes, devices);
    } finally {
      clearInterval(traffic);
      await Promise.all(devices.map(({ client }) => client.endAsync(true)));
    }
  });
});

/** Every device still hears its commands, wherever it is. */
async function reachAll(nodes: readonly Mosquitto[], devices: readonly Device[]): Promise<void> {
  const controls = await Promise.all(nodes.map(({ url }) => mqtt.connectAsync(url)));
  try {
    for (const device of devices) device.commands.length = 0;
    for (const control of controls)
      for (const index of devices.keys()) control.publish(`commands/${index}`, 'go', { qos: 1 });
    const deaf = () => devices.filter(({ commands }) => commands.length === 0);
    await until(() => deaf().length === 0, {
      timeoutMs: 20_000,
      what: () => `${deaf().length} devices to hear`,
    });
  } finally {
    await Promise.all(controls.map((control) => control.endAsync(true)));
  }
}
