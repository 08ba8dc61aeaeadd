/**
 * One node of a cluster of aedes processes: `node --import tsx aedes-node.ts <name> <TCP port> <WebSocket port> <port of Redis>`.
 *
 * Messages, sessions and wills are in Redis, so they outlive the process. Says `ready` when it serves clients; SIGTERM
 * closes connections in order.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import persistence from 'aedes-persistence-redis';
import messageQueue from 'mqemitter-redis';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { HOST } from './listener.js';

const [id, tcpPort, wsPort, redisPort] = process.argv.slice(2) as [string, string, string, string];
const redis = { host: HOST, port: Number(redisPort) };
const aedes = await Aedes.createBroker({
  id,
  mq: messageQueue(redis) as never,
  persistence: persistence(redis),
  // Nodes tell each other that they live; whose wills are to be sent is judged by the lack of it.
  heartbeatInterval: 1_000,
});

const tcp = createServer({ noDelay: true }, (socket) => void aedes.handle(socket)).listen(
  Number(tcpPort),
  HOST,
);
const http = createHttpServer().listen(Number(wsPort), HOST);
new WebSocketServer({ server: http, handleProtocols: (offered) => offered.has('mqtt') && 'mqtt' }).on(
  'connection',
  (webSocket, request) => void aedes.handle(createWebSocketStream(webSocket), request),
);
await Promise.all([once(tcp, 'listening'), once(http, 'listening')]);
console.log('ready');

process.once('SIGTERM', () => {
  tcp.close();
  http.close();
  aedes.close(() => process.exit(0));
});
