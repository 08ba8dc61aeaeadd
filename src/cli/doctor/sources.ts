/** The first thing `doctor` looks at: does the list come, and what is in it that clients leave out. */
import type { ParsedBrokers } from '../../brokers/parsed.js';
import type { Authorisation } from '../../discovery/authorisation.js';
import { DnsFailure } from '../../discovery/dns/dns-failure.js';
import { FOREIGN_HOST } from '../../discovery/dns/srv-endpoints.js';
import type { EndpointSet } from '../../discovery/resolver.js';
import type { Endpoint } from '../../endpoint.js';
import { messageOf } from '../../errors.js';
import type { FailoverOptions } from '../../options/options.js';
import type { ResolvedOptions } from '../../options/resolved.js';
import { parseHttpDate } from '../../platform/http-date.js';
import type { Fetch, Platform } from '../../platform/ports.js';
import { discover } from '../discovery.js';
import { clockFinding } from './clock.js';
import { type Finding, Notes, type ProblemCode } from './findings.js';

/** A source that was asked. */
export interface SourceReport {
  /** `undefined` for a list that was written down: there is nothing to report of it. */
  readonly record: Notes | undefined;
  readonly endpoints: readonly Endpoint[];
  /** How the endpoints came to be known, for people. */
  readonly origin: string;
  readonly options: ResolvedOptions;
  readonly authorisation: Authorisation;
}

/** The sources of a list, one by one: of several, each is to be healthy. */
export function leavesOf(parsed: ParsedBrokers): readonly ParsedBrokers[] {
  return parsed.kind === 'composite' ? parsed.sources.flatMap(leavesOf) : [parsed];
}

/** Asks one source. */
export async function askSource(
  source: ParsedBrokers,
  given: FailoverOptions,
  platform: Platform,
  signal: AbortSignal,
): Promise<SourceReport> {
  const seen: HttpAnswer = {};
  const watched = { ...platform, fetch: watchedFetch(platform, seen) };
  const { options, authorisation, resolver } = discover(source, given, watched);
  if (source.kind === 'static')
    return { record: undefined, endpoints: source.endpoints, origin: 'written down', options, authorisation };
  const url = shownUrl(source);
  const record = new Notes(url, url, () => platform.clock.now());
  let set: EndpointSet | undefined;
  await record.step('resolve', async () => {
    try {
      set = await resolver.resolve(signal);
      return found(set);
    } catch (error) {
      signal.throwIfAborted();
      return failed(source, error, seen);
    }
  });
  if (seen.date !== undefined && seen.at !== undefined)
    await record.noted('clock', clockFinding(seen.date, seen.at, 'the HTTP date of the server'));
  const revision = set?.revision === undefined ? '' : `, revision ${set.revision}`;
  const origin = `from ${url}${revision}`;
  return { record, endpoints: set?.endpoints ?? [], origin, options, authorisation };
}

/** What the HTTP answers of a source said besides their bodies. */
interface HttpAnswer {
  contentType?: string;
  /** Milliseconds since 1970: the server's `Date`, and our clock when it came. */
  date?: number | undefined;
  at?: number;
}

function watchedFetch({ fetch, clock }: Platform, seen: HttpAnswer): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    seen.contentType = response.headers.get('content-type') ?? '';
    seen.date = parseHttpDate(response.headers.get('date'));
    seen.at = clock.wallNow();
    return response;
  };
}

function shownUrl(source: ParsedBrokers): string {
  if (source.kind === 'srv')
    return `${source.scheme}+srv://${source.domain}${source.path === '/' ? '' : source.path.replace(/\?.*/, '')}`;
  return source.kind === 'registry'
    ? `registry+${source.url.replace(/[?#].*/, '').replace(/\/\/[^/]*@/, '//')}`
    : source.kind;
}

function found({ endpoints, skipped = [], empty }: EndpointSet): Finding {
  const problems = skipped.map((reason): [ProblemCode, string] =>
    reason.includes(FOREIGN_HOST)
      ? [
          'foreign-host',
          `${reason}: whoever answers for the domain could lead clients elsewhere (--allow-host permits it)`,
        ]
      : ['node-skipped', `an entry of the list is left out: ${reason}`],
  );
  if (endpoints.length === 0) {
    const text = empty ? 'the source says that there are no brokers at all' : 'the list has no brokers';
    problems.push(['no-brokers', text]);
  }
  const names = endpoints.map(({ id }) => id).join(', ');
  return { detail: `${endpoints.length} broker${endpoints.length === 1 ? '' : 's'}: ${names}`, problems };
}

function failed(source: ParsedBrokers, error: unknown, seen: HttpAnswer): Finding {
  const text = messageOf(error);
  return { detail: text, problems: [[failureCode(source, error, seen), explained(text, seen)]] };
}

function failureCode(source: ParsedBrokers, error: unknown, { contentType }: HttpAnswer): ProblemCode {
  const { cause, message } = error as { cause?: unknown; message?: string };
  if (source.kind === 'srv') {
    const reason = cause instanceof DnsFailure ? cause.reason : undefined;
    if (reason === 'nxdomain' || reason === 'nodata') return 'srv-not-found';
    if (reason === 'service-unavailable') return 'srv-unavailable';
    return reason === 'no-usable-target' && message?.includes(FOREIGN_HOST) ? 'foreign-host' : 'dns-failed';
  }
  if (contentType === undefined || /\bHTTP \d{3}\b/.test(message ?? '')) return 'registry-failed';
  return /\bnot JSON\b/.test(message ?? '') ? 'registry-not-json' : 'registry-invalid';
}

function explained(text: string, { contentType = '' }: HttpAnswer): string {
  const isPage = /\bhtml\b/i.test(contentType) && /\bnot JSON\b/.test(text);
  return isPage ? `${text} It is an HTML page.` : text;
}
