/** Waiting that has an end. */
import type { Clock } from './ports.js';

/** Resolves when what is waited for does, or after `ms`; then the signal is aborted, and nobody waits any longer. */
export async function atMost(
  clock: Clock,
  ms: number,
  wait: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  let timer: ReturnType<Clock['setTimeout']> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimeout(resolve, ms);
  });
  await Promise.race([wait(abort.signal), late]);
  abort.abort();
  if (timer) clock.clearTimeout(timer);
}
