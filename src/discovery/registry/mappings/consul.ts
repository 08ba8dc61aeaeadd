/** Consul: `GET /v1/health/service/<service>`, with or without `?passing`. */
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
 * One node for each service instance. A failed check makes it `down`, a warning gives it `Weights.Warning`. `Meta` of
 * the service may hold `scheme`, `path`, `priority` and `zone`; a tag may name the scheme.
 */
export const consul: Mapping = (json, reach) => {
  if (!Array.isArray(json) || !json.every((entry) => isObject(object(entry).Service))) return undefined;
  return { schema: 'mqtt-nodes/1', nodes: json.map((entry: Json) => toNode(entry)) };

  function toNode({ Service, Node, Checks }: Json): Json {
    const service = object(Service);
    const node = object(Node);
    const meta = object(service.Meta);
    const checks = list(Checks).map((check) => object(check).Status);
    const weights = object(service.Weights);
    const host = text(service.Address) ?? text(node.Address) ?? '';
    const scheme = schemeOf(meta.scheme) ?? list(service.Tags).map(schemeOf).find(Boolean);
    return defined({
      // A service id is unique on its node only.
      id: [text(node.Node), text(service.ID) ?? text(service.Service)].filter(Boolean).join('/'),
      urls: [nodeUrl(reach, { scheme, host, port: number(service.Port), path: text(meta.path) })],
      priority: number(meta.priority),
      weight: number(checks.includes('warning') ? weights.Warning : weights.Passing),
      zone: text(meta.zone) ?? text(object(service.Locality).Zone),
      state: checks.includes('critical') ? 'down' : 'up',
    });
  }
};
