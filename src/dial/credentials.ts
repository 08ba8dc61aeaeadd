/** Fresh credentials for every attempt, from the application, for the endpoint that is about to be dialed (R75). */
import type { IClientOptions } from 'mqtt';
import { createEndpoint, type Endpoint, type Scheme, toScheme } from '../endpoint.js';
import { FailoverError } from '../errors.js';
import type { Clock, DialTarget } from '../platform/ports.js';

/** What a provider may set for one attempt. */
export interface AttemptCredentials
  extends Partial<Pick<IClientOptions, 'username' | 'password' | 'properties' | 'will'>> {
  /** URL to dial instead of the endpoint's, such as a signed WebSocket URL. Dropped after the attempt (R196). */
  readonly url?: string;
  /**
   * Milliseconds since 1970 at which these credentials expire. The client connects anew, without a gap worth the
   * name, after 80 to 95 % of the time that is left, so that no broker has to cut it (R124).
   */
  readonly expiresAt?: number;
}

/** What a provider is told of the attempt. */
export interface CredentialsContext {
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal;
  /** `refused` when a broker no longer takes what was given last: it refused it, or ended the link as its time was up. */
  readonly reason: 'attempt' | 'refused';
}

/**
 * Gives the credentials for one attempt. Asked before every dial, at most five seconds; a failure blames no endpoint.
 * While brokers refuse what it gave last, it is asked about once a minute, and something else ends the wait (D16).
 */
export type CredentialsProvider = (
  endpoint: Pick<Endpoint, 'id' | 'url' | 'zone'>,
  context: CredentialsContext,
) => Promise<AttemptCredentials> | AttemptCredentials;

/** Milliseconds that a provider may take. */
const PROVIDER_TIMEOUT_MS = 5_000;

/** Asks the provider and lays its answer over the target. */
export class Credentials {
  readonly #provider: CredentialsProvider | undefined;
  readonly #clock: Clock;
  #refused = false;
  /** What was given last, and for whom. */
  #given: { readonly endpoint: Endpoint; readonly answer: AttemptCredentials } | undefined;
  #replacesUrl = false;

  constructor(provider: CredentialsProvider | undefined, clock: Clock) {
    this.#provider = provider;
    this.#clock = clock;
  }

  /** Whether there is a provider, and so a point in asking again. */
  get canRefresh(): boolean {
    return this.#provider !== undefined;
  }

  /** Whether the provider has given URLs of its own, so that endpoints are not where the list says. */
  get replacesUrl(): boolean {
    return this.#replacesUrl;
  }

  /** A broker refused what was given: the next question says so. */
  refused(): void {
    this.#refused = true;
  }

  /**
   * The target to dial, with this attempt's credentials.
   *
   * @throws {@link FailoverError} `ERR_CREDENTIALS` when the provider fails or takes too long.
   */
  async prepare(target: DialTarget, signal: AbortSignal): Promise<DialTarget> {
    if (!this.#provider) return target;
    const answer = await this.#ask(this.#provider, target.endpoint, signal);
    this.#given = { endpoint: target.endpoint, answer };
    const { url, expiresAt, ...overlay } = answer;
    if (url !== undefined) this.#replacesUrl = true;
    const endpoint = url === undefined ? target.endpoint : redirected(target.endpoint, url);
    const attempt = { endpoint, options: { ...target.options, ...overlay }, overlay };
    return typeof expiresAt === 'number' ? { ...attempt, expiresAt } : attempt;
  }

  /** Asks once more for what was given last; whether something else comes. A failure is no change. */
  async haveChanged(signal: AbortSignal): Promise<boolean> {
    if (!this.#provider || !this.#given) return false;
    const { endpoint, answer } = this.#given;
    this.refused();
    try {
      return !isSame(answer, await this.#ask(this.#provider, endpoint, signal));
    } catch {
      return false;
    }
  }

  async #ask(
    provider: CredentialsProvider,
    endpoint: Endpoint,
    signal: AbortSignal,
  ): Promise<AttemptCredentials> {
    if (signal.aborted) throw unusable(endpoint.id, 'none', signal.reason);
    const attempt = new AbortController();
    let giveUp: (reason: unknown) => void = () => {};
    const abort = () => {
      attempt.abort();
      giveUp(signal.reason);
    };
    signal.addEventListener('abort', abort);
    const reason = this.#refused ? 'refused' : 'attempt';
    this.#refused = false;
    let timer: ReturnType<Clock['setTimeout']> | undefined;
    const late = new Promise<never>((_, reject) => {
      giveUp = reject;
      timer = this.#clock.setTimeout(() => {
        reject(new Error(`no answer within ${PROVIDER_TIMEOUT_MS} ms`));
        attempt.abort();
      }, PROVIDER_TIMEOUT_MS);
    });
    // Rejected before anybody listens when the provider ends the client.
    late.catch(() => {});
    const { id, url, zone } = endpoint;
    try {
      const answer = await Promise.race([
        provider({ id, url, zone }, { signal: attempt.signal, reason }),
        late,
      ]);
      if (typeof answer !== 'object' || answer === null) throw new TypeError('the provider gave no object');
      return answer;
    } catch (cause) {
      // The provider's message may quote what it knows; it stays in the cause.
      throw unusable(id, 'none', cause);
    } finally {
      if (timer) this.#clock.clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}

/** Whether two answers are the same to a broker. */
function isSame(a: AttemptCredentials, b: AttemptCredentials): boolean {
  const text = ({ url, username, password, properties, will }: AttemptCredentials) =>
    JSON.stringify([url, username, password, properties, will]);
  return text(a) === text(b);
}

const SECURE: ReadonlySet<Scheme> = new Set<Scheme>(['mqtts', 'wss']);

/** The endpoint at another URL; who it is and how it ranks stays. */
function redirected(endpoint: Endpoint, text: string): Endpoint {
  const { id } = endpoint;
  const [, name = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? [];
  const scheme = toScheme(name);
  const downgrade = SECURE.has(endpoint.scheme) && scheme !== undefined && !SECURE.has(scheme);
  if (!scheme || downgrade) throw unusable(id, 'a URL that cannot be used instead');
  try {
    const address = { scheme, authority: authority.replace(/^.*@/, ''), path };
    return createEndpoint({ ...endpoint, ...address }, 'credentials().url');
  } catch {
    // No cause: it quotes the URL, which may be signed.
    throw unusable(id, 'a URL without a valid host');
  }
}

/** A failure of the application's, which blames no endpoint. */
function unusable(id: string, what: string, cause?: unknown): FailoverError {
  return new FailoverError('ERR_CREDENTIALS', `Option \`credentials\` gave ${what} for ${id}`, {
    cause,
    endpoint: id,
    retryable: true,
    outcome: { kind: 'link', code: 'no-credentials' },
  });
}
