/** Calm tables: columns and a rule under the head, nothing around them. */
import Table from 'cli-table3';
import { printable, type Terminal } from './terminal.js';

/** A cell: text, or a number, which stands to the right. */
export type Cell = string | number;

/** No border but the rule between the head and the rows. */
const CHARS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Draws rows under a head, which may be all empty and is then left out. Figures stand to the right. Outside data in the cells is made safe to show; `paint` sees it after that. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  terminal: Terminal,
  paint: (text: string, column: number, row: number) => string = (text) => text,
): string {
  const drawn = new Table({
    chars: CHARS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) => (rows.every((row) => isFigure(row[column])) ? 'right' : 'left')),
  });
  if (head.some((text) => text !== '')) drawn.push(head.map((text) => terminal.paint('dim', text)));
  for (const [index, row] of rows.entries()) {
    drawn.push(row.map((cell, column) => paint(shown(cell), column, index)));
  }
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A number, one that is written with its sign, or none. */
function isFigure(cell: Cell | undefined): boolean {
  return typeof cell === 'number' || /^(?:[+-]?[\d ]+)?$/.test(cell ?? '');
}

function shown(cell: Cell): string {
  return typeof cell === 'number' ? count(cell) : printable(cell);
}

/** A number with thin groups, the same in every locale. */
export function count(value: number): string {
  return Number.isInteger(value) ? String(value).replace(/\B(?=(\d{3})+$)/g, ' ') : value.toFixed(1);
}
