/** A registry without sockets: every request is answered as the test says, on the virtual clock. */
import type { ResolverDeps } from '../../../src/discovery/create-resolver.js';
import type { RegistryWorld } from '../../../src/discovery/registry/create-registry-resolver.js';
import type { Fetch } from '../../../src/platform/ports.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** One request that came in. */
export interface SeenRequest {
  readonly url: string;
  readonly init: RequestInit;
  readonly headers: Headers;
  /** Milliseconds of the clock. */
  readonly at: number;
}

export type Answer = Response | Promise<Response>;

/** A `fetch` that remembers what it was asked and answers by `answer`. */
export class ScriptedFetch {
  readonly requests: SeenRequest[] = [];
  readonly clock: VirtualClock;
  answer: (request: SeenRequest) => Answer;

  constructor(clock: VirtualClock, answer: (request: SeenRequest) => Answer = () => json({})) {
    this.clock = clock;
    this.answer = answer;
  }

  readonly fetch: Fetch = async (url, init = {}) => {
    const request = { url, init, headers: new Headers(init.headers), at: this.clock.now() };
    this.requests.push(request);
    return this.answer(request);
  };
}

/** A JSON answer. */
export function json(body: unknown, headers: Record<string, string> = {}, status = 200): Response {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Response(text, { status, headers: { 'content-type': 'application/json', ...headers } });
}

/** An answer of headers alone. */
export function bare(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers });
}

/** A document with one node for each id. */
export function documentOf(ids: readonly string[], fields: object = {}): object {
  const nodes = ids.map((id) => ({ id, urls: [`mqtts://${id}.test:8883`] }));
  return { schema: 'mqtt-nodes/1', nodes, ...fields };
}

/** What the registry resolver works with; everything may be replaced. */
export function registryWorld(given: Partial<RegistryWorld> = {}): RegistryWorld {
  const clock = new VirtualClock();
  return {
    headers: undefined,
    pollMs: undefined,
    push: undefined,
    allowInsecure: false,
    fetch: new ScriptedFetch(clock).fetch,
    httpCache: false,
    clock,
    random: fixedRandom(0.5),
    schemes: new Set(['mqtt', 'mqtts', 'ws', 'wss']),
    ...given,
  };
}

/** What `createResolver` takes. */
export function resolverDeps(given: Partial<RegistryWorld> = {}): ResolverDeps {
  const registry = registryWorld(given);
  const { clock, fetch } = registry;
  return { clock, registry, srv: { clock, fetch } };
}
