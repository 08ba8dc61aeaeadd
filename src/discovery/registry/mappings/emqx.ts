/** EMQX: `GET /api/v5/nodes`. */
import { isObject, type Json, type Mapping, nodeUrl, object, text } from './mapping.js';

/** One node for each member, by the host in its name `emqx@host`. It names no port: `mqtts` at 8883 unless the registry URL says otherwise. */
export const emqx: Mapping = (json, reach) => {
  const members: unknown = isObject(json) ? json.data : json;
  if (!Array.isArray(members) || members.length === 0) return undefined;
  if (!members.every((member) => text(object(member).node_status))) return undefined;
  return { schema: 'mqtt-nodes/1', nodes: members.map((member: Json) => toNode(member)) };

  function toNode({ node, node_status }: Json): Json {
    const id = text(node) ?? '';
    const host = id.slice(id.indexOf('@') + 1);
    return { id, urls: [nodeUrl(reach, { host })], state: node_status === 'running' ? 'up' : 'down' };
  }
};
