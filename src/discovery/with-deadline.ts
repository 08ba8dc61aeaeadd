/** Work that is given up after a time. */
import type { Clock } from '../platform/ports.js';

/**
 * Runs `work` with a signal that is aborted when `signal` is, or after `ms` with what `late` makes. Rejects then even
 * if `work` does not listen.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  const timer = clock.setTimeout(() => limit.abort(late()), ms);
  const ended = new Promise<never>((_, reject) => {
    limit.signal.addEventListener('abort', () => reject(limit.signal.reason));
  });
  try {
    return await Promise.race([work(limit.signal), ended]);
  } finally {
    clock.clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
