/**
 * As little broker as possible: it accepts every CONNECT, acknowledges QoS 1, counts, and routes nothing, so that it
 * never holds the client up.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { serve } from '../../support/child.js';

const CONNECT = 1;
const PUBLISH = 3;
const PINGREQ = 12;
const CONNACK_ACCEPTED = Buffer.from([0x20, 2, 0, 0]);
const PINGRESP = Buffer.from([0xd0, 0]);

const servers: Server[] = [];
let publishes = 0;

function accept(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const acknowledged: number[] = [];
    let at = 0;
    for (let end = packetEnd(bytes, at); end !== undefined; end = packetEnd(bytes, at)) {
      answer(socket, bytes, at, acknowledged);
      at = end;
    }
    rest = bytes.subarray(at);
    if (acknowledged.length > 0) socket.write(Buffer.from(acknowledged));
  });
}

function answer(socket: Socket, bytes: Buffer, at: number, acknowledged: number[]): void {
  const header = bytes[at]!;
  switch (header >> 4) {
    case CONNECT:
      socket.write(CONNACK_ACCEPTED);
      break;
    case PINGREQ:
      socket.write(PINGRESP);
      break;
    case PUBLISH: {
      publishes += 1;
      if ((header & 0x06) === 0) return;
      const topicAt = at + 1 + lengthBytes(bytes, at);
      const idAt = topicAt + 2 + bytes.readUInt16BE(topicAt);
      acknowledged.push(0x40, 2, bytes[idAt]!, bytes[idAt + 1]!);
      break;
    }
    default:
      break;
  }
}

/** Bytes of the remaining length. */
function lengthBytes(bytes: Buffer, at: number): number {
  let count = 1;
  while ((bytes[at + count]! & 0x80) !== 0) count += 1;
  return count;
}

/** Where the packet at `at` ends; `undefined` if that has not arrived. */
function packetEnd(bytes: Buffer, at: number): number | undefined {
  let length = 0;
  for (let i = 0; ; i += 1) {
    const byte = bytes[at + 1 + i];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) !== 0) continue;
    const end = at + 2 + i + length;
    return end <= bytes.length ? end : undefined;
  }
}

const methods = {
  /** Opens so many ports and returns them. */
  async listen(ports: number): Promise<number[]> {
    for (let i = 0; i < ports; i += 1) {
      const server = createServer(accept).listen(0, '127.0.0.1');
      servers.push(server);
      await once(server, 'listening');
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  },

  /** PUBLISH packets since the last call. */
  count(_: undefined): number {
    const counted = publishes;
    publishes = 0;
    return counted;
  },
};

export type AckBrokerMethods = typeof methods;

serve(methods);
