/**
 * What the mappings share: each is a pure function from another system's JSON to an unchecked `mqtt-nodes/1`
 * document, which then passes the same checks as one from a registry.
 */
import { type Scheme, toScheme } from '../../../endpoint.js';

/** How the nodes of a system that knows nothing of MQTT are reached: the fragment of the registry URL. */
export interface Reach {
  readonly scheme?: Scheme | undefined;
  readonly port?: number | undefined;
  /** WebSocket path, starting with `/`. */
  readonly path?: string | undefined;
}

/** Makes a document of `json`, or gives `undefined` when that is not of its kind. Never throws, never changes `json`. */
export type Mapping = (json: unknown, reach: Reach) => MappedDocument | undefined;

/** A document before its check. */
export interface MappedDocument {
  readonly schema: 'mqtt-nodes/1';
  readonly [field: string]: unknown;
  readonly nodes: readonly unknown[];
}

/** A JSON object; never an array. */
export type Json = Readonly<Record<string, unknown>>;

/** `value` as an object, an empty one when it is none, so that a chain of fields can be read from anything. */
export function object(value: unknown): Json {
  return isObject(value) ? value : NOTHING;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `value` as a list: what it is, a single item where a system leaves the brackets out, or nothing. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : isObject(value) ? [value] : [];
}

/** A non-empty string. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A number, also one in quotes, as labels and metadata hold it. */
export function number(value: unknown): number | undefined {
  const given = typeof value === 'string' && /^\d{1,9}(?:\.\d{1,9})?$/.test(value) ? Number(value) : value;
  return typeof given === 'number' && Number.isFinite(given) ? given : undefined;
}

/** The fields that have a value: a document has no `undefined` in it. */
export function defined(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const NOTHING: Json = Object.freeze(Object.create(null) as Json);

/** Names of ports, tags and protocols that say more than a scheme does. */
const NAMES: ReadonlyMap<string, Scheme> = new Map([
  ['secure-mqtt', 'mqtts'],
  ['mqtt-tls', 'mqtts'],
  ['mqtt-tcp', 'mqtt'],
  ['mqtt-ws', 'ws'],
  ['mqtt-wss', 'wss'],
]);

/** The scheme that a port name, a tag or a protocol stands for, if any. */
export function schemeOf(name: unknown): Scheme | undefined {
  return typeof name === 'string' && name.length <= 64
    ? (NAMES.get(name.toLowerCase()) ?? toScheme(name))
    : undefined;
}

/** The URL of a node: what {@link Reach} says comes first, then what the system says, then `mqtts`. */
export function nodeUrl(
  reach: Reach,
  {
    scheme,
    host,
    port,
    path,
  }: { scheme?: Scheme | undefined; host: string; port?: number | undefined; path?: string | undefined },
): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const at = reach.port ?? port;
  const chosen = reach.scheme ?? scheme ?? 'mqtts';
  const tail = reach.path ?? path ?? '';
  return `${chosen}://${name}${at === undefined ? '' : `:${at}`}${tail === '' || tail.startsWith('/') ? tail : `/${tail}`}`;
}
