/** Charts of a simulation as SVG text: the CONNECT rate, and the clients of each broker, over time. */
import type { Simulation } from '../../simulator/simulate.js';
import { count } from '../table.js';

const LEFT = 76;
const CHART = 640;
const RIGHT = 72;
const TOP = 56;
const PANEL = 180;
const GAP = 56;
const WIDTH = LEFT + CHART + RIGHT;
const HEIGHT = TOP + 2 * PANEL + GAP + 44;
/** Lines are told apart by colour up to here; then all but the first are alike. */
const COLOURS = ['#2a7de1', '#e07b39', '#2a9d6f', '#b455c8', '#c9a227', '#d64562', '#4aa3b5', '#7d8794'];

/** Draws a simulation. Colours and text read on white and on dark pages. */
export function chart({ report, policy, timeline }: Simulation): string {
  const { binMs, connects, sampleMs, nodes, placement, blows } = timeline;
  const spanMs = Math.max(1, connects.length * binMs);
  const x = (ms: number) => round(LEFT + (ms / spanMs) * CHART);
  const peak = Math.max(1, ...columns(connects));
  const most = Math.max(1, ...placement.map((loads) => Math.max(...loads)));
  const second = TOP + PANEL + GAP;
  const title = `${report.scenario}: ${count(report.clients)} clients (${policy})`;
  const blowLines = blows.map(
    (at) => `<path class="blow" d="M${x(at)} ${TOP}V${TOP + PANEL}M${x(at)} ${second}V${second + PANEL}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">`,
    '<style>text{font:12px sans-serif;fill:#667}.title{font-size:15px;font-weight:bold}.end{text-anchor:end}.mid{text-anchor:middle}.axis{stroke:#99a;fill:none}.blow{stroke:#d64562;stroke-dasharray:3 3}.rate{fill:#2a7de1}.load{fill:none;stroke-width:1.5}</style>',
    `<text class="title" x="16" y="24">${title}</text>`,
    ...blowLines,
    ...panel(TOP, `CONNECTs in ${binMs} ms`, peak),
    `<path class="rate" d="${bars(columns(connects), peak, TOP + PANEL)}"/>`,
    ...panel(second, 'clients on each broker', most),
    ...nodes.map((_, node) => line(node, placement, most, second + PANEL, (i) => x(i * sampleMs))),
    ...names(nodes, placement.at(-1) ?? [], most, second + PANEL),
    ...ticks(spanMs, x),
    '</svg>',
    '',
  ].join('\n');
}

/** The highest bin for each pixel: a mean would hide a storm of a tenth of a second. */
function columns(bins: readonly number[]): number[] {
  return Array.from({ length: CHART }, (_, column) => {
    const from = Math.floor((column * bins.length) / CHART);
    const to = Math.max(from + 1, Math.floor(((column + 1) * bins.length) / CHART));
    return Math.max(0, ...bins.slice(from, to));
  });
}

function bars(heights: readonly number[], peak: number, base: number): string {
  return heights
    .map((value, column) =>
      value === 0 ? '' : `M${LEFT + column} ${base}v${round((-value / peak) * PANEL)}h1V${base}z`,
    )
    .join('');
}

function panel(y: number, name: string, top: number): string[] {
  return [
    `<path class="axis" d="M${LEFT} ${y}V${y + PANEL}H${LEFT + CHART}"/>`,
    `<text x="${LEFT}" y="${y - 8}">${name}</text>`,
    `<text class="end" x="${LEFT - 8}" y="${y + 10}">${count(top)}</text>`,
    `<text class="end" x="${LEFT - 8}" y="${y + PANEL}">0</text>`,
  ];
}

function line(
  node: number,
  placement: readonly (readonly number[])[],
  most: number,
  base: number,
  x: (sample: number) => number,
): string {
  const points = placement.flatMap((loads, i) => {
    const now = loads[node];
    if (now === undefined) return [];
    // A corner is drawn, a straight run of samples is not.
    const isStraight = placement[i - 1]?.[node] === now && placement[i + 1]?.[node] === now;
    return isStraight ? [] : [`${x(i)} ${round(base - (now / most) * PANEL)}`];
  });
  return `<path class="load" stroke="${colourOf(node)}" d="M${points.join('L')}"/>`;
}

/** Names at the end of their lines, as far as they do not lie on each other. */
function names(nodes: readonly string[], last: readonly number[], most: number, base: number): string[] {
  const placed = nodes
    .map((name, node) => ({ name, node, y: base - ((last[node] ?? 0) / most) * PANEL }))
    .sort((a, b) => a.y - b.y);
  let free = Number.NEGATIVE_INFINITY;
  return placed.slice(0, Math.floor(PANEL / 12)).map(({ name, node, y }, i) => {
    const room = base - (Math.min(placed.length, Math.floor(PANEL / 12)) - i - 1) * 12;
    free = Math.min(Math.max(free + 12, y), room);
    return `<text x="${LEFT + CHART + 8}" y="${round(free + 4)}" style="fill:${colourOf(node)}">${name}</text>`;
  });
}

function colourOf(node: number): string {
  return COLOURS[Math.min(node, COLOURS.length - 1)] as string;
}

function ticks(spanMs: number, x: (ms: number) => number): string[] {
  const minutes = spanMs / 60_000;
  const every = Math.max(1, Math.ceil(minutes / 10));
  const y = TOP + 2 * PANEL + GAP + 20;
  return Array.from({ length: Math.floor(minutes / every) + 1 }, (_, i) => {
    const at = i * every;
    return `<text class="mid" x="${x(at * 60_000)}" y="${y}">${at} min</text>`;
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
