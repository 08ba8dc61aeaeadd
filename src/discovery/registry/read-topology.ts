/** The document of a registry as the payload of an MQTT message. */
import type { Scheme } from '../../endpoint.js';
import type { EndpointSet } from '../resolver.js';
import { readDocument } from './document.js';
import { toEndpointSet } from './endpoint-set.js';
import { parseJson } from './json.js';
import { MAX_BODY_BYTES } from './limits.js';

/**
 * Reads a message of the topology topic; bounded like a registry's answer.
 *
 * @param schemes - Schemes that the runtime can dial.
 * @throws Error for what is no valid document.
 */
export function readTopology(payload: Uint8Array, schemes: ReadonlySet<Scheme>): EndpointSet {
  if (payload.length > MAX_BODY_BYTES) throw new Error(`it has more than ${MAX_BODY_BYTES} bytes`);
  const document = readDocument(parseJson(new TextDecoder().decode(payload)));
  const ttlMs = document.ttl === undefined ? undefined : document.ttl * 1_000;
  return toEndpointSet(document, { schemes, ttlMs, origin: 'topic' });
}
