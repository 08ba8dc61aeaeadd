/** The process of one simulation, which measures itself. */
import type * as Simulator from '../../../src/simulator/index.js';
import { serve } from '../../support/child.js';
import type { Excerpt } from './cases.js';

/** As installed; not a literal, so that the type checker, which runs before the build, takes the types from `src/`. */
const BUILT = new URL('../../../dist/simulator.js', import.meta.url);
/** Seconds between two looks at how even the placement is. */
const SKEW_EVERY = 10;

export interface SimulatorRun {
  readonly report: Simulator.SimulationReport;
  readonly affected: number;
  readonly unrecovered: number;
  /** What a chart shows; empty where none was asked for. */
  readonly excerpt: readonly number[];
  /** Seconds of the fleet's time. */
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  /** User and system, all threads. */
  readonly cpuSeconds: number;
  /** The most that the process had in memory. */
  readonly mebibytes: number;
}

interface Order {
  readonly options: Simulator.SimulationOptions;
  readonly excerpt: Excerpt | undefined;
}

async function simulate({ options, excerpt }: Order): Promise<SimulatorRun> {
  const simulator = (await import(BUILT.href)) as typeof Simulator;
  // As the command does: nobody reads where simulated failures were made.
  Error.stackTraceLimit = 0;
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const { report, affected, unrecovered, virtualMs, timeline } = await simulator.simulate(options);
  const { user, system } = process.cpuUsage(cpu);
  return {
    report,
    affected,
    unrecovered,
    excerpt: excerpt ? excerptOf(timeline, excerpt) : [],
    virtualSeconds: virtualMs / 1_000,
    wallSeconds: (performance.now() - startedAt) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    mebibytes: process.resourceUsage().maxRSS / 1_024,
  };
}

function excerptOf(timeline: Simulator.Timeline, { what, from, to }: Excerpt): number[] {
  const { connects, binMs, placement, sampleMs } = timeline;
  if (what === 'connects') return connects.slice((from * 1_000) / binMs, (to * 1_000) / binMs);
  return placement
    .slice((from * 1_000) / sampleMs, (to * 1_000) / sampleMs)
    .filter((_, second) => second % SKEW_EVERY === 0)
    .map((loads) => (Math.max(...loads) * loads.length) / loads.reduce((sum, load) => sum + load, 0));
}

const methods = { simulate };
export type SimulatorProcess = typeof methods;
serve(methods);
