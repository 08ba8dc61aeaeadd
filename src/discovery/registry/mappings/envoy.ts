/** Envoy EDS: a DiscoveryResponse with ClusterLoadAssignments, or one of those, as protobuf's JSON. */
import {
  defined,
  isObject,
  type Json,
  list,
  type Mapping,
  nodeUrl,
  number,
  object,
  text,
} from './mapping.js';

/**
 * One node for each `lb_endpoint`, by its address. `DEGRADED` endpoints come one tier later. Where the assignment
 * drops requests for overload, clients are to spread their return.
 */
export const envoy: Mapping = (json, reach) => {
  const assignments = assignmentsOf(json);
  if (!assignments) return undefined;
  const drops = assignments.flatMap((each) =>
    list(field(object(each.policy), 'drop_overloads', 'dropOverloads')),
  );
  const dropped = drops.reduce<number>((sum, drop) => sum + share(object(drop)), 0);
  const stale = text(field(object(assignments[0]?.policy), 'endpoint_stale_after', 'endpointStaleAfter'));
  const staleFor = number(stale?.replace(/s$/, ''));
  const revision = text(field(object(json), 'version_info', 'versionInfo'));
  const spreadMs =
    dropped > 0 ? Math.round(NODE_WIDE_SPREAD_MS / (1 - Math.min(dropped, MOST_DROPPED))) : undefined;
  return {
    schema: 'mqtt-nodes/1',
    ...defined({ revision, staleFor, spreadMs }),
    nodes: assignments.flatMap(toNodes),
  };

  function toNodes(assignment: Json): Json[] {
    return list(assignment.endpoints)
      .map(object)
      .flatMap((locality) =>
        list(field(locality, 'lb_endpoints', 'lbEndpoints')).map((each) => toNode(object(each), locality)),
      );
  }

  function toNode(each: Json, { locality, priority }: Json): Json {
    const socket = object(field(object(object(each.endpoint).address), 'socket_address', 'socketAddress'));
    const host = text(socket.address) ?? '';
    const port = number(field(socket, 'port_value', 'portValue'));
    const status = field(each, 'health_status', 'healthStatus');
    const weight = field(each, 'load_balancing_weight', 'loadBalancingWeight');
    const tier = number(priority) ?? 0;
    return defined({
      id: text(object(each.endpoint).hostname) ?? `${host}:${port}`,
      urls: [nodeUrl(reach, { host, port })],
      priority: status === 'DEGRADED' ? tier + 1 : tier,
      weight: number(isObject(weight) ? weight.value : weight),
      zone: text(object(locality).zone),
      state: stateOf(status),
    });
  }
};

/** Milliseconds over which clients return after a signal that concerns them all (D4). */
const NODE_WIDE_SPREAD_MS = 5_000;
/** A cluster that drops everything must not push the return out for ever. */
const MOST_DROPPED = 0.9;

/** In a list response, `endpoints` of any other JSON would be too little to go by: the cluster's name is asked for. */
function assignmentsOf(json: unknown): readonly Json[] | undefined {
  const { resources } = object(json);
  const candidates = (resources === undefined ? [json] : list(resources)).map(object);
  if (
    candidates.length === 0 ||
    !candidates.every((each) => text(field(each, 'cluster_name', 'clusterName')))
  )
    return undefined;
  return candidates;
}

/** protobuf's JSON has both spellings. */
function field(json: Json, snake: string, camel: string): unknown {
  return json[snake] ?? json[camel];
}

function stateOf(status: unknown): string {
  if (status === undefined || status === 'UNKNOWN' || status === 'HEALTHY' || status === 'DEGRADED')
    return 'up';
  return status === 'DRAINING' ? 'draining' : 'down';
}

function share(drop: Json): number {
  const { numerator, denominator = 'HUNDRED' } = object(field(drop, 'drop_percentage', 'dropPercentage'));
  return Math.max(0, number(numerator) ?? 0) / (DENOMINATORS.get(String(denominator)) ?? 100);
}

const DENOMINATORS: ReadonlyMap<string, number> = new Map([
  ['HUNDRED', 100],
  ['TEN_THOUSAND', 10_000],
  ['MILLION', 1_000_000],
]);
