/** Addresses of DNS servers as people write them. */
import { optionError } from '../../errors.js';
import type { DnsServer } from '../../platform/ports.js';

const DNS_PORT = 53;
/** A host name of 253 characters with brackets, zone and port. */
const MAX_LENGTH = 300;
/** `[v6]` or `[v6]:port`, a bare IPv6 address, `host` or `host:port`; IPv6 may have a zone. */
const FORM = /^(?:\[([^\]]+)\]|([^:[\]]*:[^[\]]*:[^[\]]*)|([\w.-]+))(?::(\d{1,5}))?$/;

/**
 * Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; port 53 unless given.
 *
 * @param option - Name of the option, for the error message.
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseDnsServer(text: string, option: string): DnsServer {
  // Matching costs the square of the length.
  const [, bracketed, bare, name, digits] = text.length > MAX_LENGTH ? [] : (FORM.exec(text) ?? []);
  const v6 = bracketed ?? bare;
  const port = Number(digits ?? DNS_PORT);
  if ((v6 === undefined ? !name : !isIPv6(v6)) || port < 1 || port > 65_535) {
    throw optionError(option, 'a DNS server such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53', text);
  }
  return { host: v6 ?? (name as string), port };
}

function isIPv6(text: string): boolean {
  const [address, zone = 'none'] = text.split('%', 2);
  return URL.canParse(`http://[${address}]`) && /^[\w.-]+$/.test(zone);
}

/** `host:port` for messages. */
export function showDnsServer({ host, port }: DnsServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
