/** Wires what a link is made of: whom to ask first, the dial, and the session over it. */
import { Credentials } from '../dial/credentials.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import { HealthBook } from '../health/health-book.js';
import { hasOwnWay } from '../health/node-facts.js';
import type { ResolvedOptions } from '../options/resolved.js';
import { selectorFor } from '../selection/selector.js';
import { ConnectOptions } from '../session/connect-options.js';
import { Session } from '../session/session.js';
import { SessionScope } from '../session/session-scope.js';
import { admitBy, own, type PartContainer, type ProcessParts } from './parts.js';
import { tokens } from './tokens.js';

export function registerLink(
  register: PartContainer['register'],
  options: ResolvedOptions,
  process: ProcessParts,
): void {
  const { dial, liveness, mqtt, attemptTimeoutMs } = options;
  const { platform, tools } = process;
  register(tokens.selector, (c) => selectorFor(options.selection, options.zone, c.resolve(tokens.random)));
  register(tokens.health, (c) => {
    const clock = c.resolve(tokens.clock);
    // Another time, another network or another way there: what the others find does not hold for this client.
    const isAlone =
      clock !== platform.clock || c.resolve(tokens.network) !== platform.network || hasOwnWay(mqtt);
    return new HealthBook(
      options.health,
      clock,
      c.resolve(tokens.random),
      c.resolve(own.events),
      isAlone ? undefined : process.health,
    );
  });
  register(own.credentials, (c) => new Credentials(options.credentials, c.resolve(tokens.clock)));
  register(tokens.dialer, (c) => {
    const transportTimeoutMs = Math.min(dial.transportTimeoutMs, attemptTimeoutMs);
    const bounds = { ...dial, transportTimeoutMs };
    const secrets = c.resolve(own.credentials);
    const session = c.resolve(own.session);
    return new RacingDialer(c.resolve(tokens.network), c.resolve(tokens.clock), bounds, {
      prepare: (target, signal) => secrets.prepare(target, signal),
      admit: admitBy(c.resolve(own.watcher)),
      budget: tools.dialBudget,
      roundTripMs: () => session.roundTripMs,
    });
  });
  register(
    own.connectOptions,
    (c) => new ConnectOptions(c.resolve(own.core), new SessionScope(options.sessions)),
  );
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
}
