/** `npm run bench`: runs scenarios, prints tables on standard output, and keeps every sample in a JSON file. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Cli, parseCli, USAGE, UsageError } from './cli.js';
import { type Finished, text, writeJson } from './report.js';
import { COMPARISON, SCENARIOS } from './scenarios.js';
import { environment } from './support/environment.js';
import { Progress } from './support/progress.js';

const RESULTS = new URL('results/', import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const cli = parseCli(
    args,
    SCENARIOS.map(({ name }) => name),
    { comparison: COMPARISON.map(({ name }) => name) },
  );
  if (cli.help) console.log(USAGE);
  else if (cli.list) for (const { name, about } of SCENARIOS) console.log(`${name.padEnd(16)}${about}`);
  else return run(cli, args);
  return 0;
}

async function run(cli: Cli, args: readonly string[]): Promise<number> {
  const conditions = environment();
  const { commit, node, cpu, cores } = conditions;
  console.log(`commit ${commit ?? 'unknown'} · Node ${node} · ${cores} × ${cpu}\n`);
  const file = cli.json ?? fileURLToPath(new URL('latest.json', RESULTS));
  const finished: Finished[] = [];
  for (const name of cli.names) {
    finished.push(await runScenario(name, cli));
    console.log(text(finished.at(-1)!));
    // After each, so that an interrupted run keeps what it has.
    writeJson(file, conditions, ['npm run bench --', ...args].join(' '), finished);
  }
  return finished.some(({ result }) => result.faults.length > 0) ? 1 : 0;
}

async function runScenario(name: string, { rounds: asked, quick, peers, cpuProf }: Cli): Promise<Finished> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)!;
  const rounds = asked ?? (quick ? scenario.quickRounds : scenario.rounds);
  const profileDirectory = cpuProf ? fileURLToPath(new URL('profiles/', RESULTS)) : undefined;
  if (profileDirectory) mkdirSync(profileDirectory, { recursive: true });
  const progress = new Progress(process.stderr);
  const startedAt = performance.now();
  progress.begin(name);
  try {
    const result = await scenario.run({ rounds, quick, peers, profileDirectory, progress });
    return { name, rounds, seconds: (performance.now() - startedAt) / 1_000, result };
  } finally {
    progress.end();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
