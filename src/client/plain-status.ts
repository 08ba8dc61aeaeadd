/** `status()` of a client that is MQTT.js itself: what can be told from its own public state. */
import type { MqttClient } from 'mqtt';
import { redactUrls } from '../errors.js';
import type { ClientState } from '../events.js';
import type { ClientStatus } from '../status.js';

export function plainStatus(client: MqttClient): ClientStatus {
  const { options, connected, queue, outgoing } = client;
  const { protocol = 'mqtt', hostname, host = 'localhost', port } = options;
  const id = `${hostname ?? host}:${port ?? ''}`.replace(/:$/, '');
  const url = redactUrls(`${protocol}://${id}`);
  const endpoint = { id, url, rank: 0, priority: 0, weight: 1, zone: null, reason: null, retryAt: null };
  return {
    state: stateOf(client),
    clientId: options.clientId ?? '',
    current: connected ? id : null,
    home: id,
    endpoints: [{ ...endpoint, state: 'healthy' }],
    outbox: { messages: queue.length + Object.keys(outgoing).length, bytes: 0, oldestAgeMs: 0 },
    discovery: { source: 'static', revision: null, updatedAt: null, error: null },
    counters: {},
  };
}

function stateOf(client: MqttClient): ClientState {
  const { connected, disconnecting, disconnected, reconnecting, stream } = client;
  if (connected) return 'connected';
  if (disconnecting || disconnected) return 'closed';
  if (reconnecting) return stream?.destroyed ? 'backoff' : 'connecting';
  return stream ? 'connecting' : 'idle';
}
