/** Discovery turns what the user wrote for `brokers` into endpoint sets, now and whenever it changes. */
import type { Endpoint } from '../endpoint.js';

/** An immutable snapshot of where the brokers are. */
export interface EndpointSet {
  readonly endpoints: readonly Endpoint[];
  /** Where the list came from, for people: `static`, `function`, … */
  readonly source: string;
  /** Version of the list as the source counts it. */
  readonly revision?: string;
  /** Milliseconds that the answer holds, as its source says; the watcher asks again after them. */
  readonly ttlMs?: number;
  /** Milliseconds over which the operator wants a fleet to spread after a loss (R148). Widens, never narrows. */
  readonly spreadMs?: number;
  /** Load from 0 to 1 by endpoint id, as of this answer. Apart from the endpoints: it changes with every answer. */
  readonly loads?: ReadonlyMap<string, number>;
  /** Milliseconds since 1970 at which the source made the document, where it says so. */
  readonly generatedAt?: number;
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
  /**
   * Where the source can push: tells of every new list until `signal` is aborted. Optional, and no replacement for
   * {@link resolve}, which is still asked at its intervals.
   *
   * @param onFailure - The push channel broke and will be opened again; for reports only.
   */
  watch?(
    onChange: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): void;
  /**
   * Where a source prefers what it learned over what it was given: forget it, as every endpoint of it has failed for
   * long (D7).
   */
  rebootstrap?(): void;
}
