/** Charts of a simulation as SVG text: the CONNECT rate, and the clients of each broker, over time. */
import type { Simulation, Timeline } from '../../simulator/simulate.js';
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

/** Units of time between two ticks, in milliseconds, and the most ticks that have room. */
const TICKS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600].map((seconds) => seconds * 1_000);
const MOST_TICKS = 10;
/** Of the time until the last thing happens, how much more is drawn, so that the end is seen to be one. */
const QUIET = 0.1;
const LEAST_MS = 10_000;

/** Draws a simulation, without the quiet at its end. Colours and text read on white and on dark pages. */
export function chart({ report, policy, timeline }: Simulation): string {
  const { binMs, sampleMs, nodes, blows } = timeline;
  const spanMs = busyMs(timeline);
  const connects = timeline.connects.slice(0, Math.ceil(spanMs / binMs));
  const placement = timeline.placement.slice(0, Math.floor(spanMs / sampleMs) + 1);
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
    '<style>text{font:12px sans-serif;fill:#667}.title{font-size:15px;font-weight:bold}.end{text-anchor:end}.mid{text-anchor:middle}.axis{stroke:#99a;fill:none}.grid{stroke:#99a;stroke-opacity:.3;fill:none}.blow{stroke:#d64562;stroke-dasharray:3 3}.rate{fill:#2a7de1}.load{fill:none;stroke-width:1.5}</style>',
    `<text class="title" x="16" y="24">${title}</text>`,
    ...panel(TOP, `CONNECTs in ${binMs} ms`, peak),
    `<path class="rate" d="${bars(columns(connects), peak, TOP + PANEL)}"/>`,
    ...panel(second, 'clients on each broker', most),
    ...blowLines,
    ...nodes.map((_, node) => line(node, placement, most, second + PANEL, (i) => x(i * sampleMs))),
    ...names(nodes, placement.at(-1) ?? [], most, second + PANEL),
    ...ticks(spanMs, x),
    '</svg>',
    '',
  ].join('\n');
}

/** Milliseconds until nobody connects or moves any more, and a little longer. */
function busyMs({ connects, binMs, placement, sampleMs }: Timeline): number {
  const isChange = (loads: readonly number[], i: number) =>
    i > 0 && loads.some((load, node) => load !== (placement[i - 1]?.[node] ?? 0));
  const last = Math.max(
    connects.findLastIndex((count) => count > 0) * binMs,
    placement.findLastIndex(isChange) * sampleMs,
  );
  return Math.min(Math.max(1, connects.length * binMs), Math.max(LEAST_MS, last * (1 + QUIET)));
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
  const step = niceStep(top / 3);
  const lines = Array.from({ length: Math.ceil(top / step) - 1 }, (_, i) => (i + 1) * step);
  // The highest value itself is named, and keeps its place.
  const named = lines.filter((value) => value < 0.9 * top);
  const at = (value: number) => round(y + PANEL - (value / top) * PANEL);
  return [
    ...named.map((value) => `<path class="grid" d="M${LEFT} ${at(value)}H${LEFT + CHART}"/>`),
    ...named.map((value) => `<text class="end" x="${LEFT - 8}" y="${at(value) + 4}">${count(value)}</text>`),
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

/** The next of 1, 2, 5, 10, 20, 50, … that is as much as `least`, and 1 at least. */
function niceStep(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

function ticks(spanMs: number, x: (ms: number) => number): string[] {
  const every = TICKS_MS.find((ms) => spanMs / ms <= MOST_TICKS) ?? spanMs;
  const y = TOP + 2 * PANEL + GAP + 20;
  return Array.from({ length: Math.floor(spanMs / every) + 1 }, (_, i) => {
    const at = i * every;
    const text = every < 60_000 ? `${at / 1_000} s` : `${at / 60_000} min`;
    return `<text class="mid" x="${x(at)}" y="${y}">${text}</text>`;
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
