/** What a fleet is to the simulation: clients that begin, and what they would like. */
import type { EndpointSet } from '../discovery/resolver.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Clock, Random } from '../platform/ports.js';
import type { Broker, Wires } from './broker.js';
import type { Preference, Recorder } from './recorder.js';

/** What the clients of a simulation live in. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly wires: Wires;
  readonly recorder: Recorder;
  readonly options: ResolvedOptions;
  /** The list as it is now. */
  readonly list: () => EndpointSet;
  /** Calls `listener` with every new list, a little later for each. */
  readonly onList: (listener: (list: EndpointSet) => void) => void;
  /** The node behind an endpoint of the list. */
  readonly broker: (endpointId: string) => Broker;
}

/** How clients behave, one kind for a whole run. */
export interface Fleet extends Preference {
  /** A client begins to connect. */
  start(client: number): void;
}

/** MQTT client id of the nth client. */
export function clientIdOf(client: number): string {
  return `client-${client}`;
}
