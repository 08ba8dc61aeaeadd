/** What the wiring files share: how parts are registered and resolved, and the names of those that cannot be replaced. */

import type { Engine, EngineDeps } from '../client/engine.js';
import type { LateMoves } from '../connection/late-moves.js';
import type { Lifecycle } from '../connection/lifecycle.js';
import type { LoadMove } from '../connection/parts.js';
import type { Supervisor } from '../connection/supervisor.js';
import type { Delivery } from '../delivery/delivery.js';
import type { CreateGate } from '../delivery/gate.js';
import type { InFlight } from '../delivery/in-flight.js';
import type { Retries } from '../delivery/retries.js';
import type { Backlog, Stores } from '../delivery/store/index.js';
import type { Admit } from '../dial/addresses.js';
import type { Credentials } from '../dial/credentials.js';
import type { DialBudget } from '../dial/dial-budget.js';
import type { DialPermit, EndpointList } from '../discovery/endpoint-list.js';
import type { EventSink } from '../events.js';
import type { SharedHealth } from '../health/shared-health.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Clock, Network, Platform, Random } from '../platform/ports.js';
import type { ConnectOptions } from '../session/connect-options.js';
import type { Session } from '../session/session.js';
import type { PartToken } from './tokens.js';

/** What all clients of one process have in common. */
export interface ProcessParts {
  readonly platform: Platform;
  readonly tools: Tools;
  readonly health: SharedHealth;
  /** Loads what `outbox.store` needs. */
  readonly loadStores: () => Promise<{ readonly Backlog: typeof Backlog; readonly stores: Stores }>;
}

/**
 * What Node's clients take from packages. A page has smaller ones of the same use: each visitor loads them, and it has one
 * client or two, not a thousand.
 */
export interface Tools {
  /** The container of one client. */
  readonly createContainer: () => PartContainer;
  readonly createGate: CreateGate;
  /** Left out where the runtime itself opens few transports at once. */
  readonly dialBudget?: DialBudget;
}

/** Makes a part out of others. */
export type Make<T> = (parts: PartContainer) => T;

/** Makes each part once, when it is first asked for; the last registration of a name counts. */
export interface PartContainer {
  register<T>(name: PartToken<T>, make: Make<T>): unknown;
  /** @throws Error for a name that nobody has registered. */
  resolve<T>(name: PartToken<T>): T;
}

function token<T>(description: string): PartToken<T> {
  return Symbol(description);
}

/** Parts that are wired here and cannot be replaced. */
export const own = Object.freeze({
  core: token<MqttCore>('core'),
  events: token<EventSink>('events'),
  inFlight: token<InFlight>('in-flight'),
  retries: token<Retries>('retries'),
  connectOptions: token<ConnectOptions>('connect-options'),
  session: token<Session>('session'),
  watcher: token<EndpointList & DialPermit>('watcher'),
  topologyTopic: token<EngineDeps['topologyTopic']>('topology-topic'),
  delivery: token<Delivery>('delivery'),
  supervisor: token<Supervisor>('supervisor'),
  credentials: token<Credentials>('credentials'),
  loadMove: token<LoadMove>('load-move'),
  moves: token<LateMoves>('moves'),
  lifecycle: token<Lifecycle | undefined>('lifecycle'),
  engine: token<Engine>('engine'),
});

/** What planned moves are made of, when there is a reason to move. */
export interface MovingParts {
  readonly supervisor: Supervisor;
  readonly watcher: EndpointList & DialPermit;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly connectOptions: ConnectOptions;
  readonly core: MqttCore;
}

/** Which addresses of a host may be dialed. */
export function admitBy(permit: DialPermit): Admit {
  return ({ endpoint }, addresses) => permit.admitted(endpoint, addresses);
}
