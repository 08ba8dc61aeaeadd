/** Kubernetes: an EndpointSlice, or the list of a service's slices (`…/endpointslices?labelSelector=…`). */
import { MAX_URLS } from '../limits.js';
import {
  defined,
  isObject,
  type Json,
  list,
  type Mapping,
  nodeUrl,
  number,
  object,
  schemeOf,
  text,
} from './mapping.js';

/**
 * One node for each pod over all slices: an endpoint that is in two, or in one of each address family, is one node
 * with several URLs. Each port whose name or `appProtocol` says how to speak to it gives a URL; with none, each port.
 */
export const kubernetes: Mapping = (json, reach) => {
  const { kind, items, metadata } = object(json);
  if (kind !== 'EndpointSlice' && kind !== 'EndpointSliceList') return undefined;
  const nodes = new Map<string, Json & { readonly urls: readonly string[] }>();
  for (const slice of kind === 'EndpointSlice' ? [json] : list(items)) {
    const { endpoints, ports } = object(slice);
    for (const endpoint of list(endpoints)) {
      const node = toNode(object(endpoint), list(ports).map(object));
      const known = nodes.get(node.id as string);
      // A slice that is behind still says `ready`.
      const state = known && (known.state !== 'up' ? known.state : node.state);
      const urls = known ? [...new Set([...known.urls, ...node.urls])].slice(0, MAX_URLS) : node.urls;
      nodes.set(node.id as string, { ...node, ...(state === undefined ? {} : { state }), urls });
    }
  }
  const revision = text(object(metadata).resourceVersion);
  return { schema: 'mqtt-nodes/1', ...defined({ revision }), nodes: [...nodes.values()] };

  function toNode(endpoint: Json, ports: readonly Json[]): Json & { readonly urls: readonly string[] } {
    const [host = ''] = list(endpoint.addresses) as string[];
    const named = ports.filter((port) => schemeOf(port.name) ?? schemeOf(port.appProtocol));
    const used = ports.length === 0 ? [NO_PORT] : named.length > 0 ? named : ports;
    const urls = used.map((port) =>
      nodeUrl(reach, {
        scheme: schemeOf(port.appProtocol) ?? schemeOf(port.name),
        host: String(host),
        port: number(port.port),
      }),
    );
    const fields = defined({
      id: text(object(endpoint.targetRef).name) ?? text(endpoint.hostname) ?? String(host),
      zone: text(endpoint.zone),
      state: stateOf(endpoint.conditions),
    });
    return { ...fields, urls: [...new Set(urls)].slice(0, MAX_URLS) };
  }
};

const NO_PORT: Json = Object.freeze({});

/** An absent `ready` is to be read as true, an absent `serving` as `ready`. */
function stateOf(conditions: unknown): string {
  const { ready = true, serving = ready, terminating = false } = isObject(conditions) ? conditions : NO_PORT;
  if (ready === true && terminating !== true) return 'up';
  return serving === true && terminating === true ? 'draining' : 'down';
}
