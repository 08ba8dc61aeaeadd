/**
 * A balancer before one backend.
 *
 * The world it builds: a HAProxy process on a free port of 127.0.0.1, which ends with it.
 */
import { daemon, freePort } from './daemon.js';

export interface Balancer extends AsyncDisposable {
  readonly port: number;
}

/** Starts one; `sections` are those of its configuration that follow `global`, for the port that it listens on. */
export async function haproxy(sections: (port: number) => string): Promise<Balancer> {
  const port = await freePort();
  const config = `
global
  maxconn 64
${sections(port)}`;
  const server = await daemon({
    program: 'haproxy',
    files: () => ({ 'haproxy.cfg': config }),
    args: (directory) => ['-db', '-f', `${directory}/haproxy.cfg`],
    port,
  });
  return { port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
