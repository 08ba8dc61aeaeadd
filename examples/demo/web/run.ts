/** `npm run demo -- --web`: the same story as a page, in which the visitor is the one who kills brokers. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Palette } from '../paint.js';
import { FleetServer } from './server.js';

const PREPARE = fileURLToPath(new URL('../../../scripts/prepare.mjs', import.meta.url));

/** Serves the fleet page until `signal` is aborted. @throws Error when the port is taken, or the bundle cannot be built. */
export async function runWeb(port: number, { bold, dim }: Palette, signal: AbortSignal): Promise<void> {
  // The page runs what is shipped.
  execFileSync(process.execPath, [PREPARE, '--build'], { stdio: ['ignore', 2, 2] });
  const server = await FleetServer.start(port);
  console.log(`
  ${bold('Fleet page')}  ${bold(server.url)}

  24 clients live in the page, on three brokers in this process. Open it, and:

    ${bold('kill')} a broker    its clients are elsewhere in a tenth of a second
    ${bold('hang')} one         nothing is closed, only silent: about two seconds
    ${bold('drain')} one        they leave one by one, without a gap
    ${bold('add')} one, ${bold('start')} the dead   only those who belong there come

  Every client reads the list of brokers from ${server.url}nodes.json
  ${dim('Ctrl-C stops it.')}
`);
  if (!signal.aborted) await once(signal, 'abort');
  await server.stop();
  console.log('Stopped.');
}
