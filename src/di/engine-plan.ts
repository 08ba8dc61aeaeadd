/** What an engine is made of, and who makes it: at once in Node, by code that is loaded in a page. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import type { ClientEngine } from '../client/engine.js';
import type { InFlight } from '../delivery/in-flight.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { TabIdentity } from '../tabs/tab-identity.js';

/** What is known of a client before it is made. */
export interface EnginePlan {
  readonly brokers: ParsedBrokers;
  readonly options: ResolvedOptions;
  /** The one that was given to MQTT.js's constructor. */
  readonly inFlight: InFlight;
  /** Left out where the client id is the application's own. */
  readonly identity: TabIdentity | undefined;
}

/** Makes the engine of a client around the client's own methods. Starts nothing. */
export type MakeEngine = (plan: EnginePlan, core: MqttCore, events: EventSink) => ClientEngine;
