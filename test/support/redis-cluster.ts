/**
 * A cluster of aedes processes behind one Redis.
 *
 * The world it builds: one Redis without a disk, and brokers that keep everything in it, so that sessions, retained
 * messages and what waits for a subscriber are at every node. MQTT 3.1 and 3.1.1, TCP and WebSocket.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accepts, freePort } from './daemon.js';
import { HOST } from './listener.js';
import { type BrokerCluster, type BrokerNode, disposeAll, Server } from './server.js';

const NODE = fileURLToPath(new URL('aedes-node.ts', import.meta.url));

export async function redisCluster(size: number): Promise<BrokerCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-cluster-'));
  const port = await freePort();
  const redis = new Server({
    command: 'redis-server',
    args: ['--port', `${port}`, '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', directory],
    ready: () => accepts(port),
  });
  const nodes: AedesProcess[] = [];
  const cluster: BrokerCluster = {
    nodes,
    [Symbol.asyncDispose]: async () => {
      await disposeAll([...nodes, redis]);
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await redis.start();
    for (let n = 1; n <= size; n += 1)
      nodes.push(new AedesProcess(`aedes${n}`, await freePort(), await freePort(), port));
    await Promise.all(nodes.map((node) => node.start()));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
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
