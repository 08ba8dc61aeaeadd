/** What can be said of an SRV URL before any I/O, and before the code that asks the DNS is loaded. */
import { FailoverError } from '../../errors.js';
import type { DnsTransport } from '../../platform/ports.js';
import { srvName } from './srv-name.js';

/** The ways to the DNS that a client may have. */
export interface WaysToDns {
  readonly dns?: DnsTransport | undefined;
  readonly doh?: URL | undefined;
}

/**
 * The name to ask for.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for a domain that is none, or when this runtime has no way to the DNS.
 */
export function checkSrv(
  { service, domain }: { readonly service: string; readonly domain: string },
  { dns, doh }: WaysToDns,
): string {
  if (!dns && !doh) {
    throw new FailoverError(
      'ERR_OPTION',
      'Option `discovery.dns.doh` must be given for SRV discovery here: a browser cannot ask DNS servers, and no public one is asked unless you name it',
    );
  }
  return srvName(service, domain);
}
