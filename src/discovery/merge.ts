/** What a new list changes, with what did not change left alone (R22). Pure. */
import type { Endpoint } from '../endpoint.js';
import type { EndpointSet } from './resolver.js';

/** A list and how it differs from the one before, by endpoint id. */
export interface Merged {
  readonly set: EndpointSet;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** `answer` with the objects of `current` where an endpoint did not change: health and links know it by identity. */
export function merge(current: EndpointSet | undefined, answer: EndpointSet): Merged {
  const before = new Map(current?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
  const added: string[] = [];
  const changed: string[] = [];
  const endpoints = answer.endpoints.map((endpoint) => {
    const known = before.get(endpoint.id);
    before.delete(endpoint.id);
    if (!known) added.push(endpoint.id);
    else if (isSame(known, endpoint)) return known;
    else changed.push(endpoint.id);
    return endpoint;
  });
  const isAnswer = Object.isFrozen(answer) && Object.isFrozen(answer.endpoints);
  const set =
    isAnswer && endpoints.every((endpoint, at) => endpoint === answer.endpoints[at])
      ? answer
      : Object.freeze({ ...answer, endpoints: Object.freeze(endpoints) });
  return { set, added, removed: [...before.keys()], changed };
}

/** Whether two lists hold the very same objects: what did not change keeps its identity. */
export function hasSameEndpoints(a: EndpointSet, b: EndpointSet): boolean {
  return (
    a.endpoints.length === b.endpoints.length &&
    a.endpoints.every((endpoint, at) => endpoint === b.endpoints[at])
  );
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return (
    a.url === b.url &&
    a.path === b.path &&
    a.priority === b.priority &&
    a.weight === b.weight &&
    a.zone === b.zone &&
    a.state === b.state &&
    a.since === b.since &&
    a.drainBy === b.drainBy &&
    a.origin === b.origin &&
    sameOptions(a.options, b.options)
  );
}

function sameOptions(a: object, b: object): boolean {
  const left = Object.entries(a);
  const right = b as Record<string, unknown>;
  return left.length === Object.keys(b).length && left.every(([key, value]) => right[key] === value);
}
