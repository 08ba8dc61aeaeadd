/** Waiting until what was published is delivered. */
import type { ClientEngine } from './engine.js';

/** How long `drain` and `flush` wait. */
export interface WaitOptions {
  /** Milliseconds at most. @defaultValue 10000 */
  readonly timeoutMs?: number;
}

/** What `drain` came to. */
export interface Drained {
  /** Publishes that were not delivered, and are settled with `ERR_ENDED`. */
  readonly undelivered: number;
}

/** What `flush` came to. */
export interface Flushed {
  /** Publishes that wait, or are in flight, still. */
  readonly unsettled: number;
}

/** Milliseconds that `drain` and `flush` wait unless told otherwise. */
export const WAIT_TIMEOUT_MS = 10_000;

/** Waits for what was taken, then ends the client, which takes no more. */
export async function drain(engine: ClientEngine, timeoutMs: number): Promise<Drained> {
  await engine.drained(timeoutMs);
  const undelivered = engine.status().outbox.messages;
  await new Promise<void>((resolve) => engine.end(false, undefined, () => resolve(), 0));
  return { undelivered };
}
