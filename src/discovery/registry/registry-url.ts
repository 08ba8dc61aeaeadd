/** Reads the URL of a registry, before the code that asks registries is loaded. */
import { type Scheme, toScheme } from '../../endpoint.js';
import { optionError } from '../../errors.js';
import { isLoopback } from '../../loopback.js';
import type { Reach } from './mappings/mapping.js';

/** What a registry URL says. */
export interface RegistryUrls {
  /** One for each host. */
  readonly urls: readonly URL[];
  readonly reach: Reach;
}

/** What {@link readRegistryUrl} may accept. */
export interface UrlPolicy {
  /** Plain HTTP to other hosts than this one (R51). */
  readonly allowInsecure: boolean;
}

/** Each is a place of its own to ask: nobody has so many, and what is made of a list of thousands takes a second. */
const MAX_HOSTS = 100;
/** Matches whatever follows the scheme: a form that could fail at the end would cost the square of the length. */
const URL_FORM = /^(https?):\/\/([^/?#]*)([^#]*)(?:#(.*))?$/is;

/**
 * Reads the URL of `registry+https://…`, which may name several hosts separated by commas; they share path and query.
 *
 * @throws {@link FailoverError} `ERR_OPTION`: plain HTTP to another machine, credentials in the URL, no host, ….
 */
export function readRegistryUrl(text: string, { allowInsecure }: UrlPolicy): RegistryUrls {
  const [, scheme = '', authorities = '', path = '', fragment = ''] = URL_FORM.exec(text) ?? [];
  const shown = `registry+${text}`;
  if (authorities.includes('@')) {
    throw optionError(
      'brokers',
      'a registry URL without user info: give credentials in `discovery.registry.headers`',
      'a URL with user info',
    );
  }
  const reach = readReach(fragment, shown);
  const hosts = authorities.split(',');
  if (hosts.length > MAX_HOSTS)
    throw optionError('brokers', `${MAX_HOSTS} registry hosts at most`, hosts.length);
  const urls = hosts.map((authority) => {
    const url = parseUrl(scheme, authority.trim(), path, shown);
    if (url.protocol === 'http:' && !allowInsecure && !isLoopback(url.hostname)) {
      throw optionError(
        'brokers',
        'a registry+https: URL; plain HTTP needs `allowInsecure: true` or a registry on this machine',
        shown,
      );
    }
    return url;
  });
  return { urls, reach };
}

function parseUrl(scheme: string, authority: string, path: string, shown: string): URL {
  const text = `${scheme}://${authority}${path}`;
  // Without a host, the platform would take one from the path. Its own error may quote a token.
  if (authority === '' || !URL.canParse(text))
    throw optionError('brokers', 'a registry URL such as registry+https://host/nodes.json', shown);
  return new URL(text);
}

function readReach(fragment: string, shown: string): Reach {
  if (fragment === '') return {};
  const given = new URLSearchParams(fragment);
  const expected = 'a registry URL whose fragment, if any, is made of scheme=, port= and path=';
  for (const key of given.keys()) {
    if (!['scheme', 'port', 'path'].includes(key)) throw optionError('brokers', expected, shown);
  }
  const scheme = given.get('scheme');
  const port = given.get('port');
  const known: Scheme | undefined = scheme === null ? undefined : toScheme(scheme);
  if ((scheme !== null && !known) || (port !== null && !isPort(port)))
    throw optionError('brokers', expected, shown);
  return {
    scheme: known,
    port: port === null ? undefined : Number(port),
    path: given.get('path') ?? undefined,
  };
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}
