/** Runs many small steps as Node runs timers: everything that promises ask for happens before the next step. */

/** Steps after which input and output of the process get their turn. */
const STEPS_A_TURN = 2_048;

/**
 * Calls `step` again and again until it returns false. Between two calls every promise job runs, those that promise
 * jobs make included, as between two timers of Node; a turn of the event loop each, as `setImmediate` needs it, would
 * cost ten times as much.
 *
 * @returns a promise that rejects with what `step` throws.
 */
export function runTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let steps = 0;
    const next = () => {
      try {
        if (!step()) {
          resolve();
          return;
        }
      } catch (error) {
        reject(error);
        return;
      }
      steps += 1;
      if (steps % STEPS_A_TURN === 0) setImmediate(next);
      else queueMicrotask(hop);
    };
    // What a promise job gives to nextTick runs when no promise job is left.
    const hop = () => process.nextTick(next);
    next();
  });
}
