/** `plan`: who moves when the list changes. */
import { writeFile } from 'node:fs/promises';
import type { Endpoint } from '../../endpoint.js';
import type { Arguments } from '../arguments.js';
import { discover, discoveryOptions } from '../discovery.js';
import { readList } from '../list.js';
import { count, table } from '../table.js';
import type { Terminal } from '../terminal.js';
import { quoted, UsageError } from '../usage.js';
import { barChart } from './bar-chart.js';
import { readClientIds } from './client-ids.js';
import { MoveCount, type Plan } from './moves.js';

/** A list as it was resolved. */
interface Listed {
  readonly all: readonly Endpoint[];
  /** Those that can be a client's home. */
  readonly homes: readonly Endpoint[];
}

/** Runs `plan`. */
export async function plan(args: Arguments, terminal: Terminal): Promise<number> {
  const [from, to] = (await Promise.all(
    (['from', 'to'] as const).map((name) => listed(name, args, terminal)),
  )) as [Listed, Listed];
  const { total, batches } = await readClientIds(args.required('ids'), terminal.stdin);
  const moves = new MoveCount(from.homes, to.homes, args.text('zone'));
  for await (const batch of batches) {
    for (const id of batch) moves.add(id);
    terminal.progress(
      () => `${count(moves.ids)}${total === undefined ? '' : ` of ${count(total)}`} clients placed`,
    );
    // Interrupts, and the progress that was written, get their turn.
    await new Promise<void>((resolve) => terminal.platform.clock.soon(resolve));
    terminal.signal.throwIfAborted();
  }
  const found = moves.plan(from.all, to.all);
  if (found.ids === 0) throw new UsageError(`--ids ${quoted(args.required('ids'))} has no client ids in it`);
  const svg = args.text('svg');
  if (svg !== undefined) await save(svg, barChart(found));
  if (terminal.quiet) await terminal.json(found);
  else await show(found, terminal);
  return found.needless === 0 ? 0 : 1;
}

async function listed(name: 'from' | 'to', args: Arguments, terminal: Terminal): Promise<Listed> {
  const { parsed } = readList(args.required(name), `--${name}`);
  const { resolver, refusal } = discover(parsed, discoveryOptions(args), terminal.platform);
  const { endpoints: all } = await resolver.resolve(terminal.signal);
  return { all, homes: all.filter((endpoint) => endpoint.state === 'up' && refusal(endpoint) === undefined) };
}

async function save(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--svg ${quoted(path)} cannot be written: ${error.code ?? error.message}`);
  });
}

async function show({ ids, moved, needless, before, after }: Plan, terminal: Terminal): Promise<void> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const rows = names.map((name) => {
    const [was, will] = [before[name], after[name]];
    const change = (will ?? 0) - (was ?? 0);
    return [name, was ?? '', will ?? '', `${change > 0 ? '+' : ''}${count(change)}`];
  });
  const paint = (text: string, column: number) => {
    if (column !== 3 || text === '0') return text;
    return terminal.paint(text.startsWith('-') ? 'yellow' : 'green', text);
  };
  await terminal.print(table(['broker', 'before', 'after', 'change'], rows, terminal, paint));
  const share = ((100 * moved) / ids).toFixed(1);
  await terminal.print(
    `\n${count(moved)} of ${count(ids)} clients move (${share} %), ${count(needless)} needlessly`,
  );
}
