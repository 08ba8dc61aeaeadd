/**
 * Bounds what a broker may make us keep: MQTT.js collects a packet until it is whole, whatever its length says (R194).
 *
 * Follows the framing alone, and refuses a packet when its length is known, before its bytes have come.
 */

/** Bytes of a packet before CONNACK, and of CONNACK itself: four properties of 64 KiB each, and as much again. */
const BEFORE_CONNACK = 512 * 1_024;
/** First byte of CONNACK. */
const CONNACK = 0x20;

/** Watches one connection from its first byte. */
export class FrameLimit {
  #limit = BEFORE_CONNACK;
  readonly #limitAfterConnack: number;
  /** First byte of the present packet, once it is here. */
  #type: number | undefined;
  /** Bytes of its length so far, and their value. */
  #digits = 0;
  #length = 0;
  /** Bytes of its body that have not come yet. */
  #left = 0;
  #refused = false;

  /** @param maximumPacketSize - What we announced in CONNECT; without one, packets after CONNACK are not limited. */
  constructor(maximumPacketSize = Number.POSITIVE_INFINITY) {
    this.#limitAfterConnack = maximumPacketSize;
  }

  /**
   * Whether every packet that begins or goes on in `chunk` is small enough; once one was not, nothing is any more.
   * Malformed lengths are left to the parser.
   */
  admits(chunk: Uint8Array): boolean {
    if (this.#refused) return false;
    if (this.#limit === Number.POSITIVE_INFINITY) return true;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at] as number;
      at += 1;
      if (this.#type === undefined) this.#type = byte;
      else if (!this.#readLength(byte, this.#type)) {
        this.#refused = true;
        return false;
      }
    }
    return true;
  }

  #readLength(byte: number, type: number): boolean {
    this.#length += (byte & 0x7f) * 128 ** this.#digits;
    this.#digits += 1;
    if (byte >= 0x80 && this.#digits < 4) return true;
    const size = 1 + this.#digits + this.#length;
    this.#left = this.#length;
    this.#type = undefined;
    this.#digits = 0;
    this.#length = 0;
    const fits = size <= this.#limit;
    if (type === CONNACK) this.#limit = this.#limitAfterConnack;
    return fits;
  }
}
