/** MQTT packet ids that are never used twice at once, also across connections. */
import type { IClientOptions } from 'mqtt';

const MAX_ID = 65_535;

/**
 * Allocates packet ids in a circle and skips those in use (R100, J13).
 *
 * MQTT.js clears its provider at every CONNACK. Here that frees the ids of requests that died with the connection,
 * and keeps those of publishes in flight, which a resumed session still owns [MQTT-2.2.1-3].
 */
export class PacketIds implements NonNullable<IClientOptions['messageIdProvider']> {
  readonly #used = new Set<number>();
  readonly #inFlight: { has(id: number): boolean };
  #last: number;

  /**
   * @param inFlight - Knows the ids of publishes in flight.
   * @param after - The id before the first, below 65535. Drawn, as MQTT.js does: a session that has outlived the process
   * may still have QoS 2 ids of it, and a broker takes the next publish with such an id for the old one.
   */
  constructor(inFlight: { has(id: number): boolean }, after = 0) {
    this.#inFlight = inFlight;
    this.#last = after;
  }

  allocate(): number | null {
    if (this.#used.size >= MAX_ID) return null;
    do {
      this.#last = this.#last === MAX_ID ? 1 : this.#last + 1;
    } while (this.#used.has(this.#last));
    this.#used.add(this.#last);
    return this.#last;
  }

  getLastAllocated(): number | null {
    return this.#last === 0 ? null : this.#last;
  }

  register(id: number): boolean {
    if (this.#used.has(id)) return false;
    this.#used.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#used.delete(id);
  }

  clear(): void {
    for (const id of this.#used) if (!this.#inFlight.has(id)) this.#used.delete(id);
  }
}
