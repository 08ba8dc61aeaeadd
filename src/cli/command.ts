/** What a command of the command line is. */
import type { Arguments } from './arguments.js';
import type { Terminal } from './terminal.js';

/** One `--option`. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly required?: boolean;
  /** Stands for the value in the help: `<list>`. */
  readonly value?: string;
  readonly help: string;
}

/** Options by name, without the dashes. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/**
 * Runs a command.
 *
 * @returns the exit code: 0 fine, 1 the answer is no.
 * @throws {@link UsageError} for wrong use, exit code 2; {@link FailoverError} for what the library refuses.
 */
export type Run = (args: Arguments, terminal: Terminal) => Promise<number>;

/** One row of the table that commands are found in and that the help is made of. */
export interface Command {
  /** One or two words, as they are typed. */
  readonly name: string;
  /** What follows the name, for the help: `<clientId>`, `[message]`, `<filter…>`. */
  readonly operands: readonly string[];
  readonly summary: string;
  /** Paragraphs of the command's own help. */
  readonly details: readonly string[];
  readonly options: OptionSpecs;
  /** A command line to copy, without the program's name. */
  readonly example: string;
  /** Loads what runs it: no command pays for another. */
  readonly load: () => Promise<Run>;
}
