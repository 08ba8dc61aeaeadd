/** Waiting that can be cut short. */
import type { Clock } from '../../platform/ports.js';

/** Resolves after `ms` milliseconds, or at once when `signal` is aborted. Never rejects. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = () => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}
