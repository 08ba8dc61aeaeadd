/** Wires what moves a client that has a link. Loaded when there is a reason to move. */
import { Departure } from '../connection/departure.js';
import { Failback } from '../connection/failback.js';
import type { PlannedMoves } from '../connection/late-moves.js';
import { Renewal } from '../connection/renewal.js';
import type { DialBudget } from '../dial/dial-budget.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import { Spare } from '../dial/spare.js';
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
  const supervisor = c.resolve(own.supervisor);
  const connectOptions = c.resolve(own.connectOptions);
  const core = c.resolve(own.core);
  const clock = c.resolve(tokens.clock);
  // As a fail-over dials, but for the credentials, which a probe has no use for.
  const dialer = new RacingDialer(c.resolve(tokens.network), clock, dial, {
    admit: admitBy(c.resolve(own.watcher)),
    budget,
    purpose: 'probe',
  });
  const { candidates } = supervisor;
  return new Failback({
    bounds: { ...failback, probeMs: health.probeMs },
    clock,
    random: c.resolve(tokens.random),
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
}

function departureOf(c: PartContainer, { backoff }: ResolvedOptions, moved: () => void): Departure {
  const supervisor = c.resolve(own.supervisor);
  const watcher = c.resolve(own.watcher);
  const { candidates } = supervisor;
  return new Departure({
    clock: c.resolve(tokens.clock),
    random: c.resolve(tokens.random),
    clientId: () => c.resolve(own.core).options.clientId ?? '',
    current: () => supervisor.current,
    leaveWord: (endpoint) => candidates.leaveWord(endpoint),
    listed: (endpoint) => candidates.listed(endpoint),
    eligible: () => candidates.lots()[0] ?? [],
    hintMs: () => watcher.current?.spreadMs,
    spreadMs: backoff.spreadMs,
    move: (to, reason, how) => supervisor.move(to, reason, how),
    moved,
  });
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
