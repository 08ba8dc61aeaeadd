/** What can be said of the sources before any I/O, and before the code that asks them is loaded. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { checkSrv, type WaysToDns } from './dns/check-srv.js';
import { readRegistryUrl, type UrlPolicy } from './registry/registry-url.js';

/**
 * Refuses sources that this runtime cannot serve.
 *
 * @throws {@link FailoverError} `ERR_OPTION`.
 */
export function checkSources(brokers: ParsedBrokers, ways: WaysToDns & UrlPolicy): void {
  if (brokers.kind === 'srv') checkSrv(brokers, ways);
  else if (brokers.kind === 'registry') readRegistryUrl(brokers.url, ways);
  else if (brokers.kind === 'composite') for (const each of brokers.sources) checkSources(each, ways);
}
