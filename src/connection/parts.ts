/** What the state machine is made of: the parts that it alone uses, made for one client. */

import type { EndpointList } from '../discovery/endpoint-list.js';
import type { Endpoint } from '../endpoint.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import { Candidates } from '../selection/candidates.js';
import type { Selector } from '../selection/selector.js';
import { Conflict } from './conflict.js';
import { Connector, type ConnectorDeps } from './connector.js';
import { LinkEnds } from './link-end.js';
import { LinkAudience, type LinkObserver } from './links.js';
import type { move } from './move.js';
import { Pacing, type PacingBounds, type SpreadHint } from './pacing.js';
import { Redirects } from './redirect.js';
import { RetryBudget } from './retry-budget.js';
import { Whereabouts } from './whereabouts.js';

/** What a client's options say of its connection. */
export interface SupervisorOptions extends PacingBounds {
  readonly connackTimeoutMs: number;
  /** Bounds transport and CONNACK of an attempt together; MQTT.js's `connectTimeout`. */
  readonly attemptTimeoutMs: number;
  /** False: one pass over the endpoints, and the first lost link is the last. */
  readonly reconnect: boolean;
  /** The client's own zone. */
  readonly zone?: string | undefined;
}

/** What a connector needs beside what is made here. */
type SharedDeps = Omit<
  ConnectorDeps,
  'candidates' | 'pacing' | 'conflict' | 'redirects' | 'connackTimeoutMs' | 'attemptTimeoutMs'
>;

/** Loads what makes a planned move. */
export type LoadMove = () => Promise<typeof move>;

/** What the connection needs of the rest. */
export interface SupervisorDeps extends SharedDeps {
  readonly core: Pick<MqttCore, 'options' | 'emit' | 'emitError'>;
  readonly watcher: EndpointList;
  readonly selector: Selector;
  /** Why an endpoint must not be dialed at all; `undefined` when it may. */
  readonly refusal: (endpoint: Endpoint) => string | undefined;
  readonly links: LinkObserver;
  readonly loadMove: LoadMove;
  /** What the runtime believes of its network; left out where it has no opinion. */
  readonly isOnline?: (() => boolean) | undefined;
  readonly options: SupervisorOptions;
}

/** See the class of each. */
export interface Parts {
  readonly pacing: Pacing;
  readonly conflict: Conflict;
  readonly budget: RetryBudget;
  readonly redirects: Redirects;
  readonly candidates: Candidates;
  readonly connector: Connector;
  readonly audience: LinkAudience;
  readonly ends: LinkEnds;
  readonly whereabouts: Whereabouts;
  /** How wide the operator wants a fleet to spread, by the list and by `linkMs`, what a broker itself has said. */
  readonly hint: (linkMs?: number) => SpreadHint;
}

/** Makes the parts of one client's connection; starts nothing. */
export function makeParts(deps: SupervisorDeps): Parts {
  // Each part gets what it needs by name. Objects that are made with a spread have a hidden class each in V8, which is
  // several kilobytes for a client, and a gateway or a simulation has thousands.
  const { clock, random, events, core, watcher, selector, health, dialer, session, options } = deps;
  const { connectOptions, credentials, refusal } = deps;
  const { connackTimeoutMs, attemptTimeoutMs, zone } = options;
  const clientId = () => core.options.clientId ?? '';
  const hint = (linkMs = 0) => {
    return { spreadMs: Math.max(linkMs, watcher.current?.spreadMs ?? 0), clientId: clientId() };
  };
  const pacing = new Pacing(options, clock, random);
  const conflict = new Conflict(clock, random);
  const redirects = new Redirects({ clock, clientId, refusal });
  const candidates = new Candidates({
    watcher,
    selector,
    zone,
    redirects,
    clientId,
    health,
    refusal,
    clock,
    random,
    events,
  });
  const connector = new Connector({
    candidates,
    health,
    dialer,
    session,
    connectOptions,
    clock,
    random,
    pacing,
    conflict,
    credentials,
    redirects,
    events,
    connackTimeoutMs,
    attemptTimeoutMs,
  });
  return {
    candidates,
    pacing,
    conflict,
    redirects,
    connector,
    hint,
    budget: new RetryBudget(clock),
    audience: new LinkAudience(deps.links),
    ends: new LinkEnds({ core, pacing, conflict, candidates, connector, health, credentials, events, hint }),
    whereabouts: new Whereabouts(),
  };
}
