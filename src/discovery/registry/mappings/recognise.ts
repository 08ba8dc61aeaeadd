/** Which system an answer is from: told by its shape, so that a registry URL is all that a user writes. */
import { consul } from './consul.js';
import { emqx } from './emqx.js';
import { envoy } from './envoy.js';
import { etcd } from './etcd.js';
import { eureka } from './eureka.js';
import { kubernetes } from './kubernetes.js';
import { isObject, type Mapping, type Reach } from './mapping.js';

/** Where the answer is from. */
export type SourceKind = 'document' | 'consul' | 'etcd' | 'kubernetes' | 'emqx' | 'eureka' | 'envoy';

/** The first that fits counts: their marks do not overlap, except that an empty list could be anybody's. */
const MAPPINGS: readonly (readonly [SourceKind, Mapping])[] = [
  ['kubernetes', kubernetes],
  ['etcd', etcd],
  ['emqx', emqx],
  ['eureka', eureka],
  ['envoy', envoy],
  ['consul', consul],
];

/** An answer as an unchecked `mqtt-nodes` document. */
export interface Recognised {
  readonly kind: SourceKind;
  readonly document: unknown;
}

/**
 * Turns an answer into an unchecked document.
 *
 * @throws Error when it is neither a document nor from a system that we know.
 */
export function recognise(json: unknown, reach: Reach): Recognised {
  if (isObject(json) && json.schema !== undefined) return { kind: 'document', document: json };
  for (const [kind, map] of MAPPINGS) {
    const document = map(json, reach);
    if (document) return { kind, document };
  }
  throw new Error('the answer is neither a document of schema "mqtt-nodes/1" nor of a system that is known');
}
