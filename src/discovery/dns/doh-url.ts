/** The URL of a DNS-over-HTTPS server, as a user writes it. */
import { optionError } from '../../errors.js';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Reads option `discovery.dns.doh`. Plain `http` is for this machine only: names and answers would be anybody's.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function parseDohUrl(text: string): URL {
  const expected = 'an https URL such as https://dns.example.com/dns-query (http only on loopback)';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw optionError('discovery.dns.doh', expected, text);
  }
  const allowed = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (!allowed) throw optionError('discovery.dns.doh', expected, text);
  if (url.username || url.password) {
    // `fetch` refuses such URLs.
    throw optionError('discovery.dns.doh', 'a URL without user info', text);
  }
  url.hash = '';
  return url;
}
