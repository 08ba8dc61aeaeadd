/** The name whose SRV records are asked for. */
import { optionError } from '../../errors.js';

/** One label of a host name: letters, digits and inner hyphens (RFC 952, RFC 1123 §2.1). */
const HOST_NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** RFC 1035 §2.3.4, in characters without the trailing dot. */
const MAX_NAME = 253;

/** Whether `name` is a host name, and no IP address in any of the forms that resolvers read as one. */
export function isHostName(name: string): boolean {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return name.length <= MAX_NAME && HOST_NAME.test(name) && !/^(\d+|0x[0-9a-f]*)$/i.test(last);
}

/**
 * `_service._tcp.domain` (RFC 2782) with the domain in A-labels; absolute, so never tried with a search list (R6).
 *
 * @throws {@link FailoverError} `ERR_OPTION` for a domain that is no host name (R7).
 */
export function srvName(service: string, domain: string): string {
  const expected = 'an SRV URL with a domain name such as mqtts+srv://example.com (R7)';
  let host: string;
  try {
    host = new URL(`http://${domain}`).hostname.replace(/\.$/, '');
  } catch (cause) {
    throw optionError('brokers', expected, domain, { cause });
  }
  const name = `_${service.toLowerCase()}._tcp.${host}`;
  if (!isHostName(host) || name.length > MAX_NAME) throw optionError('brokers', expected, domain);
  return name;
}
