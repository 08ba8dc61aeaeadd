/**
 * A cluster of aedes processes behind one Redis.
 *
 * The world it builds: one Redis without a disk, and brokers that keep everything in it, so that sessions, retained
 * messages and what waits for a subscriber are at every node. MQTT 3.1 and 3.1.1, TCP and WebSocket.
 */
import { fileURLToPath } from 'node:url';
import { accepts, freePort } from './daemon.js';
import { HOST } from './listener.js';
import { type BrokerCluster, type BrokerNode, buildCluster, Server } from './server.js';

const NODE = fileURLToPath(new URL('aedes-node.ts', import.meta.url));

export function redisCluster(size: number): Promise<BrokerCluster> {
  return buildCluster('redis', async ({ directory, use }) => {
    const port = await freePort();
    const redis = use(
      new Server({
        command: 'redis-server',
        args: ['--port', `${port}`, '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', directory],
        ready: () => accepts(port),
      }),
    );
    await redis.start();
    const nodes: AedesProcess[] = [];
    for (let n = 1; n <= size; n += 1)
      nodes.push(use(new AedesProcess(`aedes${n}`, await freePort(), await freePort(), port)));
    await Promise.all(nodes.map((node) => node.start()));
    return nodes;
  });
}

class AedesProcess extends Server implements BrokerNode {
  readonly url: string;
  readonly wsUrl: string;

  constructor(id: string, tcp: number, ws: number, redis: number) {
    super({
      command: process.execPath,
      args: ['--import', import.meta.resolve('tsx'), NODE, id, `${tcp}`, `${ws}`, `${redis}`],
      ready: (output) => output.includes('ready'),
    });
    this.url = `mqtt://${HOST}:${tcp}`;
    this.wsUrl = `ws://${HOST}:${ws}`;
  }
}
