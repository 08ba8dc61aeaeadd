/** Which topics wait in a store, in as much memory for a million messages as for one: a count-min sketch. */

/** Counters of a row, of four bytes each. There are two rows, so that two topics rarely share both of theirs. */
const ROW = 2 ** 15;

/** Counts topics by a hash: topics may be taken for one another, and none that is there is overlooked. */
export class TopicSketch {
  #counts: Int32Array | undefined;

  /** Whether a message of `topic` may be there. */
  mayHave(topic: string): boolean {
    return this.#counts !== undefined && slotsOf(topic).every((slot) => this.#counts?.[slot] !== 0);
  }

  /** Counts one message more or less. */
  count(topic: string, by: 1 | -1): void {
    this.#counts ??= new Int32Array(2 * ROW);
    for (const slot of slotsOf(topic)) this.#counts[slot] = (this.#counts[slot] as number) + by;
  }

  /** Nothing is there; the memory is given back. */
  clear(): void {
    this.#counts = undefined;
  }
}

/** A slot of each row: the halves of FNV-1a over UTF-16 units. */
function slotsOf(topic: string): readonly number[] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < topic.length; i += 1) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193);
  return [(hash >>> 16) % ROW, ROW + (hash & (ROW - 1))];
}
