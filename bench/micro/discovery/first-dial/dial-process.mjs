/**
 * A process as an application starts it, without a loader of TypeScript: connects twice, and tells how long the first dial
 * of each took, of the first also of the processor, and how long a round trip of the same question is.
 *
 * Arguments: what to do, and the address of the DNS server, the URL of the registry (and the file of the kept list), or a
 * broker's port.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect as dial } from 'node:net';
import packet from 'dns-packet';
import { connect, tokens } from '../../../../dist/index.js';

const NAME = '_mqtt._tcp.example.test';
const TRIPS = 5;
const SETTLE_MS = 300;

const [what, where] = process.argv.slice(2);
/** Settled by the dial that is waited for. */
let dialed;

const kinds = {
  list: () => connectTo([`mqtt://127.0.0.1:${where}`, 'mqtt://127.0.0.1:9']),
  srv: () => connectTo('mqtt+srv://example.test', { dns: { servers: [where] }, allowedHosts: ['localhost'] }),
  registry: () => connectTo(`registry+${where}`),
  'kept list': () => {
    const [url, lastKnownGood] = where.split(' ');
    connectTo(url, { lastKnownGood });
  },
  /** What an application would write itself: the least that the platform takes. dns-packet is loaded already. */
  'srv by hand': async () => {
    const { answers } = packet.decode(await ask(where));
    const [{ data }] = answers;
    dialed.resolve(performance.now());
    dial({ host: data.target, port: data.port }).on('error', () => {});
  },
  'registry by hand': async () => {
    const { nodes } = await (await fetch(where)).json();
    const { hostname, port } = new URL(nodes[0].urls[0]);
    dialed.resolve(performance.now());
    dial({ host: hostname, port: Number(port) }).on('error', () => {});
  },
};

function connectTo(brokers, discovery) {
  connect(brokers, {
    clientId: 'bench',
    ...(discovery && { discovery }),
    overrides: (container) => {
      const network = container.resolve(tokens.network);
      const { resolve: arrived } = dialed;
      const open = (target, signal, address) => {
        arrived(performance.now());
        return network.open(target, signal, address);
      };
      const { schemes } = network;
      const resolve = (target, signal) => network.resolve(target, signal);
      container.register(tokens.network, { useValue: { schemes, resolve, open } });
    },
  });
}

async function ask(server) {
  const [host, port] = server.split(':');
  const socket = createSocket('udp4');
  socket.connect(Number(port), host);
  await once(socket, 'connect');
  socket.send(packet.encode({ id: 1, questions: [{ type: 'SRV', name: NAME }] }));
  const [reply] = await once(socket, 'message');
  socket.close();
  return reply;
}

async function roundTrip() {
  if (what.startsWith('srv')) await ask(where);
  else {
    const [response] = await once(get(where, { agent: false }), 'response');
    response.resume();
    await once(response, 'end');
  }
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function msToDial() {
  dialed = withResolvers();
  const startedAt = performance.now();
  void kinds[what]();
  return (await dialed.promise) - startedAt;
}

const cpuBefore = process.cpuUsage();
const tookMs = await msToDial();
const { user, system } = process.cpuUsage(cpuBefore);
const cpuMs = (user + system) / 1_000;
// What the first client loads after its dial is not the second one's.
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
const againMs = await msToDial();
const trips = [];
const asks = what !== 'list' && what !== 'kept list';
for (let trip = 0; asks && trip < TRIPS; trip += 1) {
  const sentAt = performance.now();
  await roundTrip();
  trips.push(performance.now() - sentAt);
}
// The first ones run code for the first time; the best is what the network takes.
process.stdout.write(
  JSON.stringify({ tookMs, cpuMs, againMs, roundTripMs: asks ? Math.min(...trips) : 0 }),
  () => process.exit(),
);
