/** Composition root: the only file that knows which class stands behind each part. One container per client. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { makeLateMoves } from '../connection/late-moves.js';
import { Lifecycle } from '../connection/lifecycle.js';
import { Supervisor } from '../connection/supervisor.js';
import { heldTogether } from '../delivery/bounds.js';
import { DedupIds } from '../delivery/dedup-ids.js';
import { Delivery } from '../delivery/delivery.js';
import { InFlight } from '../delivery/in-flight.js';
import { LateBacklog, type MakeBacklog } from '../delivery/late-backlog.js';
import { Outbox } from '../delivery/outbox.js';
import { PacketIds } from '../delivery/packet-ids.js';
import { Publisher } from '../delivery/publisher.js';
import { Retries } from '../delivery/retries.js';
import { Subscriptions } from '../delivery/subscriptions.js';
import { Credentials } from '../dial/credentials.js';
import { isMixedContent } from '../dial/mixed-content.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import { checkSources } from '../discovery/check-sources.js';
import type { DialPermit } from '../discovery/endpoint-list.js';
import type { Endpoint } from '../endpoint.js';
import { Engine } from '../engine.js';
import type { EventSink } from '../events.js';
import { HealthBook } from '../health/health-book.js';
import { hasOwnWay } from '../health/node-facts.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options.js';
import type { Page } from '../platform/page.js';
import type { Diagnostics, Network, Platform } from '../platform/ports.js';
import { selectorFor } from '../selection/selector.js';
import { ConnectOptions } from '../session/connect-options.js';
import { keepAliveIn } from '../session/page-keepalive.js';
import { Session } from '../session/session.js';
import { SessionScope } from '../session/session-scope.js';
import type { TabIdentity } from '../tabs/tab-identity.js';
import { loadMoves } from './chunks.js';
import { registerDiscovery } from './discovery.js';
import {
  admitBy,
  type MovingParts,
  own,
  type PartContainer,
  type ProcessParts,
  type Tools,
} from './parts.js';
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
  const { discovery, allowInsecure } = options;
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
      registerConnection(register, options, process);
      registerMoves(register, options, process.tools);
      registerLifecycle(register, platform);
      registerDiscovery(register, options, brokers, platform);
      registerDelivery(register, options, process);
      register(own.engine, (c) => {
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
          warnings: options.warnings,
        });
      });
      options.overrides?.(publicFace(container));
      return container.resolve(own.engine);
    },
  };
}

function registerConnection(
  register: PartContainer['register'],
  {
    dial,
    backoff,
    health,
    liveness,
    sessions,
    credentials,
    selection,
    zone,
    reconnect,
    attemptTimeoutMs,
    mqtt,
  }: ResolvedOptions,
  process: ProcessParts,
): void {
  register(tokens.selector, (c) => selectorFor(selection, zone, c.resolve(tokens.random)));
  register(tokens.health, (c) => {
    const clock = c.resolve(tokens.clock);
    const { platform } = process;
    // Another time, another network or another way there: what the others find does not hold for this client.
    const isAlone =
      clock !== platform.clock || c.resolve(tokens.network) !== platform.network || hasOwnWay(mqtt);
    const events = c.resolve(own.events);
    return new HealthBook(
      health,
      clock,
      c.resolve(tokens.random),
      events,
      isAlone ? undefined : process.health,
    );
  });
  register(own.credentials, (c) => new Credentials(credentials, c.resolve(tokens.clock)));
  register(tokens.dialer, (c) => {
    const transportTimeoutMs = Math.min(dial.transportTimeoutMs, attemptTimeoutMs);
    const bounds = { ...dial, transportTimeoutMs };
    const secrets = c.resolve(own.credentials);
    const session = c.resolve(own.session);
    return new RacingDialer(c.resolve(tokens.network), c.resolve(tokens.clock), bounds, {
      prepare: (target, signal) => secrets.prepare(target, signal),
      admit: admitBy(c.resolve(own.watcher)),
      budget: process.tools.dialBudget,
      roundTripMs: () => session.roundTripMs,
    });
  });
  register(own.connectOptions, (c) => new ConnectOptions(c.resolve(own.core), new SessionScope(sessions)));
  register(
    own.session,
    (c) =>
      new Session(
        c.resolve(own.core),
        c.resolve(own.connectOptions),
        liveness,
        c.resolve(tokens.clock),
        c.resolve(own.events),
      ),
  );
  register(own.supervisor, (c) => {
    return new Supervisor({
      watcher: c.resolve(own.watcher),
      selector: c.resolve(tokens.selector),
      health: c.resolve(tokens.health),
      dialer: c.resolve(tokens.dialer),
      session: c.resolve(own.session),
      connectOptions: c.resolve(own.connectOptions),
      credentials: c.resolve(own.credentials),
      core: c.resolve(own.core),
      links: c.resolve(own.delivery),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
      events: c.resolve(own.events),
      refusal: refusalBy(c.resolve(tokens.network), c.resolve(own.watcher), process.platform.page),
      isOnline: onlineBy(process.platform.page),
      loadMove: c.resolve(own.loadMove),
      options: { ...backoff, connackTimeoutMs: dial.connackTimeoutMs, attemptTimeoutMs, reconnect, zone },
    });
  });
}

/** What a client with a reason to move needs; loaded when there is one. */
function registerMoves(
  register: PartContainer['register'],
  options: ResolvedOptions,
  { dialBudget }: Tools,
): void {
  register(own.loadMove, () => async () => (await loadMoves()).move);
  register(own.moves, (c) => {
    const parts: MovingParts = {
      supervisor: c.resolve(own.supervisor),
      watcher: c.resolve(own.watcher),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
      network: c.resolve(tokens.network),
      connectOptions: c.resolve(own.connectOptions),
      core: c.resolve(own.core),
    };
    const { supervisor, watcher, clock } = parts;
    return makeLateMoves({
      load: async () => (await loadMoves()).plannedMoves(parts, options, dialBudget),
      supervisor,
      watcher,
      clock,
      events: c.resolve(own.events),
      mode: options.failback.mode,
      probeMs: options.health.probeMs,
    });
  });
}

function registerLifecycle(register: PartContainer['register'], { page }: Platform): void {
  register(own.lifecycle, (c) => {
    if (!page) return undefined;
    return new Lifecycle({
      signals: page.signals,
      session: c.resolve(own.session),
      supervisor: c.resolve(own.supervisor),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
    });
  });
}

function onlineBy(page: Page | undefined): (() => boolean) | undefined {
  return page && (() => page.signals.isOnline);
}

function registerDelivery(
  register: PartContainer['register'],
  { outbox, mqtt }: ResolvedOptions,
  { platform: { byteLength, freeBuffer }, tools: { createGate }, loadStores }: ProcessParts,
): void {
  register(own.retries, (c) => new Retries(c.resolve(tokens.clock), c.resolve(tokens.random)));
  register(tokens.outbox, (c) => {
    const elsewhere = heldTogether(c.resolve(own.inFlight), c.resolve(own.retries));
    const { store, codec } = outbox;
    const { options } = c.resolve(own.core);
    const random = c.resolve(tokens.random);
    const makeBacklog: MakeBacklog | undefined =
      store === undefined
        ? undefined
        : (shared, owner) => {
            const load = async () => {
              const { Backlog, stores } = await loadStores();
              const lease = () => stores.lease(store, options.clientId ?? '');
              return new Backlog({ ...shared, lease, codec, random }, owner);
            };
            return new LateBacklog(load, owner, shared.events);
          };
    const [clock, events] = [c.resolve(tokens.clock), c.resolve(own.events)];
    return new Outbox(outbox, { clock, events, elsewhere, freeBuffer, makeBacklog });
  });
  register(own.delivery, (c) => {
    const core = c.resolve(own.core);
    const clock = c.resolve(tokens.clock);
    const publisher = new Publisher({
      outbox: c.resolve(tokens.outbox),
      inFlight: c.resolve(own.inFlight),
      retries: c.resolve(own.retries),
      core,
      clock,
      events: c.resolve(own.events),
      options: { ...outbox, queueQoSZero: mqtt.queueQoSZero ?? true },
      dedupIds: outbox.dedupId ? new DedupIds(c.resolve(tokens.random)) : undefined,
      byteLength,
      createGate,
    });
    const subscriptions = new Subscriptions({
      core,
      clock,
      random: c.resolve(tokens.random),
      events: c.resolve(own.events),
      options: {
        resubscribe: mqtt.resubscribe ?? true,
        batchSize: mqtt.subscribeBatchSize ?? SUBSCRIBE_BATCH,
      },
    });
    return new Delivery(publisher, subscriptions);
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

/** Why an endpoint must not be dialed at all; the one question before every dial. */
function refusalBy(
  { schemes }: Network,
  permit: DialPermit,
  page: Page | undefined,
): (endpoint: Endpoint) => string | undefined {
  return (endpoint) => {
    const { scheme } = endpoint;
    if (!schemes.has(scheme)) return `this runtime cannot dial ${scheme}:`;
    if (isMixedContent(endpoint, page)) return `a page from https: cannot dial ${scheme}:`;
    return permit.refusal(endpoint);
  };
}

/** Filters in one SUBSCRIBE when subscriptions are restored. */
const SUBSCRIBE_BATCH = 50;

/** The container as `overrides` sees it: a part is replaced by a value, or by what a factory makes of others. */
function publicFace({ register, resolve }: PartContainer): OverrideContainer {
  const face: OverrideContainer = {
    register: (name, provider) =>
      register(name, () => ('useValue' in provider ? provider.useValue : provider.useFactory(face))),
    resolve,
  };
  return face;
}
