/** One client without sockets, for tests that need several, or that look at what one does over minutes. */
import type { SupervisorOptions } from '../../../src/connection/parts.js';
import { Credentials, type CredentialsProvider } from '../../../src/dial/credentials.js';
import type { DialBudget } from '../../../src/dial/dial-budget.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import type { Endpoint } from '../../../src/endpoint.js';
import type { SharedHealth } from '../../../src/health/shared-health.js';
import type { Random } from '../../../src/platform/ports.js';
import { fixedRandom } from '../../support/seeded-random.js';
import type { VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from './fake-core.js';
import type { FakeNetwork } from './fake-network.js';
import { connectOptionsOf, sessionOf, supervisorOf } from './parts.js';
import { Recorder } from './recorder.js';

export interface ClientSetup extends Partial<SupervisorOptions> {
  readonly clock: VirtualClock;
  readonly network: FakeNetwork;
  readonly endpoints: readonly Endpoint[];
  readonly set?: Partial<EndpointSet>;
  /** Answers discovery instead of `endpoints` and `set`, every `refreshMs`. */
  readonly resolve?: () => Promise<EndpointSet>;
  readonly refreshMs?: number;
  readonly clientId?: string;
  readonly random?: Random;
  readonly process?: { readonly health: SharedHealth; readonly dialBudget: DialBudget };
  readonly provider?: CredentialsProvider;
  readonly isOnline?: () => boolean;
}

/** A client of MQTT 5 with the default bounds that tries endpoints in the order of the list; every draw is 0.5. */
export function clientOf({
  clock,
  network,
  endpoints,
  set,
  resolve = async () => ({ endpoints, source: 'test', ...set }),
  refreshMs,
  clientId = 'c',
  random = fixedRandom(0.5),
  process,
  provider,
  isOnline,
  ...given
}: ClientSetup) {
  const events = new Recorder();
  const core = new FakeCore();
  Object.assign(core.options, { protocolVersion: 5, clientId });
  const watcher = new Watcher({ resolver: { resolve }, clock, random, events, refreshMs });
  const connectOptions = connectOptionsOf(core);
  const session = sessionOf(core, clock, connectOptions, events);
  const supervisor = supervisorOf({
    watcher,
    network,
    credentials: new Credentials(provider, clock),
    session,
    connectOptions,
    core,
    links: { linkUp: () => {}, linkDown: () => false, quiesce: async () => true, resume: () => {} },
    clock,
    random,
    events,
    refusal: () => undefined,
    isOnline,
    options: {
      minMs: 1_000,
      baseMs: 2_000,
      maxMs: 30_000,
      resetAfterMs: 30_000,
      spreadMs: 100,
      connackTimeoutMs: 10_000,
      attemptTimeoutMs: Number.POSITIVE_INFINITY,
      reconnect: true,
      ...given,
    },
    ...(process ? { process } : {}),
  });
  return {
    events,
    core,
    watcher,
    session,
    supervisor,
    /** The broker sends DISCONNECT. */
    disconnect: (reasonCode: number) => session.packetReceived({ cmd: 'disconnect', reasonCode }),
    /** The line breaks. */
    cut: () => session.takeStream().destroy(),
    /** As the engine does: stop, then let go of the stream. */
    end: () => {
      supervisor.stop('the test ends');
      session.takeStream().destroy();
    },
  };
}
