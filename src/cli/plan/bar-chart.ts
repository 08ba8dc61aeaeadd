/** A bar chart as SVG text: for each broker the clients before and after. */
import { count } from '../table.js';
import { printable } from '../terminal.js';
import type { Plan } from './moves.js';

const BAR = 12;
const ROW = 34;
const LEFT = 180;
const CHART = 480;
const RIGHT = 90;
const TOP = 64;
const SHOWN_LABEL = 26;

/** Draws a plan. Colours and text read on white and on dark pages. */
export function barChart({ ids, moved, before, after }: Plan): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const most = Math.max(1, ...Object.values(before), ...Object.values(after));
  const width = LEFT + CHART + RIGHT;
  const height = TOP + names.length * ROW + 16;
  const bar = (value: number, y: number, kind: string) => {
    const length = Math.round((value / most) * CHART * 10) / 10;
    return [
      `<rect class="${kind}" x="${LEFT}" y="${y}" width="${length}" height="${BAR}"/>`,
      `<text class="value" x="${LEFT + length + 6}" y="${y + BAR - 2}">${count(value)}</text>`,
    ];
  };
  const rows = names.flatMap((name, index) => {
    const y = TOP + index * ROW;
    return [
      `<text class="name" x="${LEFT - 10}" y="${y + BAR + 4}">${escaped(name)}</text>`,
      ...bar(before[name] ?? 0, y, 'before'),
      ...bar(after[name] ?? 0, y + BAR + 2, 'after'),
    ];
  });
  const title = `${count(moved)} of ${count(ids)} clients move`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">`,
    `<style>text{font:12px sans-serif;fill:#667}.name{text-anchor:end}.title{font-size:15px;font-weight:bold}.before{fill:#9aa5b1}.after{fill:#2a7de1}</style>`,
    `<text class="title" x="16" y="24">${title}</text>`,
    `<rect class="before" x="16" y="36" width="${BAR}" height="${BAR}"/><text x="34" y="46">before</text>`,
    `<rect class="after" x="96" y="36" width="${BAR}" height="${BAR}"/><text x="114" y="46">after</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  const shown = printable(text.length > SHOWN_LABEL ? `${text.slice(0, SHOWN_LABEL - 1)}…` : text);
  return shown.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
