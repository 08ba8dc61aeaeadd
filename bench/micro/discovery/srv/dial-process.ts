/** A fresh process that connects once, by SRV. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { encodeQuery } from '../../../../src/discovery/dns/message.js';
import { nodePlatform } from '../../../../src/platform/node.js';
import { serve } from '../../../support/child.js';
import { connect, tokens } from '../../../support/library.js';

let dialed: number | undefined;
let onDial: (at: number) => void = () => {};

const methods = {
  ready: () => true,
  /** Begins to connect; then, the dial being under way, measures a round trip of the same question. */
  async connect({
    server,
  }: {
    readonly server: string;
  }): Promise<{ startedAt: number; roundTripMs: number }> {
    const startedAt = performance.now();
    connect('mqtt+srv://example.test', {
      clientId: 'bench',
      discovery: { dns: { servers: [server] }, allowedHosts: ['localhost'] },
      overrides: (container) => {
        const { schemes, open } = nodePlatform.network;
        container.register(tokens.network, {
          useValue: {
            schemes,
            open: (target, signal) => {
              dialed ??= performance.now();
              onDial(dialed);
              return open.call(nodePlatform.network, target, signal);
            },
          },
        });
      },
    });
    await methods.dialedAt();
    return { startedAt, roundTripMs: await roundTrip(server) };
  },
  dialedAt: (): Promise<number> =>
    new Promise((resolve) => {
      if (dialed === undefined) onDial = resolve;
      else resolve(dialed);
    }),
};

export type DialMethods = typeof methods;

async function roundTrip(server: string): Promise<number> {
  const [host = '', port = ''] = server.split(':');
  const socket = dgram.createSocket('udp4');
  socket.connect(Number(port), host);
  await once(socket, 'connect');
  const sentAt = performance.now();
  socket.send(encodeQuery(1, '_mqtt._tcp.example.test', true));
  await once(socket, 'message');
  const took = performance.now() - sentAt;
  socket.close();
  return took;
}

serve(methods);
