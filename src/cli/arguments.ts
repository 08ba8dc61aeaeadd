/** From the words of a command line to checked values. `node:util` splits; the messages are ours. */
import { parseArgs } from 'node:util';
import type { Command, OptionSpec } from './command.js';
import { nearest, quoted, UsageError } from './usage.js';

/** Options that every command has. */
export const COMMON_OPTIONS: Readonly<Record<'json' | 'help', OptionSpec>> = {
  json: { type: 'boolean', help: 'print JSON on stdout, and nothing else' },
  help: { type: 'boolean', help: 'show this help' },
};

/** The operands and options of one command line, read by name. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, readonly (string | true)[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly (string | true)[]>) {
    this.operands = operands;
    this.#values = values;
  }

  /** The operand at `index`; only for one that the command requires. */
  operand(index: number): string {
    return this.operands[index] as string;
  }

  flag(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value of an option; the last one, as is the custom, where it came several times. */
  text(name: string): string | undefined {
    const value = this.#values.get(name)?.at(-1);
    return typeof value === 'string' ? value : undefined;
  }

  /** The value of an option that the command requires. */
  required(name: string): string {
    return this.text(name) as string;
  }

  /** All values of an option. */
  texts(name: string): readonly string[] {
    return (this.#values.get(name) ?? []).filter((value) => typeof value === 'string');
  }

  /**
   * A number within bounds.
   *
   * @throws {@link UsageError} that names the bounds.
   */
  number(name: string, { min, max, integer = true }: NumberBounds): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max) || (integer && !Number.isInteger(value))) {
      const kind = integer ? 'an integer' : 'a number';
      throw new UsageError(`--${name} must be ${kind} from ${min} to ${max}, got ${quoted(text)}`);
    }
    return value;
  }
}

/** What {@link Arguments.number} accepts. */
export interface NumberBounds {
  readonly min: number;
  readonly max: number;
  /** @defaultValue true */
  readonly integer?: boolean;
}

/**
 * Reads the words after the name of a command.
 *
 * @throws {@link UsageError} for unknown options, missing values, and too few or too many operands.
 */
export function readArguments(command: Command, words: readonly string[]): Arguments {
  const specs = new Map<string, OptionSpec>([
    ...Object.entries(command.options),
    ...Object.entries(COMMON_OPTIONS),
  ]);
  const options = Object.fromEntries(
    [...specs].map(([name, { type }]) => [
      name,
      { type, multiple: true, ...(name === 'help' ? { short: 'h' } : {}) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...words],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const operands: string[] = [];
  const values = new Map<string, (string | true)[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = specs.get(token.name);
    if (!spec) throw unknownOption(token.rawName, [...specs.keys()], command.name);
    const value = readValue(token, spec);
    const known = values.get(token.name);
    if (!known) values.set(token.name, [value]);
    else if (spec.multiple || spec.type === 'boolean') known.push(value);
    else throw new UsageError(`--${token.name} is given twice; it takes one value`);
  }
  const args = new Arguments(operands, values);
  if (!args.flag('help')) checkComplete(command, args);
  return args;
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function readValue({ rawName, value, inlineValue }: OptionToken, spec: OptionSpec): string | true {
  if (spec.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, got ${quoted(value)}`);
    return true;
  }
  // The next word is taken as the value whatever it is; another option is hardly what was meant.
  const isOption = !inlineValue && value !== undefined && value.startsWith('-') && value !== '-';
  if (value === undefined || value === '' || isOption) {
    const hint = isOption ? ` (if ${quoted(value)} is the value, write ${rawName}=…)` : '';
    throw new UsageError(`${rawName} needs a value: ${rawName} ${spec.value}${hint}`);
  }
  return value;
}

function unknownOption(rawName: string, names: readonly string[], command: string): UsageError {
  const guess = nearest(rawName.replace(/^-+/, ''), names);
  const hint = guess ? `did you mean --${guess}?` : `see mqtt-failover ${command} --help`;
  return new UsageError(`unknown option ${quoted(rawName)}; ${hint}`);
}

function checkComplete({ name, operands, options }: Command, args: Arguments): void {
  const least = operands.filter((each) => each.startsWith('<')).length;
  const most = operands.some((each) => each.includes('…')) ? Number.POSITIVE_INFINITY : operands.length;
  const given = args.operands.length;
  const usage = `mqtt-failover ${[name, ...operands].join(' ')}`;
  if (given < least) throw new UsageError(`${operands[given]} is missing: ${usage}`);
  if (given > most) {
    const extra = quoted(args.operands[most] as string);
    throw new UsageError(`${extra} is one word too many: ${usage} (quote what has spaces in it)`);
  }
  for (const [option, { required, value }] of Object.entries(options)) {
    if (required && !args.flag(option)) {
      throw new UsageError(`--${option} is missing: ${usage} --${option} ${value}`);
    }
  }
}
