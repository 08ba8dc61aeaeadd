/**
 * MurmurHash3 x86_32, both halves of the placement hash in one pass.
 *
 * Placement must agree between Node and browsers to the bit, so the hash is plain 32-bit integer JavaScript:
 * no BigInt, no SubtleCrypto (asynchronous, secure contexts only), no TextEncoder. R127.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
/** Seeds of the two halves of the 52-bit placement hash. R127. */
const SEED_HIGH = 0;
const SEED_LOW = 0x9747b28c;

function mixBlock(k: number): number {
  const scrambled = Math.imul(k, C1);
  return Math.imul((scrambled << 15) | (scrambled >>> 17), C2);
}

function mixState(h: number, k: number): number {
  const mixed = h ^ k;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finalise(h: number, length: number): number {
  let x = h ^ length;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Two murmur3 states fed with the same bytes: the block is scrambled once and mixed into both. */
class TwinHash {
  high: number;
  low: number;
  length = 0;
  /** Bytes of the unfinished block, lowest first. */
  block = 0;
  /** Bits of {@link block} that are filled: 0, 8, 16 or 24. */
  filled = 0;

  constructor(seedHigh: number, seedLow: number) {
    this.high = seedHigh | 0;
    this.low = seedLow | 0;
  }

  copyFrom(other: TwinHash): void {
    this.high = other.high;
    this.low = other.low;
    this.length = other.length;
    this.block = other.block;
    this.filled = other.filled;
  }

  byte(value: number): void {
    this.block |= value << this.filled;
    this.filled += 8;
    this.length += 1;
    if (this.filled < 32) return;
    const k = mixBlock(this.block);
    this.high = mixState(this.high, k);
    this.low = mixState(this.low, k);
    this.block = 0;
    this.filled = 0;
  }

  /** Feeds `text` as UTF-8; lone surrogates become U+FFFD, as `TextEncoder` has it. */
  text(text: string): void {
    const rest = this.#ascii(text);
    for (let i = rest; i < text.length; i += 1) {
      const code = text.codePointAt(i) as number;
      if (code > 0xffff) i += 1;
      this.#codePoint(code >= 0xd800 && code <= 0xdfff ? 0xfffd : code);
    }
  }

  /** Feeds the ASCII start of `text` with the state in local variables, and returns where it ends. */
  #ascii(text: string): number {
    let { high, low, block, filled } = this;
    let i = 0;
    for (; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) break;
      block |= code << filled;
      if (filled === 24) {
        const k = mixBlock(block);
        high = mixState(high, k);
        low = mixState(low, k);
        block = 0;
        filled = 0;
      } else {
        filled += 8;
      }
    }
    this.high = high;
    this.low = low;
    this.block = block;
    this.filled = filled;
    this.length += i;
    return i;
  }

  #codePoint(code: number): void {
    if (code < 0x80) {
      this.byte(code);
      return;
    }
    if (code < 0x800) {
      this.byte(0xc0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        this.byte(0xe0 | (code >> 12));
      } else {
        this.byte(0xf0 | (code >> 18));
        this.byte(0x80 | ((code >> 12) & 0x3f));
      }
      this.byte(0x80 | ((code >> 6) & 0x3f));
    }
    this.byte(0x80 | (code & 0x3f));
  }

  finish(): void {
    if (this.filled > 0) {
      const k = mixBlock(this.block);
      this.high ^= k;
      this.low ^= k;
    }
    this.high = finalise(this.high, this.length);
    this.low = finalise(this.low, this.length);
  }
}

/**
 * MurmurHash3 x86_32 of `text` as UTF-8, as an unsigned 32-bit integer.
 *
 * Vectors (R127): `''`/0 → 0, `''`/1 → 0x514e28b7, `'hello'`/0 → 0x248bfa47.
 */
export function murmur3(text: string, seed = 0): number {
  const hash = new TwinHash(seed, 0);
  hash.text(text);
  hash.finish();
  return hash.high;
}

/**
 * Where `text` falls in [0, 1), evenly over many texts: a draw that is the same every time and everywhere.
 *
 * @param seed - Another seed is an independent draw.
 */
export function hashShare(text: string, seed = 0): number {
  return murmur3(text, seed) / 2 ** 32;
}

/**
 * Hashes many endpoint ids for one client id; the part of the hash that covers the client id is computed once.
 *
 * The hashed bytes are client id, a zero byte, endpoint id (R125).
 */
export class PlacementHash {
  readonly #prefix = new TwinHash(SEED_HIGH, SEED_LOW);
  readonly #hash = new TwinHash(SEED_HIGH, SEED_LOW);

  constructor(clientId: string) {
    this.#prefix.text(clientId);
    this.#prefix.byte(0);
  }

  /** Murmur3 with seed 0 of the last id hashed. */
  get high(): number {
    return this.#hash.high;
  }

  /** Murmur3 with seed 0x9747b28c of the last id hashed. */
  get low(): number {
    return this.#hash.low;
  }

  /**
   * Hashes one endpoint id and returns a 52-bit number made of the upper 26 bits of {@link high} and {@link low}.
   * 52 and not 53: with 53 the largest hash rounds to 1, whose logarithm makes the winner lose (R126).
   */
  hash(endpointId: string): number {
    const hash = this.#hash;
    hash.copyFrom(this.#prefix);
    hash.text(endpointId);
    hash.finish();
    return (hash.high >>> 6) * 0x4000000 + (hash.low >>> 6);
  }
}
