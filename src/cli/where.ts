/** `where`: the ranking of one client id, by the very parts that the client would use. */
import { Watcher } from '../discovery/watcher.js';
import { HealthBook } from '../health/health-book.js';
import { Candidates } from '../selection/candidates.js';
import { clientIdSelector } from '../selection/selector.js';
import type { Arguments } from './arguments.js';
import { discover, discoveryOptions } from './discovery.js';
import { readList } from './list.js';
import { table } from './table.js';
import { printable, type Terminal } from './terminal.js';
import { UsageError } from './usage.js';

/** Runs `where`. */
export async function where(args: Arguments, terminal: Terminal): Promise<number> {
  const { platform, signal } = terminal;
  const { clock, random, network } = platform;
  const { parsed } = readList(args.required('brokers'), '--brokers');
  const clientId = args.operand(0);
  if (clientId === '') throw new UsageError('<clientId> must not be empty: mqtt-failover where <clientId>');
  const zone = args.text('zone');
  const given = { ...discoveryOptions(args), clientId, ...(zone === undefined ? {} : { zone }) };
  const { options, resolver, refusal } = discover(parsed, given, platform);
  const events = { emit: () => {} };
  const watcher = new Watcher({ resolver, clock, random, events, refreshMs: undefined });
  signal.addEventListener('abort', () => watcher.stop());
  const { skipped = [] } = await watcher.refresh().catch(async (error: unknown) => {
    if (terminal.quiet) await terminal.json([]);
    throw error;
  });
  const explained = new Candidates({
    watcher,
    selector: clientIdSelector(zone),
    zone,
    health: new HealthBook(options.health, clock, random, events),
    redirects: { order: (ranked) => ranked },
    refusal: (endpoint) =>
      network.schemes.has(endpoint.scheme) ? refusal(endpoint) : `Node cannot dial ${endpoint.scheme}:`,
    clientId: () => clientId,
    clock,
    random,
    events,
  }).explain();
  // The fields that the JSON promises, and no others.
  const ranking = explained.map(({ id, url, rank, eligible, reason }) => ({
    id,
    url,
    rank,
    eligible,
    reason,
  }));
  watcher.stop();
  if (terminal.quiet) await terminal.json(ranking);
  else {
    const rows = ranking.map(({ id, url, rank, eligible, reason }) => [
      rank,
      id,
      url,
      eligible ? 'yes' : 'no',
      reason,
    ]);
    const paint = (text: string, column: number, row: number) =>
      column === 3 ? terminal.paint(ranking[row]?.eligible ? 'green' : 'red', text) : text;
    if (rows.length > 0)
      await terminal.print(table(['rank', 'id', 'url', 'eligible', 'reason'], rows, terminal, paint));
    for (const reason of skipped) terminal.note(`left out: ${printable(reason)}`);
  }
  return ranking.some(({ eligible }) => eligible) ? 0 : 1;
}
