/** Names of the parts of a client, for its container and for `overrides`. */

import type { Outbox } from '../delivery/outbox.js';
import type { Dialer } from '../dial/dialer.js';
import type { Resolver } from '../discovery/resolver.js';
import type { HealthBook } from '../health/health-book.js';
import type { Clock, Network, Random } from '../platform/ports.js';
import type { Selector } from '../selection/selector.js';

/** Names a part; `T` is what must be registered for it. Compare by identity. */
export type PartToken<T> = symbol & { readonly __part?: T };

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
  clock: token<Clock>('clock'),
  random: token<Random>('random'),
  network: token<Network>('network'),
  resolver: token<Resolver>('resolver'),
  selector: token<Selector>('selector'),
  health: token<HealthBook>('health'),
  dialer: token<Dialer>('dialer'),
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
