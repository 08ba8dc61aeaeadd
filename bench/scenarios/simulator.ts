/** The fleet simulator at its full size: what comes of a hundred thousand clients, and what it costs to know. */
import { Child } from '../support/child.js';
import { number } from '../support/format.js';
import type { Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { CASES, type Case } from './simulator/cases.js';
import type { SimulatorProcess, SimulatorRun } from './simulator/run-process.js';

const CLIENTS = 100_000;
const QUICK_CLIENTS = 10_000;
/** Fleet time for which the time of the machine is promised. */
const TEN_MINUTES = 600;

/** One process for each case, one after the other. */
export const simulator: Scenario = {
  name: 'simulator',
  about:
    '100 000 simulated clients: CONNECT rate, attempts, recovery, placement; time and memory of the simulator',
  rounds: 1,
  quickRounds: 1,
  async run({ rounds, quick, progress }): Promise<ScenarioResult> {
    const all = quick ? QUICK_CLIENTS : CLIENTS;
    const cells = Object.entries<Case>(CASES).map(([key, each]) => {
      return { key, each, clients: all * (each.share ?? 1), runs: [] as SimulatorRun[] };
    });
    for (let round = 0; round < rounds; round += 1) {
      for (const { each, clients, runs } of cells) {
        const { name, scenario, policy, spreadMs, client, excerpt } = each;
        progress.round(round, rounds, name);
        await using child = new Child<SimulatorProcess>(new URL('simulator/run-process.ts', import.meta.url));
        const given = Object.entries({ policy, spreadMs, client }).filter(([, value]) => value !== undefined);
        const options = { scenario, clients, seed: round + 1, ...Object.fromEntries(given) };
        runs.push(await child.call('simulate', { options, excerpt }));
      }
    }
    const last = (wanted: keyof typeof CASES) => cells.find(({ key }) => key === wanted)!.runs.at(-1)!;
    const [dies, restart, grows] = [last('dies'), last('restart'), last('grows')];
    return {
      series: cells.flatMap(({ each, clients, runs }) => seriesOf(each, clients, runs)),
      tables: [
        {
          title: 'Clients of one fleet, last round',
          head: ['', 'clients', 'peak', 'mean', 'attempts', 'p50 ms', 'p99 ms', 'needless', 'skew', 'after'],
          rows: cells.map(({ each, clients, runs }) => [
            each.name,
            number(clients),
            ...figures(runs.at(-1)!),
          ]),
        },
        {
          title: 'Cost of the simulation',
          head: ['', 'fleet s', 's', 'CPU s', 'MiB'],
          rows: cells.map(({ each, runs }) => {
            const { virtualSeconds, wallSeconds, cpuSeconds, mebibytes } = runs.at(-1)!;
            return [each.name, ...[virtualSeconds, wallSeconds, cpuSeconds, mebibytes].map(number)];
          }),
        },
      ],
      targets: [
        target('node dies, spread: peak over mean', peakOverMean(dies), 3, '×'),
        target('node dies, spread: attempts for each client', dies.report.attemptsPerClient, 1.1, ''),
        target('node dies, spread: needless moves', dies.report.needlessMoves, 0, ''),
        target('10 → 11 nodes: needless moves', grows.report.needlessMoves, 0, ''),
        target('rolling restart: skew after over before', skewRatio(restart), 1.02, '×'),
        target(
          'ten minutes of the fleet whose node dies',
          (dies.wallSeconds / dies.virtualSeconds) * TEN_MINUTES,
          60,
          's',
        ),
        target('node dies, spread: memory', dies.mebibytes, 2_048, 'MiB'),
      ],
      notes: [
        'peak and mean are CONNECTs in 100 ms; docs/simulator.md defines every figure. Brokers: 5000 handshakes a second, round trip 20 ms.',
      ],
      faults: cells.flatMap(({ each: { name }, runs }) =>
        runs.some(({ unrecovered }) => unrecovered > 0) ? [`${name}: clients were not back at the end`] : [],
      ),
    };
  },
};

const target = (what: string, value: number, limit: number, unit: string) => ({ what, value, limit, unit });

function seriesOf({ name, excerpt }: Case, clients: number, runs: readonly SimulatorRun[]): Series[] {
  const series = (group: string, unit: string, pick: (run: SimulatorRun) => number): Series => {
    return { name, group, unit, samples: runs.map(pick) };
  };
  const drawn: Series[] = excerpt
    ? [{ name, group: excerpt.what, unit: `from ${excerpt.from} s`, samples: runs.at(-1)!.excerpt }]
    : [];
  return [
    series('clients', '', () => clients),
    series('affected', '', ({ affected }) => affected),
    series('peak', 'CONNECTs/100 ms', ({ report }) => report.connectsPeakPer100ms),
    series('mean', 'CONNECTs/100 ms', ({ report }) => report.connectsMeanPer100ms),
    series('attempts', '', ({ report }) => report.attemptsPerClient),
    series('p50', 'ms', ({ report }) => report.recoverP50Ms),
    series('p99', 'ms', ({ report }) => report.recoverP99Ms),
    series('needless', '', ({ report }) => report.needlessMoves),
    series('skew before', '', ({ report }) => report.skewBefore),
    series('skew after', '', ({ report }) => report.skewAfter),
    series('fleet time', 's', ({ virtualSeconds }) => virtualSeconds),
    series('time', 's', ({ wallSeconds }) => wallSeconds),
    series('CPU time', 's', ({ cpuSeconds }) => cpuSeconds),
    series('memory', 'MiB', ({ mebibytes }) => mebibytes),
    ...drawn,
  ];
}

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
