// The simulator's section of docs/simulator.md and its charts, from what `npm run bench -- simulator` has written.
import { type Drawing, inBothThemes, type Line, lineChart, type Theme } from './charts.js';
import { Comparison, digits, duration } from './comparison.js';

/** Where the measurement is kept. */
const FILE = 'bench/published/simulator.json';
const SCENARIO = 'simulator';
const START = '<!-- simulated:start -->';
const END = '<!-- simulated:end -->';
/** What is said of every case, and how it is written. */
const COLUMNS: readonly (readonly [group: string, head: string, write: (value: number) => string])[] = [
  ['clients', 'clients', digits],
  ['affected', 'affected', digits],
  ['peak', 'peak', digits],
  ['mean', 'mean', digits],
  ['attempts', 'attempts', (value) => value.toFixed(3)],
  ['p50', 'p50', (value) => duration(value)],
  ['p99', 'p99', (value) => duration(value)],
  ['needless', 'needless moves', (value) => String(value)],
  ['skew before', 'skew before', (value) => value.toFixed(3)],
  ['skew after', 'skew after', (value) => value.toFixed(3)],
];

/** What the fleet simulator has come to, as it was published. */
export class Simulated {
  readonly #of: Comparison;

  constructor(of: Comparison) {
    this.#of = of;
  }

  static read(): Simulated {
    return new Simulated(Comparison.read(FILE));
  }

  /** The page with its section as it should be. */
  page(text: string): string {
    const [before, rest = ''] = text.split(START);
    const [, after] = rest.split(END);
    if (after === undefined) throw new Error(`docs/simulator.md has no ${START} … ${END}`);
    return `${before}${START}\n${this.#section()}\n${END}${after}`;
  }

  /** Every chart by path. */
  charts(): Record<string, string> {
    return inBothThemes({
      'simulated-storm': (theme) => this.#storm(theme),
      'simulated-restart': (theme) => this.#restart(theme),
      'simulated-outage': (theme) => this.#outage(theme),
    });
  }

  get #cases(): readonly string[] {
    return this.#of.group(SCENARIO, 'clients').map(({ name }) => name);
  }

  #value(group: string, name: string): number {
    return this.#of.of(SCENARIO, group, name).samples.at(-1) as number;
  }

  #section(): string {
    const { command, date, node, cores, cpu } = this.#of.conditions;
    const rows = this.#cases.map((name) => [
      name,
      ...COLUMNS.map(([group, , write]) => write(this.#value(group, name))),
    ]);
    const cost = this.#cases.map((name) => [
      name,
      duration(this.#value('fleet time', name) * 1_000),
      duration(this.#value('CPU time', name) * 1_000),
      `${digits(this.#value('memory', name))} MiB`,
    ]);
    return [
      `\`${command}\`, ${date.slice(0, 10)}, Node ${node.replace('v', '')}, ${cores} × ${cpu}. Peak and mean are CONNECTs in 100 ms.`,
      table(['', ...COLUMNS.map(([, head]) => head)], rows),
      picture('simulated-storm', 'Lines: CONNECTs of fleets of three kinds after the death of a node.'),
      picture('simulated-restart', 'Lines: how uneven two kinds of fleets are in a rolling restart.'),
      picture('simulated-outage', 'Lines: CONNECTs of fleets of four kinds when all nodes are back.'),
      table(['what it cost', 'fleet time', 'CPU time', 'memory'], cost),
    ].join('\n\n');
  }

  #lines(
    group: string,
    named: readonly (readonly [name: string, label: string])[],
    x: (at: number) => number,
  ) {
    return named.map(([name, label]): Line => {
      const { samples } = this.#of.of(SCENARIO, group, name);
      return { name: label, isOurs: label.startsWith('ours'), points: samples.map((y, at) => [x(at), y]) };
    });
  }

  #clients(name: string): string {
    return digits(this.#value('clients', name));
  }

  #storm(theme: Theme): Drawing {
    const named = [
      ['node dies, spread 30 s', 'ours, spreadMs 30 000'],
      ['node dies', 'ours'],
      ['node dies, full jitter', 'full jitter'],
      ['node dies, list walker', 'list walker (MQTT.js, servers)'],
    ] as const;
    const title = `CONNECTs per 100 ms when one of five nodes of ${this.#clients('node dies')} clients dies; logarithmic`;
    const lines = this.#lines('connects', named, (bin) => bin / 10);
    return lineChart({ title, xName: 'seconds after the death', xMax: 40, isLog: true, lines }, theme);
  }

  #restart(theme: Theme): Drawing {
    const named = [
      ['rolling restart, spread 30 s', 'ours, spreadMs 30 000'],
      ['rolling restart, full jitter', 'full jitter'],
    ] as const;
    const title = 'Clients on the fullest of five nodes ÷ mean of all, in a rolling restart';
    const lines = this.#lines('skew', named, (sample) => sample / 6);
    return lineChart({ title, xName: 'minutes after the first restart', xMax: 25, yMin: 1, lines }, theme);
  }

  #outage(theme: Theme): Drawing {
    const named = [
      ['total outage', 'ours'],
      ['total outage, backoff 15 s', 'ours, minMs and baseMs 15 000'],
      ['total outage, full jitter', 'full jitter'],
      ['total outage, list walker', 'list walker (MQTT.js, servers)'],
    ] as const;
    const title = `CONNECTs per second of ${this.#clients('total outage')} clients after ten minutes without a node; logarithmic`;
    const lines = this.#lines('connects', named, (bin) => bin / 10 - 5).map(bySecond);
    const xName = 'seconds after all nodes are back';
    return lineChart({ title, xName, xMin: -5, xMax: 40, isLog: true, lines }, theme);
  }
}

/** Ten bins of a tenth of a second as one: single bins of few clients say little. */
function bySecond(line: Line): Line {
  const points = line.points.flatMap(([x], at): (readonly [number, number])[] => {
    if (at % 10 !== 0) return [];
    return [[x, line.points.slice(at, at + 10).reduce((sum, [, y]) => sum + y, 0)]];
  });
  return { ...line, points };
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

const picture = (name: string, alt: string) =>
  [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="charts/${name}-dark.svg">`,
    `  <img src="charts/${name}-light.svg" width="960" alt="${alt}">`,
    '</picture>',
  ].join('\n');
