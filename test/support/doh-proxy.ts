/**
 * HAProxy in front of a DNS server that speaks HTTP/2 without TLS and knows no pages, as BIND 9 does.
 *
 * The world it builds: a proxy on a free port of 127.0.0.1 that speaks HTTP/1.1 to `fetch`, and lets pages of every origin
 * read what is answered. Preflights it leaves to BIND, which refuses them.
 */
import { haproxy } from './haproxy.js';
import { HOST } from './listener.js';

export interface DohProxy extends AsyncDisposable {
  /** For `discovery.dns.doh`. */
  readonly url: string;
}

/** Starts one; `backendPort` is where the DNS server listens. */
export async function dohProxy(backendPort: number): Promise<DohProxy> {
  const proxy = await haproxy(
    (port) => `defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 5s
frontend doh
  bind ${HOST}:${port}
  http-response set-header Access-Control-Allow-Origin "*"
  default_backend bind9
backend bind9
  server b1 ${HOST}:${backendPort} proto h2
`,
  );
  return {
    url: `http://${HOST}:${proxy.port}/dns-query`,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
