/** What moves a client that has a link, home or away, made for one supervisor. */
import type { Dialer } from '../dial/dialer.js';
import { Spare } from '../dial/spare.js';
import type { EndpointList } from '../discovery/endpoint-list.js';
import type { Clock, Random } from '../platform/ports.js';
import type { ConnectOptions } from '../session/connect-options.js';
import { Departure } from './departure.js';
import { Failback, type FailbackBounds } from './failback.js';
import type { Supervisor } from './supervisor.js';

export interface RoamingDeps {
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly random: Random;
  readonly clientId: () => string;
}

export interface FailbackInit extends RoamingDeps {
  readonly bounds: FailbackBounds;
  readonly connectOptions: Pick<ConnectOptions, 'target' | 'mayLeave'>;
  /** Dials for probes. */
  readonly dialer: Dialer;
}

/** Makes what brings a client home; the caller has it told of links. */
export function makeFailback(init: FailbackInit): Failback {
  const { supervisor, connectOptions, dialer, clock, random, clientId, bounds } = init;
  const { candidates } = supervisor;
  return new Failback({
    bounds,
    clock,
    random,
    clientId,
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

export interface DepartureInit extends RoamingDeps {
  readonly watcher: EndpointList;
  /** `backoff.spreadMs` of the options. */
  readonly spreadMs: number;
  /** A departure came about. */
  readonly moved: () => void;
}

/** Makes what leads a client away from an endpoint that is taken away; the caller has it told of links and of lists. */
export function makeDeparture(init: DepartureInit): Departure {
  const { supervisor, watcher, clock, random, clientId, spreadMs, moved } = init;
  const { candidates } = supervisor;
  return new Departure({
    clock,
    random,
    clientId,
    spreadMs,
    moved,
    current: () => supervisor.current,
    leaveWord: (endpoint) => candidates.leaveWord(endpoint),
    listed: (endpoint) => candidates.listed(endpoint),
    eligible: () => candidates.lots()[0] ?? [],
    hintMs: () => watcher.current?.spreadMs,
    move: (to, reason, how) => supervisor.move(to, reason, how),
  });
}
