/** What is simulated, and what of it is drawn. */
import type { SimulationOptions } from '../../../src/simulator/index.js';

/** Part of a run that a chart shows. */
export interface Excerpt {
  /** CONNECTs for each tenth of a second, or the fullest node over the mean for each ten seconds. */
  readonly what: 'connects' | 'skew';
  /** Seconds after the fleet was at rest. */
  readonly from: number;
  readonly to: number;
}

export interface Case extends Pick<SimulationOptions, 'scenario' | 'policy' | 'spreadMs' | 'client'> {
  readonly name: string;
  /** Share of the clients that it is run with; left out, all. */
  readonly share?: number;
  readonly excerpt?: Excerpt;
}

/** Milliseconds that the list asks the fleet to spread over. */
const SPREAD_MS = 30_000;
/** A client dials two hundred times in ten minutes without a broker: with all of them the outage alone would take as long as all else. */
const OUTAGE_SHARE = 0.1;

const storm: Excerpt = { what: 'connects', from: 0, to: 40 };
const return_: Excerpt = { what: 'connects', from: 595, to: 640 };
const skew: Excerpt = { what: 'skew', from: 0, to: 25 * 60 };

const dies = { scenario: 'node-dies', excerpt: storm } as const;
const restart = { scenario: 'rolling-restart', excerpt: skew } as const;
const outage = { scenario: 'total-outage', share: OUTAGE_SHARE, excerpt: return_ } as const;
const fullJitter = { policy: 'full-jitter' } as const;
const listWalker = { policy: 'list-walker' } as const;

export const CASES = {
  dies: { name: 'node dies, spread 30 s', ...dies, spreadMs: SPREAD_MS },
  diesUnspread: { name: 'node dies', ...dies },
  diesFullJitter: { name: 'node dies, full jitter', ...dies, ...fullJitter },
  diesListWalker: { name: 'node dies, list walker', ...dies, ...listWalker },
  returns: { name: 'node returns', scenario: 'node-returns' },
  restart: { name: 'rolling restart, spread 30 s', ...restart, spreadMs: SPREAD_MS },
  restartFullJitter: { name: 'rolling restart, full jitter', ...restart, ...fullJitter },
  grows: { name: '10 → 11 nodes', scenario: 'scale-out' },
  zone: { name: 'zone lost, spread 30 s', scenario: 'zone-loss', spreadMs: SPREAD_MS },
  slow: { name: 'slow node', scenario: 'slow-node' },
  slowFullJitter: { name: 'slow node, full jitter', scenario: 'slow-node', ...fullJitter },
  outage: { name: 'total outage', ...outage },
  outageTuned: {
    name: 'total outage, backoff 15 s',
    ...outage,
    client: { backoff: { minMs: 15_000, baseMs: 15_000 } },
  },
  outageFullJitter: { name: 'total outage, full jitter', ...outage, ...fullJitter },
  outageListWalker: { name: 'total outage, list walker', ...outage, ...listWalker },
} as const satisfies Record<string, Case>;
