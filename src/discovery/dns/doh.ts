/** DNS over HTTPS (RFC 8484): the only way to the DNS that a page has. */
import type { Clock, Fetch } from '../../platform/ports.js';
import { withDeadline } from '../with-deadline.js';
import { type DnsMessage, finalAnswer, loadDecoder } from './decode.js';
import { DnsFailure } from './dns-failure.js';
import type { DnsAnswer } from './dns-query.js';
import { compareReply, encodeQuery } from './message.js';

export interface DohDeps {
  readonly url: URL;
  readonly fetch: Fetch;
  readonly clock: Clock;
}

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024;
/** Characters of a URL that every server and proxy takes. */
const MAX_GET_URL = 2_048;
/** Characters of another media type that an error quotes. */
const SHOWN_TYPE = 80;
const MEDIA_TYPE = 'application/dns-message';

/**
 * Asks one DoH server.
 *
 * GET with id 0, so that equal questions are equal URLs, and with no header that a page would have to ask permission
 * for (RFC 8484 §4.1); POST where the URL would be too long.
 */
export class DohResolver {
  readonly #deps: DohDeps;

  constructor(deps: DohDeps) {
    this.#deps = deps;
  }

  /** As {@link DnsQuery}. Names the server by its origin: the path may hold a token. */
  async query(name: string, signal: AbortSignal): Promise<DnsAnswer> {
    const { clock, url } = this.#deps;
    const late = () => new DnsFailure('timeout', `${url.origin} did not answer within ${TIMEOUT_MS} ms`);
    return withDeadline(clock, TIMEOUT_MS, signal, late, (limit) => this.#ask(name, limit));
  }

  async #ask(name: string, signal: AbortSignal): Promise<DnsAnswer> {
    const { origin } = this.#deps.url;
    const query = encodeQuery(0, name, false);
    // The decoder loads while the question is under way.
    const [response, decode] = await Promise.all([this.#send(query, signal), loadDecoder()]);
    const body = await readBody(response, origin, signal);
    if (compareReply(query, body) === 'no')
      throw new DnsFailure('malformed', `${origin} answered another question`);
    const message = decode(body);
    if (message.truncated) throw new DnsFailure('truncated', `${origin} gave a truncated answer`);
    return finalAnswer(aged(message, ageMs(response)), origin);
  }

  async #send(query: Uint8Array, signal: AbortSignal): Promise<Response> {
    const { url, fetch } = this.#deps;
    const get = `${url.href}${url.search ? '&' : '?'}dns=${base64url(query)}`;
    const init: RequestInit = {
      headers: { accept: MEDIA_TYPE },
      signal,
      redirect: 'error',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      // A stored answer would live longer than its TTLs say (R38).
      cache: 'no-store',
    };
    let response: Response;
    try {
      response = await (get.length <= MAX_GET_URL
        ? fetch(get, init)
        : fetch(url.href, {
            ...init,
            method: 'POST',
            headers: { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE },
            body: query as Uint8Array<ArrayBuffer>,
          }));
    } catch (cause) {
      signal.throwIfAborted();
      // All that a page learns of a refused connection, a bad certificate and a missing CORS header alike (R39).
      const what = 'could not be reached, redirected, or does not allow this page (doh-cors-or-network)';
      throw new DnsFailure('doh-cors-or-network', `${url.origin} ${what}`, { cause });
    }
    const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (response.ok && type === MEDIA_TYPE) return response;
    discard(response.body);
    const what = response.ok
      ? `content type ${JSON.stringify(type?.slice(0, SHOWN_TYPE) ?? 'none')}`
      : `status ${response.status}`;
    throw new DnsFailure('doh-http', `${url.origin} answered with HTTP ${what}`);
  }
}

/** The whole body, unless it is longer than a DNS message can be. */
async function readBody({ body }: Response, origin: string, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  const read = async () => {
    try {
      return await reader?.read();
    } catch (cause) {
      signal.throwIfAborted();
      // The platform's words, such as "terminated", name nobody.
      throw new DnsFailure('network', `${origin} broke off its answer`, { cause });
    }
  };
  for (;;) {
    const { done, value } = (await read()) ?? { done: true };
    if (done || !value) break;
    length += value.length;
    if (length > MAX_BODY_BYTES) {
      discard(reader);
      throw new DnsFailure('doh-too-large', `${origin} answered with more than ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** What nobody reads any more frees its connection; whether the peer minds is of no interest. */
function discard(body: Pick<ReadableStream, 'cancel'> | null | undefined): void {
  body?.cancel().catch(() => {});
}

/** Milliseconds that the answer spent in caches of HTTP (RFC 8484 §5.1). */
function ageMs({ headers }: Response): number {
  const age = headers.get('age') ?? '';
  return /^\d{1,9}$/.test(age) ? Number(age) * 1_000 : 0;
}

function aged(message: DnsMessage, ms: number): DnsMessage {
  const less = (ttlMs: number) => Math.max(0, ttlMs - ms);
  return {
    ...message,
    records: message.records.map((record) => ({ ...record, ttlMs: less(record.ttlMs) })),
    negativeTtlMs: message.negativeTtlMs === undefined ? undefined : less(message.negativeTtlMs),
  };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
