/** One HTTP exchange with a registry, up to the headers of its answer. */
import type { Clock, Fetch } from '../../platform/ports.js';
import { parseRetryAfter } from '../../platform/retry-after.js';
import type { Deadline } from './deadline.js';
import { failure } from './failure.js';
import type { RegistryTarget } from './target.js';

/** What a provider of request headers is told. */
export interface RegistryHeadersContext {
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal;
  /** `refused` when the registry has just answered 401 to what was given last. */
  readonly reason: 'attempt' | 'refused';
}

/** Headers of every request to a registry: `Authorization` and the like. Never logged, never sent elsewhere (R55, R59). */
export type RegistryHeaders =
  | Readonly<Record<string, string>>
  | ((
      context: RegistryHeadersContext,
    ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

/** One request. */
export interface RegistryRequest {
  readonly target: Pick<RegistryTarget, 'url' | 'shown' | 'body'>;
  readonly accept: string;
  /** Headers besides the user's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How a cache of the runtime is to be used, if there is one. */
  readonly cache: 'no-cache' | 'no-store';
}

export interface RegistryHttpDeps {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** The runtime caches by itself; and every header that we add costs a preflight (R52, R60). */
  readonly httpCache: boolean;
  readonly headers: RegistryHeaders | undefined;
}

/** A page is told the same of a registry that is down, one that redirects, and one that forgot its CORS header (R60). */
const ALL_A_PAGE_LEARNS = '; is it up, and does it send Access-Control-Allow-Origin for this page?';

/** Asks registries: user's headers, no redirects, no cookies, and one meaning for each status. */
export class RegistryHttp {
  readonly #deps: RegistryHttpDeps;

  constructor(deps: RegistryHttpDeps) {
    this.#deps = deps;
  }

  /** Whether requests may carry validators and positions of our own. */
  get ownHeaders(): boolean {
    return !this.#deps.httpCache;
  }

  /**
   * Sends a request and waits for the headers of a usable answer: 2xx or 304.
   *
   * @throws {@link RegistryFailure} for every other status, a redirect (R55), no answer, or headers that cannot be had.
   */
  async open(request: RegistryRequest, deadline: Deadline): Promise<Response> {
    const first = await this.#send(request, deadline, 'attempt');
    if (first.status !== 401 || typeof this.#deps.headers !== 'function') return this.#judge(first);
    discard(first);
    return this.#judge(await this.#send(request, deadline, 'refused'));
  }

  async #send(
    { target, accept, headers, cache }: RegistryRequest,
    deadline: Deadline,
    reason: RegistryHeadersContext['reason'],
  ): Promise<Response> {
    const { fetch, httpCache } = this.#deps;
    const { signal } = deadline;
    const all = await this.#headers({ accept, ...headers }, deadline, reason);
    if (target.body !== undefined) all.set('content-type', 'application/json');
    const init: RequestInit = {
      headers: all,
      redirect: 'error',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal,
      ...(target.body === undefined ? {} : { method: 'POST', body: target.body }),
      ...(httpCache ? { cache } : {}),
    };
    try {
      return await deadline.race(fetch(target.url, init));
    } catch (cause) {
      signal.throwIfAborted();
      throw failure(`${reasonOf(cause)}${httpCache ? ALL_A_PAGE_LEARNS : ''}`, { cause });
    }
  }

  async #headers(
    ours: Readonly<Record<string, string>>,
    deadline: Deadline,
    reason: RegistryHeadersContext['reason'],
  ): Promise<Headers> {
    const { headers } = this.#deps;
    let given: unknown;
    try {
      const { signal } = deadline;
      given =
        typeof headers === 'function'
          ? await deadline.race(Promise.resolve(headers({ signal, reason })))
          : headers;
    } catch (cause) {
      deadline.signal.throwIfAborted();
      throw failure('option `discovery.registry.headers` failed', { cause });
    }
    try {
      const all = new Headers(given as Record<string, string> | undefined);
      for (const [name, value] of Object.entries(ours)) all.set(name, value);
      return all;
    } catch {
      // No cause: the platform's error quotes the value.
      throw failure('option `discovery.registry.headers` gave something that is not a set of HTTP headers');
    }
  }

  #judge(response: Response): Response {
    const { status } = response;
    if (response.ok || status === 304) return response;
    discard(response);
    if (status === 401 || status === 403)
      throw failure(`HTTP ${status}: the registry refuses us`, { lane: 'slow' });
    throw failure(`HTTP ${status}`, { retryAfterMs: this.#retryAfterMs(response) });
  }

  #retryAfterMs({ status, headers }: Response): number | undefined {
    if (status !== 429 && status !== 503) return undefined;
    const { clock } = this.#deps;
    return parseRetryAfter(headers.get('retry-after'), headers.get('date'), clock.wallNow());
  }
}

/** Frees the connection of an answer that nobody reads. */
export function discard({ body }: Response): void {
  body?.cancel().catch(() => {});
}

/** What went wrong underneath: Node says `fetch failed` and hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  const reason = cause?.code ?? cause?.message ?? message;
  if (reason === 'CERT_NOT_YET_VALID') return `${reason}: does the clock of this machine show the right day?`;
  return typeof reason === 'string' && reason !== '' ? reason : 'the request failed';
}
