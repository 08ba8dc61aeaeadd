/** What the wiring files share: how parts are registered and resolved, and the names of those that cannot be replaced. */
import type { DependencyContainer, InjectionToken } from 'tsyringe';
import type { Departure } from '../connection/departure.js';
import type { Failback } from '../connection/failback.js';
import type { Lifecycle } from '../connection/lifecycle.js';
import type { Renewal } from '../connection/renewal.js';
import type { Supervisor } from '../connection/supervisor.js';
import type { Delivery } from '../delivery/delivery.js';
import type { InFlight } from '../delivery/in-flight.js';
import type { Retries } from '../delivery/retries.js';
import type { Stores } from '../delivery/store/stores.js';
import type { Credentials } from '../dial/credentials.js';
import type { DialBudget } from '../dial/dial-budget.js';
import type { Authorisation } from '../discovery/authorisation.js';
import type { TopicOverlay } from '../discovery/topic.js';
import type { TopologyTopic } from '../discovery/topology-topic.js';
import type { Watcher } from '../discovery/watcher.js';
import type { Engine } from '../engine.js';
import type { EventSink } from '../events.js';
import type { SharedHealth } from '../health/shared-health.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Platform } from '../platform/ports.js';
import type { ConnectOptions } from '../session/connect-options.js';
import type { Session } from '../session/session.js';
import type { PartToken } from './tokens.js';

/** What all clients of one process have in common. */
export interface ProcessParts {
  readonly platform: Platform;
  readonly health: SharedHealth;
  readonly dialBudget: DialBudget;
  readonly stores: Stores;
}

/** Names how a part is made; it is made once for each client, when it is first asked for. */
export type Register = <T>(
  name: InjectionToken<T> | PartToken<T>,
  make: (c: DependencyContainer) => T,
) => unknown;

/** Resolves a public part with its type, which the symbol carries and tsyringe cannot see. */
export function part<T>(container: DependencyContainer, name: PartToken<T>): T {
  return container.resolve<T>(name);
}

function token<T>(description: string): InjectionToken<T> {
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
  authorisation: token<Authorisation>('authorisation'),
  topicOverlay: token<TopicOverlay>('topic-overlay'),
  topologyTopic: token<TopologyTopic | undefined>('topology-topic'),
  watcher: token<Watcher>('watcher'),
  delivery: token<Delivery>('delivery'),
  supervisor: token<Supervisor>('supervisor'),
  credentials: token<Credentials>('credentials'),
  failback: token<Failback>('failback'),
  renewal: token<Renewal>('renewal'),
  departure: token<Departure>('departure'),
  lifecycle: token<Lifecycle | undefined>('lifecycle'),
  engine: token<Engine>('engine'),
});
