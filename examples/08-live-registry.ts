/**
 * A registry that drains a broker and then dies: the client follows, keeps its list, and boots with it next time.
 *
 *     node --import tsx examples/08-live-registry.ts
 *
 * Prints:
 *
 *     connected to n2
 *     n2 is to be drained
 *     left n2 for n1
 *     the registry is down; still connected to n1
 *     a restart without the registry: connected to n1, list from last-known-good
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type FailoverOptions } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers([{}, {}]);
// The smallest registry there is; examples/registry/ has some to deploy.
let drained: string | null = null;
const registry = createServer((_request, response) => {
  const nodes = brokers.urls.map((url, at) => ({ id: `n${at + 1}`, urls: [url] }));
  const states = nodes.map((node) => ({ ...node, state: node.id === drained ? 'draining' : 'up' }));
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ schema: 'mqtt-nodes/1', spreadMs: 200, nodes: states }));
}).listen(0, '127.0.0.1');
await once(registry, 'listening');

const folder = await mkdtemp(join(tmpdir(), 'example-'));
const url = `registry+http://127.0.0.1:${(registry.address() as AddressInfo).port}/nodes.json`;
const discovery = { registry: { pollMs: 1_000 }, lastKnownGood: join(folder, 'list') };
const options: FailoverOptions = { clientId: 'sensor-2', discovery };

const client = connect(url, options);
await once(client, 'connect');
drained = client.status().current;
console.log(`connected to ${drained}\n${drained} is to be drained`);
const [{ from, to }] = await once(client, 'move');
console.log(`left ${from} for ${to}`);

registry.close().closeAllConnections();
await once(client, 'discovery-error');
console.log(`the registry is down; still connected to ${client.status().current}`);
await client.endAsync();

const restarted = connect(url, options);
await once(restarted, 'connect');
const { current, discovery: list } = restarted.status();
console.log(`a restart without the registry: connected to ${current}, list from ${list.source}`);
await restarted.endAsync();
await brokers.stop();
await rm(folder, { recursive: true });
