/** `status()` of a client with an engine: what its parts know, as plain JSON. */
import type { Endpoint } from '../endpoint.js';
import type { Candidates } from '../selection/candidates.js';
import type { ClientStatus, EndpointStatus } from '../status.js';
import type { EngineDeps } from './engine.js';

export function snapshotOf({ core, supervisor, watcher, delivery }: EngineDeps): ClientStatus {
  const { candidates } = supervisor;
  return {
    state: supervisor.state,
    clientId: core.options.clientId ?? '',
    current: supervisor.current?.id ?? null,
    home: candidates.home()?.id ?? null,
    endpoints: candidates.ranking().map((endpoint, rank) => endpointStatus(candidates, endpoint, rank)),
    outbox: delivery.publisher.unsettled.status(),
    discovery: watcher.status(),
    counters: supervisor.counters,
  };
}

function endpointStatus(candidates: Candidates, endpoint: Endpoint, rank: number): EndpointStatus {
  const { id, url, priority, weight, zone = null } = endpoint;
  return { id, url, rank, priority, weight, zone, ...candidates.view(endpoint) };
}
