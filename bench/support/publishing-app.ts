/** An application that has one QoS 1 publish in the air all the time, and remembers what became of each. */
import type { MqttClient } from 'mqtt';

/** Milliseconds that a publish may take to settle before it counts as lost. */
const GIVE_UP_MS = 15_000;

type Fate = 'open' | 'acknowledged' | 'acknowledged after the crash' | Error;

export class PublishingApp {
  readonly #client: MqttClient;
  readonly #giveUpMs: number;
  readonly #fates = new Map<string, Fate>();
  #connacks = 0;
  #running = false;
  #onChange: () => void = () => {};
  /** When the first connection ended. */
  closedAt = Number.NaN;
  /** When the second one was accepted. */
  acceptedAt = Number.NaN;
  #recoveredAt: number | undefined;

  constructor(client: MqttClient, giveUpMs = GIVE_UP_MS) {
    this.#client = client;
    this.#giveUpMs = giveUpMs;
    client.once('close', () => {
      this.closedAt = performance.now();
    });
    // Not `connect`: MQTT.js emits it after what was in flight has been sent again and acknowledged.
    client.on('packetreceive', ({ cmd }) => {
      if (cmd !== 'connack') return;
      this.#connacks += 1;
      if (this.#connacks === 2) this.acceptedAt = performance.now();
      this.#onChange();
    });
  }

  get published(): number {
    return this.#fates.size;
  }

  connected(): Promise<void> {
    return this.#until(() => this.#connacks === 1, 'no connection');
  }

  start(): void {
    this.#running = true;
    this.publish();
  }

  stop(): void {
    this.#running = false;
  }

  publish(): void {
    const payload = `message ${this.#fates.size + 1}`;
    this.#fates.set(payload, 'open');
    this.#client.publish('bench/crash', payload, { qos: 1 }, (error) => this.#settled(payload, error));
  }

  /** When the broker after the crash acknowledged first. */
  async recovered(): Promise<number> {
    await this.#until(() => this.#recoveredAt !== undefined, 'no acknowledgement after the crash');
    return this.#recoveredAt!;
  }

  /** Waits until no publish is open, or gives up. */
  async settled(): Promise<void> {
    const none = () => ![...this.#fates.values()].includes('open');
    await this.#until(none, '').catch(() => {
      // What is still open is one of the faults.
    });
  }

  /** Publishes that were not settled, settled wrongly, or acknowledged by a survivor that has not got them. */
  faults(received: ReadonlySet<string>): string[] {
    return [...this.#fates].flatMap(([payload, fate]) => {
      if (fate === 'open') return [`${payload} was never settled`];
      if (fate instanceof Error) return [`${payload} was refused: ${fate.message}`];
      const missing = fate === 'acknowledged after the crash' && !received.has(payload);
      return missing ? [`${payload} was acknowledged and is lost`] : [];
    });
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }

  #settled(payload: string, error: Error | undefined): void {
    const after = this.#connacks > 1;
    this.#fates.set(payload, error ?? (after ? 'acknowledged after the crash' : 'acknowledged'));
    if (after && !error) this.#recoveredAt ??= performance.now();
    if (this.#running && !error) this.publish();
    this.#onChange();
  }

  #until(condition: () => boolean, problem: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUpMs = this.#giveUpMs;
      const timer = setTimeout(() => reject(new Error(`${problem} within ${giveUpMs} ms`)), giveUpMs);
      this.#onChange = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#onChange = () => {};
        resolve();
      };
      this.#onChange();
    });
  }
}
