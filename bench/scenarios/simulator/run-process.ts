/** The process of one simulation, which measures itself. */
import type * as Simulator from '../../../src/simulator/index.js';
import { serve } from '../../support/child.js';

/** As installed; not a literal, so that the type checker, which runs before the build, takes the types from `src/`. */
const BUILT = new URL('../../../dist/simulator.js', import.meta.url);

export interface SimulatorRun {
  readonly report: Simulator.SimulationReport;
  readonly unrecovered: number;
  /** Seconds of the fleet's time. */
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  /** User and system, all threads. */
  readonly cpuSeconds: number;
  /** The most that the process had in memory. */
  readonly mebibytes: number;
}

async function simulate(options: Simulator.SimulationOptions): Promise<SimulatorRun> {
  const simulator = (await import(BUILT.href)) as typeof Simulator;
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const { report, unrecovered, virtualMs } = await simulator.simulate(options);
  const { user, system } = process.cpuUsage(cpu);
  return {
    report,
    unrecovered,
    virtualSeconds: virtualMs / 1_000,
    wallSeconds: (performance.now() - startedAt) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    mebibytes: process.resourceUsage().maxRSS / 1_024,
  };
}

const methods = { simulate };
export type SimulatorProcess = typeof methods;
serve(methods);
