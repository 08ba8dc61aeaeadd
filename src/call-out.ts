/**
 * Calls the application. What it throws is as uncaught as in any other emitter, and stops nothing of ours half-way.
 */
export function callOut(call: () => void): void {
  try {
    call();
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
