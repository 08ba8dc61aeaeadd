/** Wires what moves a client that has a link. Loaded when there is a reason to move. */
import type { Departure } from '../connection/departure.js';
import type { Failback } from '../connection/failback.js';
import type { PlannedMoves } from '../connection/late-moves.js';
import { Renewal } from '../connection/renewal.js';
import { makeDeparture, makeFailback, type RoamingDeps } from '../connection/roaming.js';
import type { DialBudget } from '../dial/dial-budget.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import type { ResolvedOptions } from '../options.js';
import { admitBy, own, type PartContainer } from './parts.js';
import { tokens } from './tokens.js';

export { move } from '../connection/move.js';

/** What decides on moves of one client. */
export function plannedMoves(
  c: PartContainer,
  options: ResolvedOptions,
  dialBudget: DialBudget | undefined,
): PlannedMoves {
  const failback = failbackOf(c, options, dialBudget);
  return { failback, renewal: renewalOf(c), departure: departureOf(c, options, () => failback.moved()) };
}

function failbackOf(
  c: PartContainer,
  { dial, failback, health }: ResolvedOptions,
  budget: DialBudget | undefined,
): Failback {
  const clock = c.resolve(tokens.clock);
  return makeFailback({
    ...roaming(c),
    bounds: { ...failback, probeMs: health.probeMs },
    connectOptions: c.resolve(own.connectOptions),
    // As a fail-over dials, but for the credentials, which a probe has no use for.
    dialer: new RacingDialer(c.resolve(tokens.network), clock, dial, {
      admit: admitBy(c.resolve(own.watcher)),
      budget,
      purpose: 'probe',
    }),
  });
}

function departureOf(c: PartContainer, { backoff }: ResolvedOptions, moved: () => void): Departure {
  return makeDeparture({
    ...roaming(c),
    watcher: c.resolve(own.watcher),
    spreadMs: backoff.spreadMs,
    moved,
  });
}

function roaming(c: PartContainer): RoamingDeps {
  return {
    supervisor: c.resolve(own.supervisor),
    clock: c.resolve(tokens.clock),
    random: c.resolve(tokens.random),
    clientId: () => c.resolve(own.core).options.clientId ?? '',
  };
}

function renewalOf(c: PartContainer): Renewal {
  const supervisor = c.resolve(own.supervisor);
  return new Renewal({
    clock: c.resolve(tokens.clock),
    random: c.resolve(tokens.random),
    renew: async (reason) => {
      const { current } = supervisor;
      if (current) await supervisor.move(current.id, reason, { event: 'move', patient: false });
    },
  });
}
