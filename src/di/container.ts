/** Composition root: one container for each client, which the other files of this folder fill, a layer each. */
import { chunk } from '../chunk.js';
import { Engine } from '../client/engine.js';
import type { EventSink } from '../events.js';
import { SharedHealth } from '../health/shared-health.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Diagnostics, Platform } from '../platform/ports.js';
import { keepAliveIn } from '../session/keepalive.js';
import type { TabIdentity } from '../tabs/tab-identity.js';
import type { Warning } from '../warnings.js';
import { loadStore } from './chunks.js';
import { registerConnection } from './connection.js';
import { registerDelivery } from './delivery.js';
import { registerDiscovery } from './discovery.js';
import type { EnginePlan, MakeEngine } from './engine-plan.js';
import { registerLink } from './link.js';
import { own, type PartContainer, type ProcessParts, type Tools } from './parts.js';
import { type OverrideContainer, tokens } from './tokens.js';

/** Makes the engines of one runtime, whose clients share what they find out and how fast they dial. */
export function enginesOf(platform: Platform, tools: Tools): MakeEngine {
  const process: ProcessParts = {
    platform,
    tools,
    health: new SharedHealth(platform.clock),
    loadStores: chunk(async () => {
      const { Backlog, Stores } = await loadStore();
      return { Backlog, stores: new Stores(platform.databases) };
    }),
  };
  return (plan, core, events) => composeEngine(process, plan, core, events);
}

/**
 * Wires one client around its own methods. Builds objects; starts nothing.
 *
 * With a static list the container is gone when the engine is there: what is made later is given its parts, not the
 * container, which is a third of what a client takes in memory.
 */
function composeEngine(
  process: ProcessParts,
  { brokers, options, inFlight, identity }: EnginePlan,
  core: MqttCore,
  events: EventSink,
): Engine {
  const { platform, tools } = process;
  if (platform.page) keepAliveIn(platform.page, core.options, options.mqtt);
  const container = tools.createContainer();
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
  register(own.engine, (c) => engineOf(c, identity, options.warnings));
  options.overrides?.(publicFace(container));
  return container.resolve(own.engine);
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
