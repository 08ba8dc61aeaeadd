/** Reads a URL that names a domain instead of hosts: `mqtts+srv://example.com`. */
import { KNOWN_SCHEMES, toScheme } from '../endpoint.js';
import { optionError } from '../errors.js';
import type { SrvBrokers } from './parsed.js';
import type { UrlForm } from './url.js';

/** What service records are called (R3); WebSockets have no such name. */
const SERVICES = { mqtt: 'mqtt', mqtts: 'secure-mqtt', ws: '', wss: '' };

/**
 * @param text - The URL as it was written, for the message.
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseSrvUrl(form: UrlForm, option: string, text: string): SrvBrokers {
  const scheme = toScheme(form.scheme);
  const domain = form.authority;
  const url = new URL(`http://unused${form.path.replace(/^(?!\/)/, '/')}`);
  if (!scheme) throw optionError(option, `a URL with one of the schemes ${KNOWN_SCHEMES.join(', ')}`, text);
  if (domain === '' || /[:,@[\]]/.test(domain)) {
    throw optionError(option, 'an SRV URL with exactly one domain name and no port (R5)', text);
  }
  const service = url.searchParams.get('srv') ?? SERVICES[scheme];
  if (!/^[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/i.test(service)) {
    throw optionError(
      option,
      'an SRV URL that names its service with ?srv=, such as ?srv=mqtt-ws (R3)',
      text,
    );
  }
  url.searchParams.delete('srv');
  return { kind: 'srv', scheme, domain: domain.toLowerCase(), service, path: url.pathname + url.search };
}
