/** Tells the lists of different sources apart, without telling the sources. */
import type { ParsedBrokers } from '../brokers/parsed.js';
import { murmur3 } from '../selection/murmur3.js';

/**
 * A short key for what the user wrote for `brokers`: the same for the same words, and no word of them in it, as a URL
 * may hold a token.
 */
export function sourceKey(brokers: ParsedBrokers, topic: string | undefined): string {
  const text = JSON.stringify([describe(brokers), topic]);
  return [0, 1].map((seed) => murmur3(text, seed).toString(16).padStart(8, '0')).join('');
}

function describe(brokers: ParsedBrokers): unknown {
  switch (brokers.kind) {
    case 'static':
      return brokers.endpoints.map(({ id, url }) => [id, url]);
    case 'srv':
      return [brokers.scheme, brokers.service, brokers.domain, brokers.path];
    case 'registry':
      return brokers.url;
    case 'function':
    case 'resolver':
      // Code has no name that outlives the process.
      return brokers.kind;
    case 'composite':
      return [brokers.mode, brokers.sources.map(describe)];
  }
}
