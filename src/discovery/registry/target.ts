/** What is asked of a registry: where, how, and how the nodes of a system that knows nothing of MQTT are reached. */
import { encode, rangeEnd } from './mappings/etcd.js';
import type { Reach } from './mappings/mapping.js';
import { readRegistryUrl, type UrlPolicy } from './registry-url.js';

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

/**
 * What to ask for `registry+https://…`, one for each host that it names.
 *
 * @throws {@link FailoverError} `ERR_OPTION`; see {@link readRegistryUrl}.
 */
export function readTargets(text: string, policy: UrlPolicy): readonly RegistryTarget[] {
  const { urls, reach } = readRegistryUrl(text, policy);
  return urls.map((url) => toTarget(url, reach));
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
