/** Discovery turns what the user wrote for `brokers` into endpoint sets, now and whenever it changes. */
import type { Endpoint } from '../endpoint.js';

/** An immutable snapshot of where the brokers are. */
export interface EndpointSet {
  /** Where the brokers are; ids are distinct. */
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
  /** There are no endpoints, and the source means it: an empty list is a failure otherwise (R46). */
  readonly empty?: true;
  /** The source is outside our control: a list that loses more than half must come twice (R47). */
  readonly confirmShrink?: true;
  /** What the answer held besides and could not be used, and why; for people. */
  readonly skipped?: readonly string[];
  /** False: the source forbids to keep its answer beyond this process (RFC 9111 `no-store`, R53). */
  readonly storable?: false;
}

/** Turns a name into an {@link EndpointSet}. */
export interface Resolver {
  /**
   * Obtains the current list.
   *
   * @param signal - Aborted when the client no longer wants the answer.
   * @throws anything; the caller wraps it as `ERR_DISCOVERY` and tries again later. An error with a number in
   * `retryAfterMs` says how much later; see `refresh.ts`.
   */
  resolve(signal: AbortSignal): Promise<EndpointSet>;
  /** Share by which the waits between questions vary, both ways. @defaultValue 0.1 */
  readonly refreshJitter?: number | undefined;
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
