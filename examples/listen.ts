/** Ports for brokers that die and come back: one that was given up must still be free a moment later. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const HOST = '127.0.0.1';

/** Below what systems hand out to clients by themselves: a connection of anybody's would keep the port for its whole life. */
const FIRST_PORT = 10_000;
const PORTS = 22_000;
/** How often a port that is taken is tried again, and the milliseconds in between. */
const RETRIES = 50;
const RETRY_MS = 20;

/**
 * Listens on 127.0.0.1.
 *
 * @param port - Waits a little until it is free; 0 for any that is.
 * @returns the port
 */
export async function listen(server: Server, port: number): Promise<number> {
  for (let retries = 0; ; retries += 1) {
    try {
      server.listen(port || FIRST_PORT + randomInt(PORTS), HOST);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || retries === RETRIES) throw error;
      if (port) await sleep(RETRY_MS);
    }
  }
}
