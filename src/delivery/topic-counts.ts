/** How many messages of each topic there are. */
export class TopicCounts {
  readonly #counts = new Map<string, number>();

  of(topic: string): number {
    return this.#counts.get(topic) ?? 0;
  }

  add(topic: string): void {
    this.#counts.set(topic, this.of(topic) + 1);
  }

  remove(topic: string): void {
    const others = this.of(topic) - 1;
    if (others > 0) this.#counts.set(topic, others);
    else this.#counts.delete(topic);
  }
}
