/** Parts that several tests need, wired with what they do not care about. */

import { move } from '../../../src/connection/move.js';
import type { SupervisorDeps } from '../../../src/connection/parts.js';
import { Supervisor } from '../../../src/connection/supervisor.js';
import type { Credentials } from '../../../src/dial/credentials.js';
import type { DialBudget } from '../../../src/dial/dial-budget.js';
import { RacingDialer } from '../../../src/dial/racing-dialer.js';
import type { EventSink } from '../../../src/events.js';
import { HealthBook } from '../../../src/health/health-book.js';
import type { SharedHealth } from '../../../src/health/shared-health.js';
import type { MqttCore } from '../../../src/mqtt/mqtt-core.js';
import type { Clock, Random } from '../../../src/platform/ports.js';
import { orderedSelector } from '../../../src/selection/selector.js';
import { type BrokerLimits, NO_LIMITS } from '../../../src/session/broker-limits.js';
import { ConnectOptions } from '../../../src/session/connect-options.js';
import type { Link } from '../../../src/session/link.js';
import { Session } from '../../../src/session/session.js';
import { SessionScope } from '../../../src/session/session-scope.js';
import type { FakeCore } from './fake-core.js';
import { endpoint, type FakeNetwork } from './fake-network.js';
import type { Recorder } from './recorder.js';

export function connectOptionsOf(core: Pick<MqttCore, 'options' | 'client'>): ConnectOptions {
  return new ConnectOptions(core, new SessionScope('auto'));
}

/** An accepted connection to a broker that named `limits` only. */
export function linkTo(id: string, limits: Partial<BrokerLimits> = {}, resumed = false): Link {
  const terms = { ...NO_LIMITS, ...limits };
  return { endpoint: endpoint(id), resumed, limits: terms, expiresAt: undefined };
}

/** A session over `core`, which from now on takes its streams. */
export function sessionOf(
  core: FakeCore,
  clock: Clock,
  connectOptions = connectOptionsOf(core),
  events: EventSink = { emit: () => {} },
): Session {
  const liveness = { suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 };
  const session = new Session(core, connectOptions, liveness, clock, events);
  core.session = session;
  return session;
}

/** What a test decides of a supervisor; the rest is wired as the container does, with the default bounds. */
type SupervisorSetup = Omit<
  SupervisorDeps,
  'selector' | 'health' | 'dialer' | 'clock' | 'random' | 'events' | 'credentials' | 'loadMove'
> & {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Recorder;
  readonly network: FakeNetwork;
  readonly credentials: Credentials;
  /** What the client has in common with others, if there are others. */
  readonly process?: { readonly health: SharedHealth; readonly dialBudget: DialBudget };
};

/** A supervisor that tries endpoints in the order of the list, over a scripted network. */
export function supervisorOf({ network, process, ...setup }: SupervisorSetup): Supervisor {
  const { clock, random, events, credentials } = setup;
  const health = { failures: 2, ejectMs: 30_000, maxEjectMs: 300_000, panicAbove: 0.5 };
  const race = { staggerMs: 250, race: 3, transportTimeoutMs: 5_000 };
  return new Supervisor({
    ...setup,
    loadMove: async () => move,
    selector: orderedSelector(),
    health: new HealthBook(health, clock, random, events, process?.health),
    dialer: new RacingDialer(network, clock, race, {
      prepare: (target, signal) => credentials.prepare(target, signal),
      ...(process ? { budget: process.dialBudget } : {}),
    }),
  });
}
