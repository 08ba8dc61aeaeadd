/** One run over the candidates: it ends with a link, when all of them have failed, or when going on is pointless. */
import { FailoverError } from '../errors.js';
import { classify, isDistrust, type Outcome } from '../health/outcomes.js';

/** What the failures of a pass so far mean for the rest of it. */
export type Conclusion =
  /** Try the next candidate. */
  | 'go-on'
  /** The others would answer alike: wait. */
  | 'give-up'
  /** They refuse our credentials: wait long, or until there are others. */
  | 'unauthorised'
  /** None has a certificate that we can trust: wait long, for a person or a clock to mend it. */
  | 'untrusted'
  /** The configuration is wrong: stop. */
  | 'fatal';

/** Endpoints that may refuse our credentials before we believe them; some say so when they are merely busy. */
const REFUSALS = 3;
/** Endpoints that may be busy, or fail without a reason, before it is the cluster (C2). */
const BUSY = 2;
/** Unspecified error, Server busy, Quota exceeded: a limit of one node, or a licence that all of them share. */
const BUSY_CODES: ReadonlySet<unknown> = new Set([0x80, 0x89, 0x97]);

/** Exceptions from the ranking, for one pass. */
export interface PassBias {
  /** Where we have just come from, when a planned move failed. */
  readonly first?: string | undefined;
  /** The endpoint that has just failed as a link. */
  readonly last?: string | undefined;
  /** The endpoint that has just ended a link without a word, and is asked again before the others. */
  readonly again?: { readonly id: string; readonly connackMs: number } | undefined;
}

/** What an endpoint that is asked again may take for its CONNACK: this, or so many times what it took before. */
const AGAIN_MS = 500;
const AGAIN_FACTOR = 4;

/** No fault of the endpoint's, but another may have an address of a family that we have a route to. */
const NO_ROUTE = 'ENETUNREACH';

/** What happened in a pass so far. */
export class Pass {
  readonly #failures = new Map<string, FailoverError>();
  #bias: PassBias;
  #refreshed = false;
  /** Whether MQTT.js saw a connection in this pass, and so emits `close` itself. */
  sawConnection = false;
  /** Refusals of our credentials, with that of the one endpoint which was asked again with fresh ones. */
  #refusals = 0;
  #busy = 0;
  #distrusted = 0;
  /** The shortest time for which one of those that failed wants to be left alone. */
  #restMs = Number.POSITIVE_INFINITY;
  #conclusion: Conclusion = 'go-on';

  constructor(bias: PassBias = {}) {
    this.#bias = bias;
  }

  /** `ranked` with the endpoint that is wanted first at the start, and the one that just failed at the end. */
  order<T extends { readonly id: string }>(ranked: readonly T[]): readonly T[] {
    const { first, last } = this.#bias;
    if (first === undefined && last === undefined) return ranked;
    const place = ({ id }: T) => (id === first ? -1 : id === last ? 1 : 0);
    return [...ranked].sort((a, b) => place(a) - place(b));
  }

  /**
   * Milliseconds that `id` may take for its CONNACK while there are others to try. One that has just dropped us, and
   * answered faster before, may be a port that accepts and a broker that is gone.
   */
  patienceMs(id: string): number {
    const { again } = this.#bias;
    if (again?.id !== id) return Number.POSITIVE_INFINITY;
    return Math.max(AGAIN_MS, AGAIN_FACTOR * again.connackMs);
  }

  /** Whether an endpoint has failed in this pass already. */
  hasFailed(id: string): boolean {
    return this.#failures.has(id);
  }

  get failures(): number {
    return this.#failures.size;
  }

  get conclusion(): Conclusion {
    return this.#conclusion;
  }

  /** Whether an endpoint that refused our credentials may be asked once more with fresh ones, as the next candidate. */
  mayRefresh(id: string): boolean {
    if (this.#refreshed) return false;
    this.#refreshed = true;
    this.#refusals += 1;
    this.#bias = { ...this.#bias, first: id };
    return true;
  }

  /**
   * Notes that an endpoint failed.
   *
   * @param restMs - Milliseconds for which it is to be left alone.
   * @returns whether the endpoint is to blame.
   */
  failed(id: string, error: FailoverError, restMs = 0): boolean {
    this.#failures.set(id, error);
    this.#restMs = Math.min(this.#restMs, restMs);
    const { outcome } = error;
    if (!outcome) return true;
    const action = classify(outcome);
    const isBusy = outcome.kind === 'connack' && BUSY_CODES.has(outcome.code);
    if (isBusy) this.#busy += 1;
    if (isRefusal(outcome)) this.#refusals += 1;
    if (isDistrust(outcome)) this.#distrusted += 1;
    if (action === 'fatal') this.#conclusion = 'fatal';
    else if ((action === 'all' && outcome.code !== NO_ROUTE && !isBusy) || this.#busy >= BUSY)
      this.#conclusion = 'give-up';
    else if (this.#refusals >= REFUSALS) this.#conclusion = 'unauthorised';
    return action !== 'all' && action !== 'reauth' && action !== 'fatal';
  }

  /** No candidate is left. */
  exhausted(): void {
    if (this.#conclusion !== 'go-on') return;
    const all = (count: number) => count > 0 && count === this.#failures.size;
    const refusing = [...this.#failures.values()].filter(({ outcome }) => outcome && isRefusal(outcome));
    if (all(refusing.length)) this.#conclusion = 'unauthorised';
    else this.#conclusion = all(this.#distrusted) ? 'untrusted' : 'give-up';
  }

  /** Milliseconds until the first of those that failed may be asked again; 0 unless all of them want a rest. */
  get restMs(): number {
    return this.#failures.size === 0 ? 0 : this.#restMs;
  }

  /** One error that names each endpoint and its failure. */
  error(): FailoverError {
    const errors = [...this.#failures.values()];
    const [only] = errors;
    if (!only) {
      const text = 'The endpoint list has no endpoint that this runtime can dial';
      return new FailoverError('ERR_NO_ENDPOINT', text, { retryable: true });
    }
    return allFailed('Every endpoint failed', errors, this.#conclusion !== 'fatal');
  }
}

function isRefusal(outcome: Outcome): boolean {
  return classify(outcome) === 'reauth';
}

/** One error that names each of `errors`, which are one for each endpoint. */
export function allFailed(what: string, errors: readonly FailoverError[], retryable: boolean): FailoverError {
  const cause = new AggregateError(errors, `${errors.length} endpoints failed`);
  return new FailoverError('ERR_ALL_FAILED', `${what}: ${errors.map((e) => e.message).join('; ')}`, {
    cause,
    retryable,
  });
}
