/** The program `mqtt-failover`: hands the process over to `run`, and lets it end by itself, so that all output is written. */
import process from 'node:process';
import { nodePlatform } from '../platform/node.js';
import { run } from './run.js';
import { Terminal } from './terminal.js';

const { stdin, stdout, stderr, env } = process;
const ending = new AbortController();

// Once: whoever presses it a second time has waited enough.
process.once('SIGINT', () => ending.abort());
process.once('SIGTERM', () => ending.abort());
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `mqtt-failover … | head`: nobody reads any more.
    if (error.code !== 'EPIPE') throw error;
    ending.abort();
  });
}

const terminal = new Terminal({ stdin, stdout, stderr, env, platform: nodePlatform, signal: ending.signal });
run(process.argv.slice(2), terminal).then(
  (code) => {
    process.exitCode = code;
    // A pipe that is still open would keep the process alive.
    stdin.destroy();
  },
  (error: unknown) => {
    // A defect of ours: the trace is for the report.
    stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  },
);
