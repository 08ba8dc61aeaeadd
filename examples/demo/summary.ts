/** The last words of the demo: the books in plain text, and whether they balance. */
import type { Palette } from './paint.js';
import type { Report } from './tally.js';

/** Whether everything that was published arrived, and every publish got an answer. */
export function isClean({ lost, rejected, unsettled, commandsSent, commandsReceived }: Report): boolean {
  return lost === 0 && rejected === 0 && unsettled === 0 && commandsSent === commandsReceived;
}

export function summary(report: Report, { bold, dim, red, green }: Palette): string {
  const { lost, moved, needlesslyMoved, returned, duplicates, unsettled, rejected } = report;
  const line = (name: string, text: string) => `  ${dim(name.padEnd(17))}${text}`;
  const verdict = isClean(report)
    ? green(bold(`✔ ${lost} lost`))
    : red(bold(`✖ ${lost} lost, ${unsettled} publishes without an answer`));
  return [
    bold('Summary') + dim(" (the library's defaults, but for a hasty failback and discovery)"),
    line('moved', `${moved} of ${report.clients} clients, when their broker was killed`),
    line('needlessly moved', `${needlesslyMoved}`),
    line('went home', `${returned}, to the broker that returned or was added`),
    line('offline time', `${spread(report.offlineP50Ms, report.offlineP99Ms)} after the kill`),
    line('gap of a move', `${spread(report.gapP50Ms, report.gapP99Ms)} between the two links`),
    line('readings', `${report.published} published, ${report.delivered} delivered`),
    line('duplicates', `${duplicates}${duplicates > 0 ? ' (acknowledgements died with the broker)' : ''}`),
    line('commands', `${report.commandsSent} sent, ${report.commandsReceived} received`),
    ...(rejected + unsettled > 0 ? [line('publishes', `${rejected} rejected, ${unsettled} unsettled`)] : []),
    '',
    `  ${verdict}`,
  ].join('\n');
}

function spread(p50: number | null, p99: number | null): string {
  return `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`;
}

function milliseconds(value: number | null): string {
  return value === null ? '-' : `${Math.round(value)} ms`;
}
