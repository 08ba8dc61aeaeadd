/** The fleet page, served by the real command in a process of its own. */
import { fileURLToPath } from 'node:url';
import { Program } from './program.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const URL_LINE = /Fleet page {2}(http:\/\/127\.0\.0\.1:\d+\/)/;

/** The running demo and the address that it printed. */
export interface FleetDemo extends AsyncDisposable {
  readonly program: Program;
  readonly url: string;
}

/** `npm run demo -- --web` on a port that is free. */
export async function fleetDemo(): Promise<FleetDemo> {
  const main = `${ROOT}examples/demo/main.ts`;
  const program = await Program.start(
    process.execPath,
    () => ['--import', 'tsx', main, '--web', '--port', '0'],
    {
      env: { ...process.env, TSX_TSCONFIG_PATH: `${ROOT}examples/tsconfig.json` },
      // Printed last.
      ready: (output) => output.includes('Ctrl-C'),
    },
  );
  const url = URL_LINE.exec(program.output)?.[1] ?? '';
  return { program, url, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}
