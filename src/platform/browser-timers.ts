/** Repeating timers in a worker, which go on in a hidden tab; native ones where a page's policy refuses the worker. */
import type { PageTimers } from './page.js';

/** Runs in the worker: `[id, ms]` starts an interval, `[id]` ends it, and the id comes back at every tick. */
const PROGRAM = `const running = new Map();
onmessage = ({ data: [id, ms] }) => {
  clearInterval(running.get(id));
  running.delete(id);
  if (ms !== undefined) running.set(id, setInterval(postMessage, ms, id));
};
postMessage(0);`;

interface Interval {
  readonly callback: () => void;
  readonly ms: number;
  native?: ReturnType<typeof setInterval>;
}

/** The timers of one page. */
export class WorkerTimers implements PageTimers {
  readonly refused: Promise<void>;
  readonly #intervals = new Map<number, Interval>();
  #worker: Worker | undefined;
  #lastId = 0;
  #tellRefused = () => {};

  constructor() {
    this.refused = new Promise((resolve) => {
      this.#tellRefused = resolve;
    });
    try {
      const url = URL.createObjectURL(new Blob([PROGRAM], { type: 'text/javascript' }));
      this.#worker = new Worker(url);
      this.#worker.onmessage = ({ data: id }) => {
        if (id === 0) URL.revokeObjectURL(url);
        else this.#intervals.get(id)?.callback();
      };
      // `script-src 'self'` without `worker-src blob:` ends here (R197).
      this.#worker.onerror = () => this.#goNative();
    } catch {
      this.#goNative();
    }
  }

  set(callback: () => void, ms: number): number {
    this.#lastId += 1;
    const interval: Interval = { callback, ms };
    this.#intervals.set(this.#lastId, interval);
    if (this.#worker) this.#worker.postMessage([this.#lastId, ms]);
    else interval.native = setInterval(callback, ms);
    return this.#lastId;
  }

  clear(id: number): void {
    clearInterval(this.#intervals.get(id)?.native);
    this.#intervals.delete(id);
    this.#worker?.postMessage([id]);
  }

  #goNative(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const interval of this.#intervals.values())
      interval.native ??= setInterval(interval.callback, interval.ms);
    this.#tellRefused();
  }
}
