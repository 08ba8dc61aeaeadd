/** From the words of a command line to an exit code. */
import { isFailoverError } from '../errors.js';
import { readArguments } from './arguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { asUsage } from './discovery.js';
import { commandHelp, overview } from './help.js';
import { printable, type Terminal } from './terminal.js';
import { nearest, quoted, UsageError } from './usage.js';
import { version } from './version.js';

const PROGRAM = 'mqtt-failover';

/** Exit codes beside 0 and 1, which commands give: wrong use, and what shells use for an interrupt. */
const WRONG_USE = 2;
const INTERRUPTED = 130;

/**
 * Runs one command line. Never throws for what a user did or a network does: that is one line on stderr.
 *
 * @param words - What follows the program's name.
 * @returns the exit code.
 */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(words, terminal);
  } catch (thrown) {
    if (terminal.signal.aborted) return INTERRUPTED;
    const error = asUsage(thrown);
    if (error instanceof UsageError) {
      terminal.note(`${PROGRAM}: ${printable(error.message)}`);
      return WRONG_USE;
    }
    if (!isFailoverError(error)) throw error;
    terminal.note(`${PROGRAM}: ${printable(error.message)}`);
    return 1;
  }
}

async function dispatch(words: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = words;
  if (first === undefined) throw new UsageError('which command? See mqtt-failover --help');
  if (first === '--help' || first === '-h' || first === 'help') {
    await terminal.print(helpFor(words.slice(1), terminal));
    return 0;
  }
  if (first === '--version') {
    await terminal.print(await version());
    return 0;
  }
  const command = find(words);
  const args = readArguments(command, words.slice(command.name.split(' ').length));
  if (args.flag('help')) {
    await terminal.print(commandHelp(command, terminal));
    return 0;
  }
  terminal.quiet = args.flag('json');
  const runCommand = await command.load();
  return runCommand(args, terminal);
}

function helpFor(words: readonly string[], terminal: Terminal): string {
  return words.length === 0 ? overview(COMMANDS, terminal) : commandHelp(find(words), terminal);
}

function find(words: readonly string[]): Command {
  const [first = '', second = ''] = words;
  const exact = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (exact) return exact;
  if (first.startsWith('-')) {
    const guess = nearest(first.replace(/^-+/, ''), ['help', 'version']);
    const hint = guess
      ? `did you mean ${PROGRAM} --${guess}?`
      : `the command comes first: ${PROGRAM} <command> ${printable(first)} …`;
    throw new UsageError(`unknown option ${quoted(first)}; ${hint}`);
  }
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (group.length > 0) {
    const got = second === '' ? 'nothing' : quoted(second);
    throw new UsageError(
      `${first} must be followed by ${group.map((name) => name.split(' ')[1]).join(' or ')}, got ${got}; did you mean ${PROGRAM} ${group[0]}?`,
    );
  }
  const guess = nearest(
    first,
    COMMANDS.map(({ name }) => name),
  );
  const hint = guess
    ? `did you mean ${PROGRAM} ${guess}?`
    : `known are ${COMMANDS.map(({ name }) => name).join(', ')}`;
  throw new UsageError(`unknown command ${quoted(first)}; ${hint}`);
}
