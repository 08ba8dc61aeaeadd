/** A time limit on one step. */
import type { Clock } from '../../platform/ports.js';

/** How long a step may take, and what ends all of them. */
export interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What `work` gives within the limit.
 *
 * @throws an error with the name `TimeoutError` after it.
 */
export async function within<T>(
  { clock, timeoutMs, signal }: Limits,
  work: (signal: AbortSignal) => Promise<T> | undefined,
): Promise<T> {
  const attempt = new AbortController();
  const relay = () => attempt.abort(signal.reason);
  signal.addEventListener('abort', relay);
  const late = Object.assign(new Error(`no answer within ${timeoutMs} ms`), { name: 'TimeoutError' });
  const timer = clock.setTimeout(() => attempt.abort(late), timeoutMs);
  try {
    return (await work(attempt.signal)) as T;
  } finally {
    clock.clearTimeout(timer);
    signal.removeEventListener('abort', relay);
  }
}
