/**
 * A DNS server over plain HTTP/1.1 (RFC 8484), for GET.
 *
 * The world it builds: one server on a free port of 127.0.0.1 with two paths: one that every page may read, and one
 * without the CORS header. It answers as the test says.
 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeReply, type Reply } from './dns-messages.js';
import { HOST } from './listener.js';

export interface DohServer extends AsyncDisposable {
  readonly url: string;
  /** Whether pages of other origins may read what `url` answers; may be changed at any time. */
  allowsPages: boolean;
  readonly urlWithoutCors: string;
  /** Methods of all requests, in order. */
  readonly methods: string[];
}

export async function dohServer(answer: () => Reply): Promise<DohServer> {
  const methods: string[] = [];
  const server = http.createServer((request, response) => {
    methods.push(request.method ?? '');
    const { pathname, searchParams } = new URL(request.url ?? '', `http://${HOST}`);
    if (pathname === '/dns-query' && doh.allowsPages) response.setHeader('access-control-allow-origin', '*');
    const query = Buffer.from(searchParams.get('dns') ?? '', 'base64url');
    response.setHeader('content-type', 'application/dns-message');
    response.end(encodeReply(query, answer()));
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const origin = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  const doh: DohServer = {
    url: `${origin}/dns-query`,
    allowsPages: true,
    urlWithoutCors: `${origin}/private`,
    methods,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return doh;
}
