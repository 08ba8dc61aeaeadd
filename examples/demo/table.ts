/** One frame of the live screen, as text: who is where, how the fleet is doing, and the latest news. */
import Table from 'cli-table3';
import type { Palette } from './paint.js';
import type { News, Stage } from './stage.js';

const NARROWEST = 64;
const WIDEST = 110;
const WIDE = 100;
/** What the frame needs apart from the ticker, and the ticker at most. */
const OTHER_LINES = 14;
const TICKER_LINES = 10;
const BARS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MARKS: Readonly<Record<News['kind'], string>> = { act: '▶', bad: '✖', good: '✔', info: '•' };

/** Messages per second of each broker, newest last. */
export type Rates = ReadonlyMap<string, readonly number[]>;

/** The size of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Draws `stage` for a terminal of this size. */
export function frame(stage: Stage, rates: Rates, { columns, rows }: Size, paint: Palette): string {
  const width = Math.max(NARROWEST, Math.min(WIDEST, columns - 1));
  return [
    headline(stage, width, paint),
    '',
    brokerTable(stage, rates, width, paint),
    fleetLine(stage, paint),
    '',
    ...ticker(stage, Math.max(3, Math.min(TICKER_LINES, rows - OTHER_LINES)), width, paint),
  ].join('\n');
}

function headline({ act, elapsedMs }: Stage, width: number, { bold, dim }: Palette): string {
  const left = `mqtt-failover   ${act.number}/${act.of} ${act.title}`;
  const right = `${(elapsedMs / 1_000).toFixed(1)} s`;
  const gap = ' '.repeat(Math.max(1, width - left.length - right.length));
  return `${bold(left)}${gap}${dim(right)}`;
}

function brokerTable(stage: Stage, rates: Rates, width: number, paint: Palette): string {
  const { dim, bold, red, green, broker } = paint;
  const history = width >= WIDE ? 24 : 10;
  const columns = [8, 10, 0, 7, history + 2];
  columns[2] = width - columns.reduce((sum, each) => sum + each, columns.length + 1);
  const table = new Table({
    head: ['broker', 'state', 'clients (colour: first broker)', 'msg/s', 'lately'].map(dim),
    colWidths: columns,
    colAligns: ['left', 'left', 'left', 'right', 'left'],
    style: { head: [], border: paint.isColoured ? ['grey'] : [], compact: true },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const highest = Math.max(1, ...[...rates.values()].flat());
  for (const [index, { name, isUp }] of stage.cluster.nodes.entries()) {
    const known = rates.get(name) ?? [];
    table.push([
      bold(broker(index)(name)),
      isUp ? green('● up') : red('✖ down'),
      clientCells(stage, name, (columns[2] as number) - 2, paint),
      `${Math.round(known.at(-1) ?? 0)}`,
      broker(index)(sparkline(known.slice(-history), highest).padStart(history)),
    ]);
  }
  return table.toString();
}

/** The clients on a broker: a coloured block each, or just their labels. */
function clientCells(stage: Stage, name: string, room: number, paint: Palette): string {
  const clients = stage.clientsOn(name);
  if (clients.length === 0) return paint.dim('-');
  const names = stage.cluster.nodes.map((node) => node.name);
  const most = Math.max(...names.map((each) => stage.clientsOn(each).length));
  const isRoomy = paint.isColoured && most * 5 <= room;
  return clients
    .map(({ label, firstBroker = name }) => {
      return paint.block(names.indexOf(firstBroker))(isRoomy ? ` ${label} ` : label);
    })
    .join(' ');
}

function sparkline(values: readonly number[], highest: number): string {
  return values.map((value) => BARS[Math.round((value / highest) * (BARS.length - 1))]).join('');
}

function fleetLine({ tally, fleet }: Stage, { bold, dim, red, green }: Palette): string {
  const { sent, delivered } = tally.readings;
  const { offline, inOutbox } = fleet;
  const item = (name: string, value: number) => `${dim(name)} ${bold(`${value}`.padEnd(5))}`;
  return [
    ` ${item('published', sent)}${item('delivered', delivered)}${item('in outbox', inOutbox)}`,
    `${dim('offline now')} ${offline > 0 ? red(`${offline}`) : green('0')}`,
  ].join('');
}

function ticker({ news }: Stage, lines: number, width: number, paint: Palette): string[] {
  const latest = news.slice(-lines).map((item) => newsLine(item, paint, width));
  return [...latest, ...Array.from({ length: lines - latest.length }, () => '')];
}

/** One piece of news, cut to `width`. */
export function newsLine({ at, kind, text }: News, paint: Palette, width = Number.POSITIVE_INFINITY): string {
  const time = `${(at / 1_000).toFixed(1).padStart(5)} s`;
  const room = width - time.length - 4;
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  const colour = { act: paint.bold, bad: paint.red, good: paint.green, info: (plain: string) => plain }[kind];
  return `${paint.dim(time)} ${colour(MARKS[kind])} ${kind === 'act' ? paint.bold(shown) : shown}`;
}
