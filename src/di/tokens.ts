/** Names of the parts of a client, for its container and for `overrides`. */

import type { Outbox } from '../delivery/outbox.js';
import type { Dialer } from '../dial/dialer.js';
import type { Resolver } from '../discovery/resolver.js';
import type { HealthBook } from '../health/health-book.js';
import type { Clock, Network, Random } from '../platform/ports.js';
import type { Selector } from '../selection/selector.js';

/** Names a part; `T` is what must be registered for it. Compare by identity. */
export type PartToken<T> = symbol & {
  /** Carries the type; never there. @internal */
  readonly __part?: T;
};

function token<T>(description: string): PartToken<T> {
  return Symbol(description);
}

/**
 * The replaceable parts of a client:
 *
 * ```ts
 * connect(brokers, { overrides: (container) => container.register(tokens.clock, { useValue: myClock }) });
 * ```
 */
export const tokens = Object.freeze({
  /** Time and timers. */
  clock: token<Clock>('clock'),
  /** Chance, for jitter. */
  random: token<Random>('random'),
  /** Opens transports. */
  network: token<Network>('network'),
  /** Finds the endpoints. */
  resolver: token<Resolver>('resolver'),
  /** Orders them for this client. */
  selector: token<Selector>('selector'),
  /** Remembers who failed. */
  health: token<HealthBook>('health'),
  /** Races transports to several endpoints. */
  dialer: token<Dialer>('dialer'),
  /** Keeps what waits. */
  outbox: token<Outbox>('outbox'),
});

/** The container of one client, as `overrides` sees it. */
export interface OverrideContainer {
  /** Replaces a part; the last registration counts. */
  register<T>(
    part: PartToken<T>,
    provider: { useValue: T } | { useFactory: (container: OverrideContainer) => T },
  ): unknown;
  /** The part as registered so far, for decorating it. */
  resolve<T>(part: PartToken<T>): T;
}
