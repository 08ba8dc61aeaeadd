/** The fleet simulator at its full size: what comes of a hundred thousand clients, and what it costs to know. */
import type { SimulationOptions } from '../../src/simulator/index.js';
import { Child } from '../support/child.js';
import { number } from '../support/format.js';
import type { Scenario, ScenarioResult } from '../support/scenario.js';
import type { SimulatorProcess, SimulatorRun } from './simulator/run-process.js';

const CLIENTS = 100_000;
const QUICK_CLIENTS = 2_000;
/** Milliseconds that the list asks the fleet to spread over. */
const SPREAD_MS = 30_000;

interface Case extends Pick<SimulationOptions, 'scenario' | 'policy' | 'spreadMs'> {
  readonly name: string;
}

const CASES: readonly Case[] = [
  { name: 'node dies, spread 30 s', scenario: 'node-dies', spreadMs: SPREAD_MS },
  { name: 'node dies', scenario: 'node-dies' },
  { name: 'node dies, full jitter', scenario: 'node-dies', policy: 'full-jitter' },
  { name: 'node dies, list walker', scenario: 'node-dies', policy: 'list-walker' },
  { name: 'rolling restart, spread 30 s', scenario: 'rolling-restart', spreadMs: SPREAD_MS },
  { name: 'rolling restart, full jitter', scenario: 'rolling-restart', policy: 'full-jitter' },
  { name: '10 → 11 nodes', scenario: 'scale-out' },
];

/** One process for each case, one after the other. */
export const simulator: Scenario = {
  name: 'simulator',
  about:
    '100 000 simulated clients: CONNECT rate, attempts, recovery, placement; time and memory of the simulator',
  rounds: 1,
  quickRounds: 1,
  async run({ rounds, quick, progress }): Promise<ScenarioResult> {
    const clients = quick ? QUICK_CLIENTS : CLIENTS;
    const cells = CASES.map((each) => ({ ...each, runs: [] as SimulatorRun[] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, runs, ...options } of cells) {
        progress.round(round, rounds, name);
        await using child = new Child<SimulatorProcess>(new URL('simulator/run-process.ts', import.meta.url));
        runs.push(await child.call('simulate', { ...options, clients, seed: round + 1 }));
      }
    }
    const lastOf = (wanted: string) => cells.find(({ name }) => name === wanted)!.runs.at(-1)!;
    const [dies, restart] = [lastOf('node dies, spread 30 s'), lastOf('rolling restart, spread 30 s')];
    return {
      series: cells.flatMap(({ name, runs }) => [
        { name: `${name}, time`, unit: 's', samples: runs.map(({ wallSeconds }) => wallSeconds) },
        { name: `${name}, CPU time`, unit: 's', samples: runs.map(({ cpuSeconds }) => cpuSeconds) },
        { name: `${name}, memory`, unit: 'MiB', samples: runs.map(({ mebibytes }) => mebibytes) },
      ]),
      tables: [
        {
          title: `${number(clients)} clients, last round`,
          head: ['', 'peak', 'mean', 'attempts', 'p50 ms', 'p99 ms', 'needless', 'skew before', 'after'],
          rows: cells.map(({ name, runs }) => [name, ...figures(runs.at(-1)!)]),
        },
        {
          title: 'Cost of the simulation',
          head: ['', 'fleet s', 's', 'CPU s', 'MiB'],
          rows: cells.map(({ name, runs }) => {
            const { virtualSeconds, wallSeconds, cpuSeconds, mebibytes } = runs.at(-1)!;
            return [name, ...[virtualSeconds, wallSeconds, cpuSeconds, mebibytes].map(number)];
          }),
        },
      ],
      targets: [
        target('node dies, spread: peak over mean', peakOverMean(dies), 3, '×'),
        target('node dies, spread: attempts for each client', dies.report.attemptsPerClient, 1.1, ''),
        target('node dies, spread: needless moves', dies.report.needlessMoves, 0, ''),
        target('rolling restart: skew after over before', skewRatio(restart), 1.02, '×'),
        target('node dies, spread: time', dies.wallSeconds, 60, 's'),
        target('node dies, spread: memory', dies.mebibytes, 2_048, 'MiB'),
      ],
      notes: [
        'peak and mean are CONNECTs in 100 ms; docs/simulator.md defines every figure. Brokers: 5000 handshakes a second, round trip 20 ms.',
      ],
      faults: cells.flatMap(({ name, runs }) =>
        runs.some(({ unrecovered }) => unrecovered > 0) ? [`${name}: clients were not back at the end`] : [],
      ),
    };
  },
};

const target = (what: string, value: number, limit: number, unit: string) => ({ what, value, limit, unit });

function figures({ report }: SimulatorRun): string[] {
  return [
    number(report.connectsPeakPer100ms),
    number(report.connectsMeanPer100ms),
    number(report.attemptsPerClient),
    number(report.recoverP50Ms),
    number(report.recoverP99Ms),
    `${report.needlessMoves}`,
    report.skewBefore.toFixed(4),
    report.skewAfter.toFixed(4),
  ];
}

function peakOverMean({ report }: SimulatorRun): number {
  return report.connectsPeakPer100ms / report.connectsMeanPer100ms;
}

function skewRatio({ report }: SimulatorRun): number {
  return report.skewAfter / report.skewBefore;
}
