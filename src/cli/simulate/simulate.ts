/** `simulate`: what a fleet does to a cluster when something happens. */
import { writeFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import {
  type ClientPolicy,
  MAX_CLIENTS,
  MAX_ENDPOINTS,
  MAX_SEED,
  MAX_SPREAD_MS,
  POLICIES,
  type Progress,
  type SimulationOptions,
} from '../../simulator/options.js';
import { SCENARIO_NAMES, type ScenarioName } from '../../simulator/scenarios.js';
import { type Simulation, simulate as simulateFleet } from '../../simulator/simulate.js';
import type { Arguments } from '../arguments.js';
import { count } from '../table.js';
import type { Terminal } from '../terminal.js';
import { nearest, quoted, UsageError } from '../usage.js';
import { chart } from './chart.js';

/** Per cent of what lives by which the heap may grow between two collections; 0 leaves it to V8. */
const HEAP_GROWTH_PERCENT = 100;

/** Runs `simulate`. */
export async function simulate(args: Arguments, terminal: Terminal): Promise<number> {
  const svg = args.text('svg');
  // Before the minute that the rest may take.
  if (svg !== undefined) await save(svg, '');
  const simulation = await thrifty(() =>
    simulateFleet({
      ...read(args),
      signal: terminal.signal,
      onProgress: (progress) => terminal.progress(() => progressLine(progress)),
    }),
  );
  if (svg !== undefined) await save(svg, chart(simulation));
  if (terminal.quiet) await terminal.json(simulation.report);
  else await show(simulation, terminal);
  return simulation.unrecovered === 0 && simulation.report.needlessMoves === 0 ? 0 : 1;
}

function read(args: Arguments): SimulationOptions {
  const integer = (name: string, min: number, max: number) => args.number(name, { min, max });
  const [clients, endpoints, seed] = [
    integer('clients', 1, MAX_CLIENTS),
    integer('endpoints', 2, MAX_ENDPOINTS),
    integer('seed', 0, MAX_SEED),
  ];
  const spreadMs = integer('spread-ms', 0, MAX_SPREAD_MS);
  const handshakesPerSecond = integer('handshakes', 1, 1_000_000);
  const policy = args.text('policy');
  return {
    scenario: oneOf<ScenarioName>('<scenario>', args.operand(0), SCENARIO_NAMES),
    ...(clients === undefined ? {} : { clients }),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(seed === undefined ? {} : { seed }),
    ...(spreadMs === undefined ? {} : { spreadMs }),
    ...(handshakesPerSecond === undefined ? {} : { brokers: { handshakesPerSecond } }),
    ...(policy === undefined ? {} : { policy: oneOf<ClientPolicy>('--policy', policy, POLICIES) }),
  };
}

function oneOf<T extends string>(what: string, given: string, known: readonly T[]): T {
  const found = known.find((name) => name === given);
  if (found !== undefined) return found;
  const guess = nearest(given, known);
  const hint = guess ? `did you mean ${guess}?` : `known are ${known.join(', ')}`;
  throw new UsageError(`${what} ${quoted(given)} is unknown; ${hint}`);
}

/**
 * Simulated failures are made by the million, and nobody reads where: their stacks would take half of the time. And V8 would
 * let the heap grow to three times what lives in it before it collects; to twice that costs little time.
 */
async function thrifty<T>(work: () => Promise<T>): Promise<T> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  try {
    return await work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    setFlagsFromString('--heap-growing-percent=0');
  }
}

async function save(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--svg ${quoted(path)} cannot be written: ${error.code ?? error.message}`);
  });
}

function progressLine({ atMs, endMs, connected }: Progress): string {
  const seconds = (ms: number) => Math.round(ms / 1_000);
  return `${seconds(atMs)} of ${seconds(endMs)} s of the fleet's time, ${count(connected)} clients connected`;
}

async function show(simulation: Simulation, terminal: Terminal): Promise<void> {
  const { report, affected, unrecovered, dialsPerClient, endpoints, policy, seed, virtualMs } = simulation;
  const { clients, scenario, needlessMoves } = report;
  const minutes = (virtualMs / 60_000).toFixed(0);
  await terminal.print(
    `${terminal.paint('bold', scenario)}: ${count(clients)} clients (${policy}) on ${count(endpoints)} brokers, ${minutes} minutes, seed ${seed}\n`,
  );
  const bad = (value: number) => (value > 0 ? terminal.paint('red', count(value)) : count(value));
  const rows = [
    ['clients affected', count(affected)],
    ['CONNECTs in 100 ms, peak', count(report.connectsPeakPer100ms)],
    ['CONNECTs in 100 ms, mean while recovering', report.connectsMeanPer100ms.toFixed(2)],
    ['attempts per client, at brokers that run', report.attemptsPerClient.toFixed(2)],
    ['dials per client, with those at dead brokers', dialsPerClient.toFixed(2)],
    ['recovered, half of them within', duration(report.recoverP50Ms)],
    ['recovered, 99 % of them within', duration(report.recoverP99Ms)],
    ['not recovered at the end', bad(unrecovered)],
    ['needless moves', bad(needlessMoves)],
    ['fullest broker over mean, before', report.skewBefore.toFixed(3)],
    ['fullest broker over mean, after', report.skewAfter.toFixed(3)],
  ];
  const width = Math.max(...rows.map(([name = '']) => name.length));
  for (const [name = '', value] of rows) await terminal.print(`  ${name.padEnd(width)}  ${value}`);
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
