/** etcd v3 through its JSON gateway: `POST /v3/kv/range`; keys and values are base64. */
import { parseJson } from '../json.js';
import { isObject, type Json, list, type Mapping, object, text } from './mapping.js';

/**
 * One node for each key. The value is a node of a document, or just its URL; its id is what follows the last `/` of
 * the key, unless the value names another.
 */
export const etcd: Mapping = (json) => {
  const { header, kvs } = object(json);
  // An empty range has no `kvs` at all.
  if (!isObject(header) || text(header.revision) === undefined) return undefined;
  return { schema: 'mqtt-nodes/1', revision: header.revision, nodes: list(kvs).map(toNode) };
};

function toNode(entry: unknown): unknown {
  const { key, value } = object(entry);
  const id = decode(key)?.replace(/^.*\//s, '');
  const written = decode(value);
  if (written === undefined) return { id };
  if (!written.trimStart().startsWith('{')) return { id, urls: [written.trim()] };
  try {
    return { id, ...(parseJson(written) as Json) };
  } catch {
    return { id };
  }
}

/** The text of base64; `undefined` for anything else. */
function decode(base64: unknown): string | undefined {
  if (typeof base64 !== 'string') return undefined;
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Base64 of a text in UTF-8, for requests. */
export function encode(text: string): string {
  return toBase64(new TextEncoder().encode(text));
}

/** Base64 of the key after every key that starts with `prefix`: its last byte that can grow, one more. */
export function rangeEnd(prefix: string): string {
  const bytes = new TextEncoder().encode(prefix);
  // UTF-8 has no byte 0xff, so the last one can always grow; an empty prefix means every key.
  const last = bytes.length - 1;
  if (last < 0) return toBase64(new Uint8Array(1));
  bytes[last] = (bytes[last] as number) + 1;
  return toBase64(bytes);
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
