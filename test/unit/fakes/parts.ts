/** Parts that several tests need, wired with what they do not care about. */
import { ConnectOptions } from '../../../src/connection/connect-options.js';
import type { MqttCore } from '../../../src/connection/mqtt-core.js';
import { Session } from '../../../src/connection/session.js';
import { SessionScope } from '../../../src/connection/session-scope.js';
import type { Clock } from '../../../src/platform/ports.js';
import type { FakeCore } from './fake-core.js';

export function connectOptionsOf(core: Pick<MqttCore, 'options' | 'client'>): ConnectOptions {
  return new ConnectOptions(core, new SessionScope('auto'));
}

/** A session over `core`, which from now on takes its streams. */
export function sessionOf(core: FakeCore, clock: Clock, connectOptions = connectOptionsOf(core)): Session {
  const liveness = { suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 };
  const session = new Session(core, connectOptions, liveness, clock);
  core.session = session;
  return session;
}
