/** `doctor`: every broker of a list, step by step, and what is wrong in words. */
import type { Arguments } from '../arguments.js';
import { discoveryOptions, sessionOptions } from '../discovery.js';
import { readList } from '../list.js';
import { table } from '../table.js';
import { printable, type Terminal } from '../terminal.js';
import { examine } from './examine.js';
import type { Diagnosis, Notes } from './findings.js';
import { askSource, leavesOf } from './sources.js';

/** Endpoints that are examined at once. */
const AT_ONCE = 16;
const DEFAULT_TIMEOUT_S = 5;

/** Runs `doctor`. */
export async function doctor(args: Arguments, terminal: Terminal): Promise<number> {
  const { platform, signal } = terminal;
  const { parsed } = readList(args.operand(0), '<list>');
  const timeoutMs =
    1_000 * (args.number('timeout', { min: 0.1, max: 600, integer: false }) ?? DEFAULT_TIMEOUT_S);
  const given = { ...discoveryOptions(args), ...(await sessionOptions(args, terminal)) };
  const sources = await Promise.all(
    leavesOf(parsed).map((source) => askSource(source, given, platform, signal)),
  );
  const jobs = sources.flatMap(({ endpoints, origin, options, authorisation }) =>
    endpoints.map((endpoint) => {
      const context = { platform, authorisation, origin, mqtt: options.mqtt, timeoutMs, signal };
      return () => examine(endpoint, context);
    }),
  );
  const examined = await allOf(jobs, (done) =>
    terminal.progress(() => `${done} of ${jobs.length} brokers examined`),
  );
  signal.throwIfAborted();
  const ofSources = sources.flatMap(({ record }) => (record && record.problems.length > 0 ? [record] : []));
  const records: Notes[] = [...ofSources, ...examined];
  const problems = records.flatMap((record) => record.problems);
  const diagnosis = {
    ok: problems.length === 0,
    endpoints: records.map(({ examination }) => examination),
    problems,
  };
  if (terminal.quiet) await terminal.json(diagnosis);
  else await show(diagnosis, terminal);
  return diagnosis.ok ? 0 : 1;
}

/** Does all jobs, some at once; results in the order of the jobs. */
async function allOf<T>(jobs: readonly (() => Promise<T>)[], told: (done: number) => void): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let job = jobs[next]; job; job = jobs[next]) {
      const index = next;
      next += 1;
      results[index] = await job();
      done += 1;
      told(done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

async function show({ ok, endpoints, problems }: Diagnosis, terminal: Terminal): Promise<void> {
  for (const { id, url, ok: well, steps } of endpoints) {
    const mark = well ? terminal.paint('green', '✔') : terminal.paint('red', '✖');
    const name = terminal.paint('bold', printable(id));
    await terminal.print(`${mark} ${name}${id === url ? '' : `  ${printable(url)}`}`);
    const rows = steps.map(({ step, ok: fine, ms, detail }) => [
      fine ? '  ✔' : '  ✖',
      step,
      `${ms.toFixed(1)} ms`,
      detail,
    ]);
    const paint = (text: string, column: number, row: number) =>
      column === 0 ? terminal.paint(steps[row]?.ok ? 'green' : 'red', text) : text;
    await terminal.print(`${table(['', '', '', ''], rows, terminal, paint)}\n`);
  }
  if (ok) await terminal.print(`${endpoints.length} of ${endpoints.length} fine, no problem found`);
  else {
    await terminal.print(
      terminal.paint('bold', problems.length === 1 ? '1 problem' : `${problems.length} problems`),
    );
    for (const { code, endpoint, text } of problems)
      await terminal.print(`${terminal.paint('red', code)}  ${printable(endpoint)}: ${printable(text)}`);
  }
}
