/** Discovery turns what the user wrote for `brokers` into endpoint sets, now and whenever it changes. */
import type { Endpoint } from '../endpoint.js';

/** An immutable snapshot of where the brokers are. */
export interface EndpointSet {
  readonly endpoints: readonly Endpoint[];
  /** Where the list came from, for people: `static`, `function`, … */
  readonly source: string;
  /** Version of the list as the source counts it. */
  readonly revision?: string;
}

/** Turns a name into an {@link EndpointSet}. */
export interface Resolver {
  /**
   * Obtains the current list.
   *
   * @param signal - Aborted when the client no longer wants the answer.
   * @throws anything; the caller wraps it as `ERR_DISCOVERY` and tries again later.
   */
  resolve(signal: AbortSignal): Promise<EndpointSet>;
}
