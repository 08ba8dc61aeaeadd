/** Notices that the machine slept: it wakes with links that may be long gone, and no timer that says so (R162). */
import type { Clock, Timer } from '../platform/ports.js';

/** Milliseconds between looks at the clocks, and the jump between two looks that means that we slept. */
const WATCH_MS = 5_000;
const JUMP_MS = 10_000;

/**
 * Compares the clocks with what a timer should have taken: one of them may stand still in sleep, and both do not.
 *
 * @param onWake - Called after each sleep.
 * @returns the end of the watch.
 */
export function watchSleep(clock: Clock, onWake: () => void): () => void {
  let timer: Timer;
  const watch = () => {
    const now = clock.now();
    const wall = clock.wallNow();
    timer = clock.setTimeout(() => {
      const jump = Math.max(clock.now() - now, clock.wallNow() - wall) - WATCH_MS;
      watch();
      if (jump > JUMP_MS) onWake();
    }, WATCH_MS);
  };
  watch();
  return () => clock.clearTimeout(timer);
}
