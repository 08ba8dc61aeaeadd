/** Addresses of DNS servers as people write them. */
import { optionError } from '../../errors.js';
import type { DnsServer } from '../../platform/ports.js';

const DNS_PORT = 53;

/**
 * Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; port 53 unless given.
 *
 * @param option - Name of the option, for the error message.
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseDnsServer(text: string, option: string): DnsServer {
  const bareV6 = /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(%[\w.-]+)?$/i.test(text);
  const match = bareV6 ? [text, text] : /^(\[[0-9a-f:.]+(?:%[\w.-]+)?\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[2] ?? DNS_PORT);
  if (!match?.[1] || port < 1 || port > 65_535) {
    throw optionError(option, 'a DNS server such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53', text);
  }
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
}

/** `host:port` for messages. */
export function showDnsServer({ host, port }: DnsServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
