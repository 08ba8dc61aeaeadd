/** A lane that knows its topics. */
import { Lane } from '../lane.js';
import type { Message } from '../message.js';
import { TopicCounts } from '../topic-counts.js';

/** As {@link Lane}, and says of each topic whether it is there. */
export class TopicLane extends Lane {
  readonly #topics = new TopicCounts();

  /** Whether a message of `topic` is there. */
  has(topic: string): boolean {
    return this.#topics.of(topic) > 0;
  }

  /** The number of the first message; infinite when there is none. */
  get oldest(): number {
    return this.first?.sequence ?? Number.POSITIVE_INFINITY;
  }

  override append(message: Message): void {
    super.append(message);
    this.#topics.add(message.topic);
  }

  override remove(message: Message): void {
    super.remove(message);
    this.#topics.remove(message.topic);
  }
}
