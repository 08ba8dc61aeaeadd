/** Endpoints that never become brokers. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { blackhole } from '../../../test/support/blackhole.js';

const HOST = '127.0.0.1';

export interface SilentPeer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Drops SYNs, as a firewall or a machine without power does. */
export async function blackholePeer(): Promise<SilentPeer> {
  return Object.assign(await blackhole(), { host: HOST });
}

/** Accepts connections and never says a word, as a process that is stuck does. */
export async function silentPeer(): Promise<SilentPeer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    socket.resume();
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    host: HOST,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
