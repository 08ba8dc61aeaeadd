/** Composition root: one container for each client, which the other files of this folder fill, a layer each. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { Engine } from '../client/engine.js';
import { InFlight } from '../delivery/in-flight.js';
import { PacketIds } from '../delivery/packet-ids.js';
import { checkSources } from '../discovery/check-sources.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Diagnostics } from '../platform/ports.js';
import { keepAliveIn } from '../session/page-keepalive.js';
import type { TabIdentity } from '../tabs/tab-identity.js';
import type { Warning } from '../warnings.js';
import { registerConnection } from './connection.js';
import { registerDelivery } from './delivery.js';
import { registerDiscovery } from './discovery.js';
import { registerLink } from './link.js';
import { own, type PartContainer, type ProcessParts } from './parts.js';
import { type OverrideContainer, tokens } from './tokens.js';

/** What a client is made of, in the two steps that extending `MqttClient` takes. */
export interface Composition {
  /** Given to MQTT.js's constructor. */
  readonly inFlight: InFlight;
  /** Given to MQTT.js's constructor. */
  readonly packetIds: PacketIds;
  /** Builds the rest around the client's own methods; called once. */
  start(core: MqttCore, events: EventSink): Engine;
}

/**
 * Wires one client. Reads options and builds objects; starts nothing.
 *
 * With a static list the container is gone when the engine is there: what is made later is given its parts, not the
 * container, which is a third of what a client takes in memory.
 *
 * @param identity - Left out where the client id is the application's own.
 */
export function composeClient(
  brokers: ParsedBrokers,
  options: ResolvedOptions,
  process: ProcessParts,
  identity?: TabIdentity,
): Composition {
  const { platform } = process;
  const { discovery, allowInsecure, warnings } = options;
  checkSources(brokers, { dns: platform.dns, doh: discovery.doh, allowInsecure });
  const inFlight = new InFlight();
  return {
    inFlight,
    packetIds: new PacketIds(inFlight, Math.floor(platform.random.next() * 65_535)),
    start: (core, events) => {
      if (platform.page) keepAliveIn(platform.page, core.options, options.mqtt);
      const container = process.tools.createContainer();
      const { register } = container;

      register(tokens.clock, () => platform.clock);
      register(tokens.random, () => platform.random);
      register(tokens.network, () => platform.network);
      register(own.core, () => core);
      register(own.events, () => withDiagnostics(events, core, platform.diagnostics));
      register(own.inFlight, () => inFlight);
      registerDiscovery(register, options, brokers, platform);
      registerLink(register, options, process);
      registerConnection(register, options, process);
      registerDelivery(register, options, process);
      register(own.engine, (c) => engineOf(c, identity, warnings));
      options.overrides?.(publicFace(container));
      return container.resolve(own.engine);
    },
  };
}

function engineOf(c: PartContainer, identity: TabIdentity | undefined, warnings: readonly Warning[]): Engine {
  return new Engine({
    core: c.resolve(own.core),
    session: c.resolve(own.session),
    supervisor: c.resolve(own.supervisor),
    moves: c.resolve(own.moves),
    delivery: c.resolve(own.delivery),
    watcher: c.resolve(own.watcher),
    topologyTopic: c.resolve(own.topologyTopic),
    health: c.resolve(tokens.health),
    clock: c.resolve(tokens.clock),
    events: c.resolve(own.events),
    lifecycle: c.resolve(own.lifecycle),
    identity,
    warnings,
  });
}

/** Events go to who has subscribed in the process, too, with the client's id beside what the client's own listeners get. */
function withDiagnostics(
  events: EventSink,
  { options }: MqttCore,
  diagnostics: Diagnostics | undefined,
): EventSink {
  if (!diagnostics) return events;
  return {
    emit: (event, payload) => {
      diagnostics.publish(event, () => ({ clientId: options.clientId ?? '', ...payload }));
      events.emit(event, payload);
    },
  };
}

/** The container as `overrides` sees it: a part is replaced by a value, or by what a factory makes of others. */
function publicFace({ register, resolve }: PartContainer): OverrideContainer {
  const face: OverrideContainer = {
    register: (name, provider) =>
      register(name, () => ('useValue' in provider ? provider.useValue : provider.useFactory(face))),
    resolve,
  };
  return face;
}
