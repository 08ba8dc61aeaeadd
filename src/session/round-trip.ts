/** How long an answer may take on this link: TCP's own estimator, for MQTT acknowledgements. */

/** RFC 6298 §2. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;

/** Smoothed round trip and its variation, in milliseconds (RFC 6298). */
export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;

  /** The smoothed round trip; `undefined` before the first sample. */
  get smoothedMs(): number | undefined {
    return this.#smoothed;
  }

  /** Takes a measured round trip. */
  sample(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
      return;
    }
    this.#variation = (1 - BETA) * this.#variation + BETA * Math.abs(this.#smoothed - ms);
    this.#smoothed = (1 - ALPHA) * this.#smoothed + ALPHA * ms;
  }

  /** The time after which an answer is late: SRTT + 4·RTTVAR, between `floorMs` and `ceilingMs`. */
  timeoutMs(floorMs: number, ceilingMs: number): number {
    const timeout = this.#smoothed === undefined ? floorMs : this.#smoothed + K * this.#variation;
    return Math.min(ceilingMs, Math.max(floorMs, timeout));
  }
}
