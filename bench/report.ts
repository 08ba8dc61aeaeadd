/** Results for people, and results for programs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import CliTable from 'cli-table3';
import type { Environment } from './support/environment.js';
import { number } from './support/format.js';
import type { ScenarioResult, Table, Target } from './support/scenario.js';
import { summarize } from './support/statistics.js';

/** A scenario that has run. */
export interface Finished {
  readonly name: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly result: ScenarioResult;
}

export function text({ name, rounds, seconds, result }: Finished): string {
  const parts = [`■ ${name} (${rounds} rounds, ${seconds.toFixed(0)} s)`];
  for (const table of result.tables) parts.push(`${table.title}\n${draw(table)}`);
  if (result.targets.length > 0) parts.push(draw(targetTable(result.targets)));
  if (result.notes.length > 0) parts.push(result.notes.map((note) => wrap(note)).join('\n'));
  if (result.faults.length > 0)
    parts.push(`FAULTS\n${result.faults.map((fault) => `✘ ${fault}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** Everything that was measured, with what is needed to measure it again. */
export function writeJson(
  file: string,
  environment: Environment,
  command: string,
  finished: readonly Finished[],
): void {
  const scenarios = finished.map(({ name, rounds, seconds, result }) => ({
    name,
    rounds,
    seconds,
    targets: result.targets.map((target) => ({ ...target, met: isMet(target) })),
    faults: result.faults,
    notes: result.notes,
    series: result.series.map((series) => ({ ...series, ...summarize(series.samples) })),
  }));
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify({ ...environment, command, scenarios }, null, 2);
  // Samples on one line: a file that is kept is read by people, too.
  const short = text.replaceAll(/\[[\s\d.,eE+-]+(?:null[\s\d.,eE+-]*)*\]/g, (list) =>
    list.replaceAll(/\s+/g, ' '),
  );
  writeFileSync(file, `${short}\n`);
}

function isMet({ value, limit }: Target): boolean {
  return value <= limit;
}

function measured({ value, unit }: Target): string {
  if (unit === '') return String(value);
  // Ratios are compared with limits such as 1.01.
  return `${unit === '×' && value < 10 ? value.toFixed(3) : number(value)} ${unit}`;
}

function targetTable(targets: readonly Target[]): Table {
  return {
    title: '',
    head: ['target', 'measured', 'at most', ''],
    rows: targets.map((target) => [
      target.what,
      measured(target),
      `${target.limit} ${target.unit}`.trim(),
      isMet(target) ? '✔' : '✘ missed',
    ]),
  };
}

function draw({ head, rows }: Table): string {
  const table = new CliTable({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

const WIDTH = 100;

function wrap(note: string): string {
  const lines = [''];
  for (const word of note.split(' ')) {
    if (lines.at(-1)!.length + word.length >= WIDTH) lines.push('');
    lines.push(`${lines.pop()} ${word}`.trimStart());
  }
  return lines.join('\n');
}
