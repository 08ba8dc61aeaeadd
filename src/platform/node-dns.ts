/** DNS messages over Node's sockets, and where the system says its servers are. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { open } from 'node:fs/promises';
import { connect, isIP } from 'node:net';
import type { DnsServer, DnsTransport } from './ports.js';

const RESOLV_CONF = '/etc/resolv.conf';
/** More than any resolv.conf that a person wrote. */
const RESOLV_CONF_BYTES = 64 * 1024;

async function udp(
  { host, port }: DnsServer,
  message: Uint8Array,
  accept: (reply: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<Uint8Array> {
  // A look-up of an address costs a turn of the thread pool.
  const literal = isIP(host);
  const { address, family } = literal === 0 ? await lookup(host) : { address: host, family: literal };
  signal.throwIfAborted();
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = settler<Uint8Array>(signal);
  socket.on('error', reject);
  socket.on('message', (reply) => {
    if (accept(reply)) resolve(reply);
  });
  socket.on('connect', () => socket.send(message));
  // Connected, the kernel hands over only what comes from that address and port, and reports refusals (R27).
  socket.connect(port, address);
  try {
    return await promise;
  } finally {
    socket.close();
  }
}

async function tcp({ host, port }: DnsServer, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const socket = connect({ host, port });
  const { promise, resolve, reject } = settler<Uint8Array>(signal);
  let received = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the server closed the connection without an answer')));
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2) return;
    const end = 2 + received.readUInt16BE(0);
    if (received.length >= end) resolve(received.subarray(2, end));
  });
  socket.write(Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]));
  try {
    return await promise;
  } finally {
    // A destroyed socket may still report an error that nobody waits for.
    socket.on('error', () => {});
    socket.destroy();
  }
}

/** A promise to settle from outside; `signal` rejects it. */
function settler<T>(signal: AbortSignal) {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  const settled = promise.finally(() => signal.removeEventListener('abort', onAbort));
  return { promise: settled, resolve, reject };
}

async function resolvConf(): Promise<string | undefined> {
  // Windows has no such file; c-ares, which Node brings, knows the servers of the interfaces.
  if (process.platform === 'win32')
    return getServers()
      .map((server) => `nameserver ${server}\n`)
      .join('');
  const file = await open(RESOLV_CONF).catch(() => undefined);
  try {
    const { buffer, bytesRead } = (await file?.read(Buffer.alloc(RESOLV_CONF_BYTES))) ?? {};
    return buffer?.toString('utf8', 0, bytesRead);
  } finally {
    await file?.close();
  }
}

/** Node's part of DNS discovery. */
export const nodeDns: DnsTransport = { udp, tcp, resolvConf, randomBytes };
