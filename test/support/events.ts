/**
 * Waiting for things that happen.
 *
 * Tests wait for the event itself and never for a guessed time; every wait is bounded, and a wait that runs
 * out says what it was waiting for, because "test timed out" explains nothing.
 */

/** Whatever emits: node's EventEmitter, eventemitter3, or a typed client. `never` lets every typing fit. */
export interface Emitter {
  on(event: never, listener: never): unknown;
  off(event: never, listener: never): unknown;
}

/** The arguments of the next `event`, or of the first of several. */
export function once<Args extends unknown[] = unknown[]>(
  emitter: Emitter,
  event: string | readonly string[],
  timeoutMs = 5000,
): Promise<Args> {
  const events = typeof event === 'string' ? [event] : event;
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      for (const each of events) emitter.off(each as never, listener as never);
    };
    const listener = (...args: Args) => {
      stop();
      resolve(args);
    };
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`no '${events.join("' or '")}' event within ${timeoutMs} ms`));
    }, timeoutMs);
    for (const each of events) emitter.on(each as never, listener as never);
  });
}

/** A live list of the first argument of every `event` from now on. */
export function collect<Payload = unknown>(emitter: Emitter, event: string): Payload[] {
  const payloads: Payload[] = [];
  const listener = (payload: Payload) => {
    payloads.push(payload);
  };
  emitter.on(event as never, listener as never);
  return payloads;
}

export interface UntilOptions {
  readonly timeoutMs?: number;
  /** Completes the sentence "still waiting for …"; a function is asked at the time of failure. */
  readonly what?: string | (() => string);
}

/** Turns of the event loop before `until` starts to leave the processor to others between looks. */
const EAGER_TURNS = 50;

/**
 * Looks again on every turn of the event loop until `condition` gives something truthy, and resolves with it.
 * For state that announces itself by no event; where there is an event, use `once`.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions = {}): Promise<T> {
  const { timeoutMs = 5000, what = condition.toString() } = options;
  const giveUpAt = performance.now() + timeoutMs;
  for (let turn = 0; ; turn++) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > giveUpAt) {
      const awaited = typeof what === 'function' ? what() : what;
      throw new Error(`still waiting for ${awaited} after ${timeoutMs} ms`);
    }
    await new Promise<void>((resolve) => {
      if (turn < EAGER_TURNS) setImmediate(resolve);
      else setTimeout(resolve, 5);
    });
  }
}
