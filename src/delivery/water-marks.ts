/** Tells the application when to slow down, and when that is over (R179). */
import type { EventSink } from '../events.js';

/** Shares of the bounds. They are apart, so that the events do not flutter. */
const HIGH = 0.8;
const LOW = 0.5;

/** Bounds that the marks are shares of. */
export interface WaterBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** Watches what is not settled yet. */
export class WaterMarks {
  readonly #bounds: WaterBounds;
  readonly #events: EventSink;
  #isHigh = false;

  constructor(bounds: WaterBounds, events: EventSink) {
    this.#bounds = bounds;
    this.#events = events;
  }

  /** Whether the last word was `highwater`. */
  get isHigh(): boolean {
    return this.#isHigh;
  }

  /** Looks at how much is unsettled. */
  look(messages: number, bytes: number): void {
    const { maxMessages, maxBytes } = this.#bounds;
    const share = Math.max(messages / maxMessages, bytes / maxBytes);
    if (this.#isHigh ? share > LOW : share < HIGH) return;
    this.#isHigh = !this.#isHigh;
    this.#events.emit(this.#isHigh ? 'highwater' : 'lowwater', { messages, bytes });
  }
}
