/** What a registry URL says: where to ask, and how the nodes of a system that knows nothing of MQTT are reached. */
import { type Scheme, toScheme } from '../../endpoint.js';
import { optionError } from '../../errors.js';
import { encode, rangeEnd } from './mappings/etcd.js';
import type { Reach } from './mappings/mapping.js';

/** One place to ask. */
export interface RegistryTarget {
  readonly url: string;
  /** The URL without its query, which may carry a token: for messages. */
  readonly shown: string;
  /** JSON to POST; a GET without. */
  readonly body: string | undefined;
  /** The body of a request that streams changes, where the system has one of its own: etcd's `/v3/watch`. */
  readonly watch: { readonly url: string; readonly body: string } | undefined;
  readonly reach: Reach;
}

/** What {@link readTargets} may accept. */
export interface TargetPolicy {
  /** Plain HTTP to other hosts than this one (R51). */
  readonly allowInsecure: boolean;
}

const URL_FORM = /^(https?):\/\/([^/?#]*)([^#]*)(?:#(.*))?$/i;

/**
 * Reads the URL of `registry+https://…`, which may name several hosts separated by commas; they share path and query.
 *
 * @throws {@link FailoverError} `ERR_OPTION`: plain HTTP to another machine, credentials in the URL, no host, ….
 */
export function readTargets(text: string, { allowInsecure }: TargetPolicy): readonly RegistryTarget[] {
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
  return authorities.split(',').map((authority) => {
    const url = parseUrl(`${scheme}://${authority.trim()}${path}`, shown);
    if (url.protocol === 'http:' && !allowInsecure && !isLoopback(url.hostname)) {
      throw optionError(
        'brokers',
        'a registry+https: URL; plain HTTP needs `allowInsecure: true` or a registry on this machine',
        shown,
      );
    }
    return toTarget(url, reach);
  });
}

function parseUrl(text: string, shown: string): URL {
  // The platform's error may quote a token.
  if (!URL.canParse(text))
    throw optionError('brokers', 'a registry URL such as registry+https://host/nodes.json', shown);
  return new URL(text);
}

/** Names and addresses of this machine. */
function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

const ETCD_RANGE = /\/v3\/kv\/range$/;

/** etcd's gateway takes the key in a POST; in the URL it is `?prefix=`. Everything else is asked with GET. */
function toTarget(url: URL, reach: Reach): RegistryTarget {
  const shown = `${url.origin}${url.pathname}`;
  if (!ETCD_RANGE.test(url.pathname))
    return { url: url.href, shown, body: undefined, watch: undefined, reach };
  const prefix = url.searchParams.get('prefix') ?? '';
  url.searchParams.delete('prefix');
  const range = { key: prefix === '' ? 'AA==' : encode(prefix), range_end: rangeEnd(prefix) };
  const watch = new URL(url);
  watch.pathname = url.pathname.replace(ETCD_RANGE, '/v3/watch');
  return {
    url: url.href,
    shown,
    body: JSON.stringify(range),
    watch: { url: watch.href, body: JSON.stringify({ create_request: range }) },
    reach,
  };
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
