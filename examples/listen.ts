/** Ports and sockets of brokers that die and come back: a port that was given up must still be free a moment later. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const HOST = '127.0.0.1';

/**
 * Below what systems hand out to clients by themselves: a connection of anybody's would keep the port for its whole life.
 * Each process has a slice of its own, from which it takes one port after the other: what a dead broker gave up is not
 * another program's a moment later.
 */
const FIRST_PORT = 10_000;
const SLICES = 100;
const SLICE = 220;
let taken = 0;

/** How often a port that is taken is tried again after how many milliseconds, or the next one at once. */
const RETRIES = 50;
const RETRY_MS = 20;

function nextPort(): number {
  taken += 1;
  return FIRST_PORT + (process.pid % SLICES) * SLICE + (taken % SLICE);
}

/**
 * Listens on 127.0.0.1.
 *
 * @param port - Waits a little until it is free; 0 for any that is.
 * @returns the port
 */
export async function listen(server: Server, port: number): Promise<number> {
  for (let retries = 0; ; retries += 1) {
    try {
      server.listen(port || nextPort(), HOST);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || retries === RETRIES) throw error;
      if (port) await sleep(RETRY_MS);
    }
  }
}

/**
 * The peer sees ECONNRESET; an attempt that has not come through yet is given up, and so is a socket that is about to
 * end anyway: Node cannot reset it, and would leave it open for good.
 */
export function reset(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
