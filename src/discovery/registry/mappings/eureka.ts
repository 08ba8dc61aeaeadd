/** Eureka: `GET /eureka/apps` or `/eureka/apps/<application>`, as JSON. */
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
 * One node for each instance. Its `securePort`, when enabled, is spoken to by `mqtts`, its `port` by `mqtt`;
 * `metadata` may hold `scheme`, `path`, `zone`, `weight` and `priority`.
 */
export const eureka: Mapping = (json, reach) => {
  const { applications, application } = object(json);
  if (!isObject(applications) && !isObject(application)) return undefined;
  const all = isObject(applications) ? list(applications.application) : [application];
  const instances = all.flatMap((each) => list(object(each).instance));
  return { schema: 'mqtt-nodes/1', nodes: instances.map((instance) => toNode(object(instance))) };

  function toNode(instance: Json): Json {
    const meta = object(instance.metadata);
    const secure = String(object(instance.securePort)['@enabled']) === 'true';
    const port = object(secure ? instance.securePort : instance.port).$;
    const scheme = schemeOf(meta.scheme) ?? (secure ? 'mqtts' : 'mqtt');
    const host = text(instance.hostName) ?? text(instance.ipAddr) ?? '';
    return defined({
      id: text(instance.instanceId) ?? host,
      urls: [nodeUrl(reach, { scheme, host, port: number(port), path: text(meta.path) })],
      priority: number(meta.priority),
      weight: number(meta.weight),
      zone: text(meta.zone),
      state: STATES.get(String(instance.status)) ?? 'down',
    });
  }
};

const STATES: ReadonlyMap<string, string> = new Map([
  ['UP', 'up'],
  ['OUT_OF_SERVICE', 'draining'],
]);
