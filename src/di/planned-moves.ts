/** Wires what moves a client that has a link. Loaded when there is a reason to move. */
import type { Departure } from '../connection/departure.js';
import type { Failback } from '../connection/failback.js';
import type { PlannedMoves } from '../connection/late-moves.js';
import { Renewal } from '../connection/renewal.js';
import { makeDeparture, makeFailback, type RoamingDeps } from '../connection/roaming.js';
import type { DialBudget } from '../dial/dial-budget.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import type { ResolvedOptions } from '../options/resolved.js';
import { admitBy, type MovingParts } from './parts.js';

export { move } from '../connection/move.js';

/** What decides on moves of one client. */
export function plannedMoves(
  parts: MovingParts,
  options: ResolvedOptions,
  dialBudget: DialBudget | undefined,
): PlannedMoves {
  const failback = failbackOf(parts, options, dialBudget);
  const departure = departureOf(parts, options, () => failback.moved());
  return { failback, renewal: renewalOf(parts), departure };
}

function failbackOf(
  parts: MovingParts,
  { dial, failback, health }: ResolvedOptions,
  budget: DialBudget | undefined,
): Failback {
  const { network, clock, watcher, connectOptions } = parts;
  return makeFailback({
    ...roaming(parts),
    bounds: { ...failback, probeMs: health.probeMs },
    connectOptions,
    // As a fail-over dials, but for the credentials, which a probe has no use for.
    dialer: new RacingDialer(network, clock, dial, { admit: admitBy(watcher), budget, purpose: 'probe' }),
  });
}

function departureOf(parts: MovingParts, { backoff }: ResolvedOptions, moved: () => void): Departure {
  return makeDeparture({
    ...roaming(parts),
    watcher: parts.watcher,
    spreadMs: backoff.spreadMs,
    moved,
  });
}

function roaming({ supervisor, clock, random, core }: MovingParts): RoamingDeps {
  return { supervisor, clock, random, clientId: () => core.options.clientId ?? '' };
}

function renewalOf({ supervisor, clock, random }: MovingParts): Renewal {
  return new Renewal({
    clock,
    random,
    renew: async (reason) => {
      const { current } = supervisor;
      if (current) await supervisor.move(current.id, reason, { event: 'move', patient: false });
    },
  });
}
