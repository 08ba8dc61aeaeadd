/** Many pushes in a row are one change (R65). */
import type { Clock } from '../../platform/ports.js';
import type { EndpointSet } from '../resolver.js';
import { pause } from './pause.js';

/** Milliseconds from the first push to the reading of the latest; so no more than four readings in a second. */
const SETTLE_MS = 250;

type Read = () => EndpointSet | Promise<EndpointSet>;

/** Reads the latest of many offers, one at a time, {@link SETTLE_MS} after the first of them. */
export class Settler {
  readonly #clock: Clock;
  readonly #onSettled: (set: EndpointSet) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #signal: AbortSignal;
  #latest: Read | undefined;
  #running = false;

  constructor(
    clock: Clock,
    onSettled: (set: EndpointSet) => void,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ) {
    this.#clock = clock;
    this.#onSettled = onSettled;
    this.#onFailure = onFailure;
    this.#signal = signal;
  }

  /** There may be news; `read` gets it. */
  offer(read: Read): void {
    this.#latest = read;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#latest && !this.#signal.aborted) {
      await pause(this.#clock, SETTLE_MS, this.#signal);
      const read = this.#latest;
      this.#latest = undefined;
      if (this.#signal.aborted) break;
      try {
        const set = await read();
        if (!this.#signal.aborted) this.#onSettled(set);
      } catch (error) {
        if (!this.#signal.aborted) this.#onFailure(error);
      }
    }
    this.#running = false;
  }
}
