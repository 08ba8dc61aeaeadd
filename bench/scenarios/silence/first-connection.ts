/** A client whose first choice never becomes a connection. */
import mqtt, { type MqttClient } from 'mqtt';
import { once } from '../../../test/support/events.js';
import { Broker } from '../../support/broker.js';
import { connect } from '../../support/library.js';
import type { SilentPeer } from './peers.js';
import type { Measured, SilentWorld } from './world.js';

/** MQTT.js waits 30 s for CONNACK, and for another second. */
const GIVE_UP_MS = 60_000;

export class FirstConnection implements SilentWorld {
  readonly #peer: SilentPeer;
  readonly #broker: Broker;

  private constructor(peer: SilentPeer, broker: Broker) {
    this.#peer = peer;
    this.#broker = broker;
  }

  static async open(peer: SilentPeer): Promise<FirstConnection> {
    return new FirstConnection(peer, await Broker.start());
  }

  ours(round: number): Promise<Measured> {
    const urls = [this.#peer, this.#broker].map(({ host, port }) => `mqtt://${host}:${port}`);
    return measure(() => connect(urls, { selection: 'ordered', clientId: `ours-${round}` }));
  }

  async startMqttJs(count: number): Promise<readonly Promise<Measured>[]> {
    const servers = [this.#peer, this.#broker].map(({ host, port }) => ({ host, port }));
    return Array.from({ length: count }, (_, at) =>
      measure(() => {
        // MQTT.js writes into the objects that it is given.
        const own = servers.map((server) => ({ ...server, protocol: 'mqtt' as const }));
        const client = mqtt.connect({ servers: own, clientId: `mqttjs-${at}` });
        client.on('error', () => {});
        return client;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker[Symbol.asyncDispose]();
    await this.#peer[Symbol.asyncDispose]();
  }
}

/** From the call to CONNACK. */
async function measure(open: () => MqttClient): Promise<Measured> {
  const startedAt = performance.now();
  const client = open();
  await once(client, 'connect', GIVE_UP_MS);
  const ms = performance.now() - startedAt;
  await client.endAsync(true);
  return { ms, faults: [] };
}
