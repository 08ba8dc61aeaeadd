/**
 * The world in which the documentation's code runs: it is what `mqtt-failover` is for that code.
 *
 * The world it builds: an aedes broker behind every host, or one that speaks MQTT 5 where the code asks for it, a DNS server
 * with two brokers for every domain, and a registry with two at every URL. Files are in a temporary directory. Real: the client
 * and its sockets. Fake: where names lead, and TLS and WebSocket, which every host does without.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FailoverClient } from '../../src/client/client.js';
import { type Connect, type ConnectAsync, createConnector } from '../../src/connect.js';
import { enginesOf } from '../../src/di/container.js';
import { nodeTools } from '../../src/di/tools-node.js';
import { createEndpoint } from '../../src/endpoint.js';
import { nodePlatform } from '../../src/platform/node.js';
import type { Network, Platform } from '../../src/platform/ports.js';
import { type AedesBroker, aedesBroker } from './aedes-cluster.js';
import { encodeReply, type Reply, readQuery, srv } from './dns-messages.js';
import { DnsServer } from './dns-server.js';
import { HOST } from './listener.js';
import { type ScriptedBroker, scriptedBroker } from './scripted-broker.js';

export * from '../../src/public.js';

interface World {
  readonly broker: AedesBroker;
  readonly brokerOf5: ScriptedBroker;
  readonly dns: DnsServer;
  readonly directory: string;
}

let world: World;

/** Sets the world up. */
export async function open(): Promise<void> {
  world = {
    broker: await aedesBroker(),
    brokerOf5: await scriptedBroker(),
    dns: await DnsServer.open(({ name }) => records(name)),
    directory: await mkdtemp(join(tmpdir(), 'mqtt-failover-snippets-')),
  };
}

/** Two brokers below the domain that is asked for. */
function records(name: string): Reply {
  const domain = name.toLowerCase().replace(/^.*\._tcp\./, '');
  return { answers: ['a', 'b'].map((host) => srv(name, `${host}.${domain}`)) };
}

const network: Network = {
  schemes: nodePlatform.network.schemes,
  open(target, signal) {
    const { port } = target.options.protocolVersion === 5 ? world.brokerOf5 : world.broker;
    const endpoint = createEndpoint({ scheme: 'mqtt', authority: `${HOST}:${port}` }, 'the test broker');
    return nodePlatform.network.open({ ...target, endpoint }, signal);
  },
};

const toOurDns: Platform['dns'] = nodePlatform.dns && {
  ...nodePlatform.dns,
  udp: (_, message, accept, signal) =>
    nodePlatform.dns!.udp({ host: HOST, port: world.dns.port }, message, accept, signal),
};

async function answer(url: string): Promise<Response> {
  const { hostname, searchParams } = new URL(url);
  const question = searchParams.get('dns');
  if (question) {
    const query = Buffer.from(question, 'base64url');
    const headers = { 'content-type': 'application/dns-message' };
    return new Response(new Uint8Array(encodeReply(query, records(readQuery(query).name))), { headers });
  }
  const domain = hostname.slice(hostname.indexOf('.') + 1);
  const nodes = ['a', 'b'].map((id) => ({ id, urls: [`mqtts://${id}.${domain}`] }));
  return Response.json({ schema: 'mqtt-nodes/1', nodes });
}

const inDirectory = (path: string) => join(world.directory, encodeURIComponent(resolve(path)));

const platform: Platform = {
  ...nodePlatform,
  network,
  dns: toOurDns!,
  fetch: (url) => answer(url),
  openTextStore: (path) => nodePlatform.openTextStore(inDirectory(path)),
  databases: { open: (path) => nodePlatform.databases!.open(inDirectory(path)) },
};

const connector = createConnector({
  platform,
  makeEngine: enginesOf(platform, nodeTools),
  defaults: { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 },
});

interface Made {
  readonly client: FailoverClient;
  readonly connected: Promise<unknown>;
}

let made: Made[] = [];

export const connect = ((...args: Parameters<Connect>) => {
  // Several brokers, so that no snippet is a plain client, which would dial the real network.
  const client = connector.connect(...args);
  if (client.isPlain) throw new Error('A client of one broker without options would leave this machine');
  made.push({ client, connected: once(client, 'connect', { signal: AbortSignal.timeout(10_000) }) });
  return client;
}) as Connect;

export const connectAsync = (async (...args: Parameters<Connect>) => {
  const client = connect(...args);
  await made.find((each) => each.client === client)?.connected;
  return client;
}) as ConnectAsync;

/** Waits until every client that was made since the last call has been connected, and ends them. */
export async function finish(): Promise<number> {
  const all = made;
  made = [];
  try {
    await Promise.all(all.map(({ connected }) => connected));
  } finally {
    await Promise.all(all.map(({ client }) => client.endAsync(true)));
  }
  return all.length;
}

/** Takes the world down. */
export async function close(): Promise<void> {
  const { broker, brokerOf5, dns, directory } = world;
  await Promise.all([broker, brokerOf5, dns].map((each) => each[Symbol.asyncDispose]()));
  await rm(directory, { recursive: true, force: true });
}
