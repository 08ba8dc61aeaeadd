/** Help texts, made of the table of commands. */
import { COMMON_OPTIONS } from './arguments.js';
import type { Command, OptionSpecs } from './command.js';
import type { Terminal } from './terminal.js';

/** What `mqtt-failover --help` shows. */
export function overview(commands: readonly Command[], terminal: Pick<Terminal, 'paint'>): string {
  const rows = commands.map(
    ({ name, operands, summary }) => [[name, ...operands].join(' '), summary] as const,
  );
  return [
    'mqtt-failover: brokers of a cluster, from the command line',
    '',
    `${terminal.paint('bold', 'Usage')}  mqtt-failover <command> [options]`,
    '',
    terminal.paint('bold', 'Commands'),
    ...columns(rows),
    '',
    'Every command has --json and --help. A <list> is any brokers string, or id=url items separated by commas:',
    '  mqtt://a,b:1884    mqtts+srv://example.com    registry+https://host/nodes.json    n1=mqtt://a,n2=mqtt://b',
    'Exit code: 0 fine, 1 the answer is no, 2 wrong use.',
  ].join('\n');
}

/** What `mqtt-failover <command> --help` shows. */
export function commandHelp(command: Command, terminal: Pick<Terminal, 'paint'>): string {
  const { name, operands, summary, details, options, example } = command;
  const required = Object.entries(options)
    .filter(([, spec]) => spec.required)
    .map(([option, { value }]) => `--${option} ${value}`);
  return [
    summary,
    '',
    `${terminal.paint('bold', 'Usage')}  mqtt-failover ${[name, ...operands, ...required, '[options]'].join(' ')}`,
    ...details.flatMap((paragraph) => ['', ...wrapped(paragraph)]),
    '',
    terminal.paint('bold', 'Options'),
    ...optionLines({ ...options, ...COMMON_OPTIONS }),
    '',
    terminal.paint('bold', 'Example'),
    `  mqtt-failover ${example}`,
  ].join('\n');
}

function optionLines(options: OptionSpecs): string[] {
  return columns(
    Object.entries(options).map(([name, { value, help, multiple }]) => [
      `--${name}${value ? ` ${value}` : ''}`,
      multiple ? `${help}; may be repeated` : help,
    ]),
  );
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

const WIDTH = 100;

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    if (line !== '' && line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
