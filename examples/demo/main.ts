/**
 * `npm run demo`: a fleet that loses a broker and does not care.
 *
 * Starts brokers and clients in this process, on free ports of 127.0.0.1, plays the story of `story.ts`, and exits
 * with 0 only if every message arrived.
 */
import { parseArgs } from 'node:util';
import { palette } from './paint.js';
import { createScreen } from './screen.js';
import { Stage } from './stage.js';
import { playStory, settle } from './story.js';
import { isClean, summary } from './summary.js';

const HELP = `npm run demo [-- options]

Three brokers, a dozen devices and a control room on this machine. A broker is
killed, comes back, another is added, more devices join. About 20 seconds.

  --fast       a shorter story, about 6 seconds
  --web        a page instead, in which you are the one who kills brokers
  --port <n>   port of that page (4280; 0 for any that is free)
  --help       this text

On a terminal it shows a live table; elsewhere a line per event. NO_COLOR is
respected. Ctrl-C ends it early, in good order. The exit code is 0 if nothing
was lost and every publish got an answer.`;

const WEB_PORT = 4280;
const FAST_PACE = 0.25;
/** Milliseconds that the clients get to deliver what is left. */
const LEAVE_MS = 5_000;

async function main(): Promise<number> {
  const options = {
    fast: { type: 'boolean' },
    web: { type: 'boolean' },
    port: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { fast = false, web = false, port, help = false } = parseArgs({ options }).values;
  if (help) {
    console.log(HELP);
    return 0;
  }
  if (web ? fast : port !== undefined)
    throw misuse(`${web ? '--fast' : '--port'} is not for this demo; see --help`);
  const paint = palette(process.stdout.isTTY);
  if (web) {
    const { runWeb } = await import('./web/run.js');
    await runWeb(portOf(port), paint, interruption());
    return 0;
  }
  const screen = createScreen(process.stdout, paint);
  const interrupted = interruption();
  const stage = await Stage.create({
    onNews: (item) => screen.news(item),
    pace: fast ? FAST_PACE : 1,
    signal: interrupted,
  });
  screen.open(stage);
  try {
    await playStory(stage);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    stage.say('info', 'interrupted; delivering what is left');
    await settle(stage);
  } finally {
    // Before they leave: the last picture shows where everybody was.
    screen.close();
    await stage.fleet.leave(LEAVE_MS);
    await stage.cluster.stop();
  }
  const report = stage.tally.report();
  console.log(`\n${summary(report, paint)}`);
  return isClean(report) ? 0 : 1;
}

/** What `--port` says. */
function portOf(text = `${WEB_PORT}`): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw misuse(`--port must be a number from 0 to 65535, got "${text}"`);
}

/** An error of whoever typed the command: shown without a stack. */
function misuse(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_MISUSE' });
}

/** Aborted by the first Ctrl-C; the second one ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    // Not `once`: what restores the cursor would end the process when it finds no other listener.
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code);
      controller.abort();
    });
  }
  return controller.signal;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error && 'code' in error ? error.message : error);
  process.exitCode = 2;
}
