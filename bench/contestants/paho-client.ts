/**
 * Paho's JavaScript client, in Node: it takes WebSocket from the global object, as it does in browsers.
 *
 * Its own `reconnect` tries the first of its hosts for ever, so the application connects again as soon as the
 * connection is lost, which goes through the list. It keeps what is in flight (`cleanSession: false`), and subscribes
 * again whenever it is connected.
 */
import Paho from 'paho-mqtt';
import { WebSocket } from 'ws';
import type { BenchClient, QoS } from './clients.js';

/** First byte of a CONNECT packet. */
const CONNECT = 0x10;
/** As MQTT.js waits. */
const AGAIN_MS = 1_000;

class ObservedSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    // Paho takes its handlers off a socket that it gives up, and an error without a listener ends the process.
    this.on('error', () => {});
  }

  override send(data: any, ...more: any[]): void {
    const [first] = new Uint8Array(data as ArrayBuffer);
    if (first === CONNECT) attempts.get(this.url)?.();
    super.send(data, ...(more as []));
  }
}

/** Who is told of a CONNECT, by the URL that it goes to: each client has URLs of its own. */
const attempts = new Map<string, () => void>();

Object.assign(globalThis, { WebSocket: ObservedSocket });

class PahoClient implements BenchClient {
  onConnect: BenchClient['onConnect'] = () => {};
  onAttempt: BenchClient['onAttempt'] = () => {};
  onMessage: BenchClient['onMessage'] = () => {};
  readonly #client: Paho.Client;
  readonly #hosts: readonly string[];
  readonly #subscriptions = new Map<string, QoS>();
  #ended = false;
  readonly #settled = new Map<Paho.Message, (error?: unknown) => void>();

  constructor(urls: readonly string[], clientId: string) {
    // A query that brokers ignore tells the sockets of one client from those of others.
    this.#hosts = urls.map((url) => `${url}?${encodeURIComponent(clientId)}`);
    for (const host of this.#hosts) attempts.set(host, () => this.onAttempt());
    this.#client = new Paho.Client(this.#hosts[0] as string, clientId);
    this.#client.onConnectionLost = () => {
      if (!this.#ended) this.#connect();
    };
    this.#client.onMessageArrived = ({ destinationName, payloadString }) =>
      this.onMessage(destinationName, payloadString);
    this.#client.onMessageDelivered = (message) => {
      this.#settled.get(message)?.();
      this.#settled.delete(message);
    };
    this.#connect();
  }

  publish(topic: string, payload: string, qos: QoS, settled: (error?: unknown) => void): void {
    const message = new Paho.Message(payload);
    message.destinationName = topic;
    message.qos = qos;
    this.#settled.set(message, settled);
    try {
      this.#client.send(message);
    } catch (error) {
      // It says that it is not connected, and takes nothing.
      this.#settled.delete(message);
      settled(error);
    }
  }

  subscribe(topic: string, qos: QoS): Promise<void> {
    this.#subscriptions.set(topic, qos);
    return new Promise((resolve, reject) => {
      this.#client.subscribe(topic, {
        qos,
        onSuccess: () => resolve(),
        onFailure: ({ errorMessage }) => reject(new Error(errorMessage)),
      });
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    for (const host of this.#hosts) attempts.delete(host);
    try {
      this.#client.disconnect();
    } catch {
      // It was not connected.
    }
  }

  #connect(): void {
    if (this.#ended) return;
    this.#client.connect({
      hosts: [...this.#hosts],
      mqttVersion: 4,
      cleanSession: false,
      onSuccess: () => {
        for (const [topic, qos] of this.#subscriptions) this.#client.subscribe(topic, { qos });
        this.onConnect();
      },
      // All hosts have failed: the application starts over.
      onFailure: () => setTimeout(() => this.#connect(), AGAIN_MS),
    });
  }
}

export function openPaho(urls: readonly string[], clientId: string): BenchClient {
  return new PahoClient(urls, clientId);
}
