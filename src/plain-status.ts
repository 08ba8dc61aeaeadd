/** `status()` of a client that is MQTT.js itself: what can be told from its own events. */
import type { MqttClient } from 'mqtt';
import { redactUrls } from './errors.js';
import type { ClientState } from './events.js';
import type { ClientStatus } from './status.js';

/** Reads MQTT.js's public state; changes nothing. */
export class PlainStatus {
  readonly #client: MqttClient;

  constructor(client: MqttClient) {
    this.#client = client;
  }

  status(): ClientStatus {
    const { options, connected, queue, outgoing } = this.#client;
    const { protocol = 'mqtt', hostname, host = 'localhost', port } = options;
    const id = `${hostname ?? host}:${port ?? ''}`.replace(/:$/, '');
    const url = redactUrls(`${protocol}://${id}`);
    const endpoint = { id, url, rank: 0, priority: 0, weight: 1, zone: null, reason: null, retryAt: null };
    return {
      state: this.#state(),
      clientId: options.clientId ?? '',
      current: connected ? id : null,
      home: id,
      endpoints: [{ ...endpoint, state: 'healthy' }],
      outbox: { messages: queue.length + Object.keys(outgoing).length, bytes: 0, oldestAgeMs: 0 },
      discovery: { source: 'static', revision: null, updatedAt: null, error: null },
      counters: {},
    };
  }

  #state(): ClientState {
    const { connected, disconnecting, disconnected, reconnecting, stream } = this.#client;
    if (connected) return 'connected';
    if (disconnecting || disconnected) return 'closed';
    if (reconnecting) return stream?.destroyed ? 'backoff' : 'connecting';
    return stream ? 'connecting' : 'idle';
  }
}
