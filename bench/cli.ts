/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

export interface Cli {
  readonly names: readonly string[];
  readonly rounds: number | undefined;
  readonly json: string | undefined;
  readonly quick: boolean;
  readonly peers: boolean;
  readonly cpuProf: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** A mistake of the caller: one line, and exit code 2. */
export class UsageError extends Error {}

export const USAGE = `npm run bench [-- scenario… options]

  --rounds N     rounds of each scenario, in place of its own number
  --json FILE    where the samples go (default: bench/results/latest.json)
  --quick        few and small rounds, to see that everything works
  --no-peers     ours alone, where the others need minutes
  --cpu-prof     CPU profiles of the measured clients, in bench/results/profiles
  --list         name the scenarios
  --help         this text

Without a name every scenario is run; \`comparison\` stands for those that the README shows.`;

/**
 * @param groups - Names that stand for several scenarios.
 * @throws UsageError naming what is wrong.
 */
export function parseCli(
  args: readonly string[],
  known: readonly string[],
  groups: Readonly<Record<string, readonly string[]>> = {},
): Cli {
  const { values, positionals: given } = parse(args);
  const positionals = given.flatMap((name) => groups[name] ?? [name]);
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`Unknown scenario ${JSON.stringify(unknown)}. Known: ${known.join(', ')}.`);
  return {
    names: positionals.length === 0 ? known : known.filter((name) => positionals.includes(name)),
    rounds: values.rounds === undefined ? undefined : roundsOf(values.rounds),
    json: values.json,
    quick: values.quick,
    peers: !values['no-peers'],
    cpuProf: values['cpu-prof'],
    list: values.list,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
        'no-peers': { type: 'boolean', default: false },
        'cpu-prof': { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const [sentence] = (error as Error).message.split('. ');
    throw new UsageError(`${sentence}. See --help.`);
  }
}

function roundsOf(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError(`--rounds takes a whole number of 1 or more, got ${JSON.stringify(text)}.`);
  return rounds;
}
