/** One face for the libraries that are compared, each set up as its own documentation says. */
import mqtt, { type MqttClient } from 'mqtt';
import type { Library } from './contestants.js';

export type QoS = 0 | 1 | 2;

export interface ClientInit {
  readonly library: Library;
  readonly urls: readonly string[];
  readonly clientId: string;
  /** Options of our client, other than its defaults. */
  readonly options?: object | undefined;
}

/** A client as an application sees it. */
export interface BenchClient {
  /** Called for every CONNACK that accepts. */
  onConnect: () => void;
  /** Called for every CONNECT that is sent. */
  onAttempt: () => void;
  onMessage: (topic: string, payload: string) => void;
  /** `settled` is called once: delivered, or not and why. */
  publish(topic: string, payload: string, qos: QoS, settled: (error?: unknown) => void): void;
  /** The subscription holds for as long as the client. */
  subscribe(topic: string, qos: QoS): Promise<void>;
  end(): Promise<void>;
}

/** Starts to connect. */
export async function openClient(init: ClientInit): Promise<BenchClient> {
  const { library, urls, clientId, options } = init;
  switch (library) {
    case 'mqtt-failover': {
      // Imported here, so that the other libraries' processes do not have it in memory.
      const { connect } = await import('../support/library.js');
      return new MqttJsApi(connect([...urls], { clientId, protocolVersion: 4, ...options }));
    }
    case 'mqtt': {
      const [first, ...more] = urls as [string, ...string[]];
      if (more.length === 0) return new MqttJsApi(mqtt.connect(first, { clientId, protocolVersion: 4 }));
      const servers = urls.map((url) => {
        const { hostname, port } = new URL(url);
        return { host: hostname, port: Number(port), protocol: 'mqtt' as const };
      });
      return new MqttJsApi(mqtt.connect({ servers, clientId, protocolVersion: 4 }));
    }
    case 'paho': {
      const { openPaho } = await import('./paho-client.js');
      return openPaho(urls, clientId);
    }
  }
}

/** MQTT.js's own client, and ours, which is one. */
class MqttJsApi implements BenchClient {
  onConnect: BenchClient['onConnect'] = () => {};
  onAttempt: BenchClient['onAttempt'] = () => {};
  onMessage: BenchClient['onMessage'] = () => {};
  readonly #client: MqttClient;

  constructor(client: MqttClient) {
    this.#client = client;
    client.on('error', () => {});
    client.on('packetreceive', (packet) => {
      // Not `connect`: MQTT.js emits it after what was in flight has been sent again and acknowledged.
      if (packet.cmd === 'connack' && packet.returnCode === 0) this.onConnect();
    });
    client.on('packetsend', ({ cmd }) => {
      if (cmd === 'connect') this.onAttempt();
    });
    client.on('message', (topic, payload) => this.onMessage(topic, payload.toString()));
  }

  publish(topic: string, payload: string, qos: QoS, settled: (error?: unknown) => void): void {
    this.#client.publish(topic, payload, { qos }, settled);
  }

  async subscribe(topic: string, qos: QoS): Promise<void> {
    await this.#client.subscribeAsync(topic, { qos });
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
