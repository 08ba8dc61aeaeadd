/** `npm run demo -- --web`: the same story as a page, in which the visitor is the one who kills brokers. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Palette } from '../paint.js';
import { FleetServer } from './server.js';

const PREPARE = fileURLToPath(new URL('../../../scripts/prepare.mjs', import.meta.url));

/** Serves the fleet page until `signal` is aborted. @throws Error when the port is taken, or the bundle cannot be built. */
export async function runWeb(port: number, paint: Palette, signal: AbortSignal): Promise<void> {
  const server = await FleetServer.start(port);
  try {
    // The page runs what is shipped.
    execFileSync(process.execPath, [PREPARE, '--build'], { stdio: ['ignore', 2, 2] });
    console.log(welcome(server.url, paint));
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server.stop();
  }
  console.log('Stopped.');
}

function welcome(url: string, { bold, dim }: Palette): string {
  return `
  Fleet page  ${bold(url)}

  24 clients live in that page, on three brokers in this process. Open it, and

    ${bold('kill')} a broker      its clients are elsewhere in a tenth of a second
    ${bold('hang')} one           nothing is closed, it is only silent: about two seconds
    ${bold('drain')} one          its clients leave one by one, without a gap
    ${bold('add')} one            only the clients that belong there come

  Every client reads the list of brokers at ${url}nodes.json
  ${dim('Ctrl-C stops it.')}
`;
}
