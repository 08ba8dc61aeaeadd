/**
 * Composition root: the only file that knows which class stands behind each part, and the only one that imports
 * tsyringe. One child container per client, factories only, nothing registered on the global container.
 */
// First, and as a package of its own: tsyringe refuses to load without it, and bundlers drop a local side-effect file.
import 'reflect-metadata/lite';
import {
  type DependencyContainer,
  type InjectionToken,
  instancePerContainerCachingFactory,
  container as root,
} from 'tsyringe';
import type { ParsedBrokers } from '../brokers.js';
import { Departure } from '../connection/departure.js';
import { Failback } from '../connection/failback.js';
import { Renewal } from '../connection/renewal.js';
import { Supervisor } from '../connection/supervisor.js';
import { Delivery } from '../delivery/delivery.js';
import { InFlight } from '../delivery/in-flight.js';
import { heldTogether, Outbox } from '../delivery/outbox.js';
import { PacketIds } from '../delivery/packet-ids.js';
import { Publisher } from '../delivery/publisher.js';
import { Retries } from '../delivery/retries.js';
import { Subscriptions } from '../delivery/subscriptions.js';
import type { Admit } from '../dial/addresses.js';
import { Credentials } from '../dial/credentials.js';
import type { DialBudget } from '../dial/dial-budget.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import { Spare } from '../dial/spare.js';
import { createResolver, type ResolverDeps } from '../discovery/create-resolver.js';
import { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import { Engine } from '../engine.js';
import type { EventSink } from '../events.js';
import { HealthBook } from '../health/health-book.js';
import { hasOwnWay } from '../health/node-facts.js';
import type { SharedHealth } from '../health/shared-health.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options.js';
import type { Clock, Network, Platform, Random } from '../platform/ports.js';
import { clientIdSelector, orderedSelector, randomSelector, type Selector } from '../selection/selector.js';
import { ConnectOptions } from '../session/connect-options.js';
import { Session } from '../session/session.js';
import { SessionScope } from '../session/session-scope.js';
import { type OverrideContainer, type PartToken, tokens } from './tokens.js';

/** Parts that are wired here and cannot be replaced. */
const CORE: InjectionToken<MqttCore> = Symbol('core');
const EVENTS: InjectionToken<EventSink> = Symbol('events');
const IN_FLIGHT: InjectionToken<InFlight> = Symbol('in-flight');
const RETRIES: InjectionToken<Retries> = Symbol('retries');
const CONNECT_OPTIONS: InjectionToken<ConnectOptions> = Symbol('connect-options');
const SESSION: InjectionToken<Session> = Symbol('session');
const WATCHER: InjectionToken<Watcher> = Symbol('watcher');
const DELIVERY: InjectionToken<Delivery> = Symbol('delivery');
const SUPERVISOR: InjectionToken<Supervisor> = Symbol('supervisor');
const ADMIT: InjectionToken<Admit> = Symbol('admit');
const CREDENTIALS: InjectionToken<Credentials> = Symbol('credentials');
const FAILBACK: InjectionToken<Failback> = Symbol('failback');
const RENEWAL: InjectionToken<Renewal> = Symbol('renewal');
const DEPARTURE: InjectionToken<Departure> = Symbol('departure');
const ENGINE: InjectionToken<Engine> = Symbol('engine');

/** What a client is made of, in the two steps that extending `MqttClient` takes. */
export interface Composition {
  /** Given to MQTT.js's constructor. */
  readonly inFlight: InFlight;
  /** Given to MQTT.js's constructor. */
  readonly packetIds: PacketIds;
  /** Builds the rest around the client's own methods; called once. */
  start(core: MqttCore, events: EventSink): Engine;
}

/** What all clients of one process have in common. */
export interface ProcessParts {
  readonly platform: Platform;
  readonly health: SharedHealth;
  readonly dialBudget: DialBudget;
}

/** Wires one client. Reads options and builds objects; starts nothing. */
export function composeClient(
  brokers: ParsedBrokers,
  options: ResolvedOptions,
  process: ProcessParts,
): Composition {
  const { platform } = process;
  const resolverWith = (clock: Clock, random: Random) =>
    createResolver(brokers, resolverDeps(options, platform, clock, random));
  // What cannot be resolved here is refused now, before any I/O.
  resolverWith(platform.clock, platform.random);
  const inFlight = new InFlight();
  return {
    inFlight,
    packetIds: new PacketIds(inFlight),
    start: (core, events) => {
      const container = root.createChildContainer();
      const register: Register = (name, make) =>
        container.register(name, { useFactory: instancePerContainerCachingFactory(make) });

      register(tokens.clock, () => platform.clock);
      register(tokens.random, () => platform.random);
      register(tokens.network, () => platform.network);
      register(tokens.resolver, (c) => resolverWith(part(c, tokens.clock), part(c, tokens.random)));
      register(CORE, () => core);
      register(EVENTS, () => events);
      register(IN_FLIGHT, () => inFlight);
      registerConnection(register, options, process);
      registerFailback(register, options, process);
      registerRenewal(register);
      registerDiscovery(register, options, brokers.kind);
      registerDelivery(register, options, platform.byteLength);
      register(ENGINE, (c) => {
        return new Engine({
          core: c.resolve(CORE),
          session: c.resolve(SESSION),
          supervisor: c.resolve(SUPERVISOR),
          failback: c.resolve(FAILBACK),
          renewal: c.resolve(RENEWAL),
          departure: c.resolve(DEPARTURE),
          delivery: c.resolve(DELIVERY),
          watcher: c.resolve(WATCHER),
          health: part(c, tokens.health),
          clock: part(c, tokens.clock),
          events: c.resolve(EVENTS),
        });
      });
      options.overrides?.(publicFace(container));
      return container.resolve(ENGINE);
    },
  };
}

/** Resolves a public part with its type, which the symbol carries and tsyringe cannot see. */
function part<T>(container: DependencyContainer, name: PartToken<T>): T {
  return container.resolve<T>(name);
}

type Register = <T>(name: InjectionToken<T> | PartToken<T>, make: (c: DependencyContainer) => T) => unknown;

function registerConnection(
  register: Register,
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
  register(tokens.selector, (c): Selector => {
    if (typeof selection === 'object') return selection;
    if (selection === 'ordered') return orderedSelector(zone);
    if (selection === 'random') return randomSelector(part(c, tokens.random), zone);
    return clientIdSelector(zone);
  });
  register(tokens.health, (c) => {
    const clock = part(c, tokens.clock);
    const { platform } = process;
    // Another time, another network or another way there: what the others find does not hold for this client.
    const isAlone =
      clock !== platform.clock || part(c, tokens.network) !== platform.network || hasOwnWay(mqtt);
    const events = c.resolve(EVENTS);
    return new HealthBook(
      health,
      clock,
      part(c, tokens.random),
      events,
      isAlone ? undefined : process.health,
    );
  });
  register(CREDENTIALS, (c) => new Credentials(credentials, part(c, tokens.clock)));
  register(ADMIT, (): Admit => (_target, addresses) => addresses);
  register(tokens.dialer, (c) => {
    const transportTimeoutMs = Math.min(dial.transportTimeoutMs, attemptTimeoutMs);
    const bounds = { ...dial, transportTimeoutMs };
    return new RacingDialer(part(c, tokens.network), part(c, tokens.clock), bounds, {
      prepare: (target, signal) => c.resolve(CREDENTIALS).prepare(target, signal),
      admit: c.resolve(ADMIT),
      budget: process.dialBudget,
      // Asked when a dial begins: by then the session, which is made after the dialer, has had its links.
      roundTripMs: () => c.resolve(SESSION).roundTripMs,
    });
  });
  register(CONNECT_OPTIONS, (c) => new ConnectOptions(c.resolve(CORE), new SessionScope(sessions)));
  register(
    SESSION,
    (c) => new Session(c.resolve(CORE), c.resolve(CONNECT_OPTIONS), liveness, part(c, tokens.clock)),
  );
  register(SUPERVISOR, (c) => {
    return new Supervisor({
      watcher: c.resolve(WATCHER),
      selector: part(c, tokens.selector),
      health: part(c, tokens.health),
      dialer: part(c, tokens.dialer),
      session: c.resolve(SESSION),
      connectOptions: c.resolve(CONNECT_OPTIONS),
      credentials: c.resolve(CREDENTIALS),
      core: c.resolve(CORE),
      links: c.resolve(DELIVERY),
      clock: part(c, tokens.clock),
      random: part(c, tokens.random),
      events: c.resolve(EVENTS),
      canDial: canDialBy(part(c, tokens.network)),
      options: { ...backoff, connackTimeoutMs: dial.connackTimeoutMs, attemptTimeoutMs, reconnect, zone },
    });
  });
}

function registerFailback(
  register: Register,
  { backoff, dial, failback, health }: ResolvedOptions,
  { dialBudget }: ProcessParts,
): void {
  register(FAILBACK, (c) => {
    const supervisor = c.resolve(SUPERVISOR);
    const connectOptions = c.resolve(CONNECT_OPTIONS);
    const core = c.resolve(CORE);
    // As a fail-over dials, but for the credentials, which a probe has no use for.
    const dialer = new RacingDialer(part(c, tokens.network), part(c, tokens.clock), dial, {
      admit: c.resolve(ADMIT),
      budget: dialBudget,
      purpose: 'probe',
    });
    const { candidates } = supervisor;
    return new Failback({
      bounds: { ...failback, probeMs: health.probeMs },
      clock: part(c, tokens.clock),
      random: part(c, tokens.random),
      clientId: () => core.options.clientId ?? '',
      better: () => (supervisor.current ? candidates.better(supervisor.current) : []),
      home: () => candidates.dialable()[0],
      target: (endpoint) => connectOptions.target(endpoint),
      probe: async (target, signal) => {
        let failure: Error | undefined;
        const dialed = await dialer.dial([target], signal, (_target, error) => {
          failure = error;
        });
        if (!dialed) throw failure;
        new Spare(dialed).discard();
      },
      observed: (id, ok) => supervisor.probed(id, ok),
      move: (to, reason, how) => supervisor.move(to, reason, how),
      mayLeave: () => connectOptions.mayLeave(),
    });
  });
  register(DEPARTURE, (c) => {
    const supervisor = c.resolve(SUPERVISOR);
    const watcher = c.resolve(WATCHER);
    const { candidates } = supervisor;
    const departure = new Departure({
      clock: part(c, tokens.clock),
      random: part(c, tokens.random),
      clientId: () => c.resolve(CORE).options.clientId ?? '',
      current: () => supervisor.current,
      leaveWord: (endpoint) => candidates.leaveWord(endpoint),
      listed: (endpoint) => candidates.listed(endpoint),
      eligible: () => candidates.lots()[0] ?? [],
      hintMs: () => watcher.current?.spreadMs,
      spreadMs: backoff.spreadMs,
      move: (to, reason, how) => supervisor.move(to, reason, how),
      moved: () => c.resolve(FAILBACK).moved(),
    });
    watcher.onChange(() => departure.listChanged());
    return departure;
  });
}

function registerRenewal(register: Register): void {
  register(RENEWAL, (c) => {
    const supervisor = c.resolve(SUPERVISOR);
    return new Renewal({
      clock: part(c, tokens.clock),
      random: part(c, tokens.random),
      renew: async (reason) => {
        const { current } = supervisor;
        if (current) await supervisor.move(current.id, reason, { event: 'move', patient: false });
      },
    });
  });
}

function resolverDeps(
  { discovery, mqtt, allowInsecure }: ResolvedOptions,
  platform: Platform,
  clock: Clock,
  random: Random,
): ResolverDeps {
  const { dns, fetch, httpCache, network } = platform;
  const { schemes } = network;
  return {
    clock,
    srv: { ...discovery, clock, fetch, dns, log: (message) => mqtt.log?.(message) },
    registry: { ...discovery.registry, allowInsecure, fetch, httpCache, clock, random, schemes },
  };
}

const DEFAULT_REFRESH_MS = 30_000;

function registerDiscovery(
  register: Register,
  { discovery }: ResolvedOptions,
  kind: ParsedBrokers['kind'],
): void {
  const { refreshMs = DEFAULT_REFRESH_MS } = discovery;
  register(
    WATCHER,
    (c) =>
      new Watcher({
        resolver: part(c, tokens.resolver),
        clock: part(c, tokens.clock),
        random: part(c, tokens.random),
        events: c.resolve(EVENTS),
        refreshMs: kind === 'static' ? undefined : refreshMs,
      }),
  );
}

function registerDelivery(
  register: Register,
  { outbox, mqtt }: ResolvedOptions,
  byteLength: Platform['byteLength'],
): void {
  register(RETRIES, (c) => new Retries(part(c, tokens.clock), part(c, tokens.random)));
  register(tokens.outbox, (c) => {
    const elsewhere = heldTogether(c.resolve(IN_FLIGHT), c.resolve(RETRIES));
    return new Outbox(outbox, part(c, tokens.clock), c.resolve(EVENTS), elsewhere);
  });
  register(DELIVERY, (c) => {
    const core = c.resolve(CORE);
    const clock = part(c, tokens.clock);
    const publisher = new Publisher({
      outbox: part(c, tokens.outbox),
      inFlight: c.resolve(IN_FLIGHT),
      retries: c.resolve(RETRIES),
      core,
      clock,
      events: c.resolve(EVENTS),
      options: { ...outbox, queueQoSZero: mqtt.queueQoSZero ?? true },
      byteLength,
    });
    const subscriptions = new Subscriptions({
      core,
      clock,
      random: part(c, tokens.random),
      events: c.resolve(EVENTS),
      options: {
        resubscribe: mqtt.resubscribe ?? true,
        batchSize: mqtt.subscribeBatchSize ?? SUBSCRIBE_BATCH,
      },
    });
    return new Delivery(publisher, subscriptions);
  });
}

/** Whether a runtime can dial an endpoint at all. */
function canDialBy({ schemes }: Network): (endpoint: Endpoint) => boolean {
  return ({ scheme }) => schemes.has(scheme);
}

/** Filters in one SUBSCRIBE when subscriptions are restored. */
const SUBSCRIBE_BATCH = 50;

/** Public types name no tsyringe type; the container itself does the work. */
function publicFace(container: DependencyContainer): OverrideContainer {
  return {
    register: (name, provider) => {
      if ('useValue' in provider) return container.register(name, provider);
      const { useFactory } = provider;
      const make = instancePerContainerCachingFactory(() => useFactory(publicFace(container)));
      return container.register(name, { useFactory: make });
    },
    resolve: (name) => part(container, name),
  };
}
