/** What waits in memory, in the order of the calls. */
import { Lane } from './lane.js';
import type { Message } from './message.js';
import { TopicCounts } from './topic-counts.js';

/** Messages of one topic in the live lane at most: a topic that floods waits behind its own backlog, and holds up no other. */
const MAX_LIVE = 100;

/** Three lanes with one sequence of numbers, and what they hold of each topic. Every operation is O(1), but for merges. */
export class Lanes {
  /** QoS 0 apart from the rest, so that the oldest of it can be evicted without a search. */
  readonly qos0 = new Lane();
  readonly acknowledged = new Lane();
  /** QoS 1 and 2 that was published when the broker's window was full, and nothing of its topic was in the backlog (R178). */
  readonly live = new Lane();
  readonly all: readonly Lane[] = [this.qos0, this.acknowledged, this.live];
  /** Messages of each topic in all of them. */
  readonly topics = new TopicCounts();
  /** Messages of each topic in the live lane. */
  readonly liveTopics = new TopicCounts();
  readonly #latest: Map<string, Message> | undefined;
  /** The live lane is open: something was published on the present link. */
  #isLive = false;

  /** @param isByTopic - Whether {@link latest} is going to be asked for. */
  constructor(isByTopic: boolean) {
    this.#latest = isByTopic ? new Map() : undefined;
  }

  /** Messages in all of them. */
  get size(): number {
    return this.qos0.size + this.acknowledged.size + this.live.size;
  }

  /** Bytes in all of them. */
  get bytes(): number {
    return this.qos0.bytes + this.acknowledged.bytes + this.live.bytes;
  }

  /** The waiting message of `topic`. */
  latest(topic: string): Message | undefined {
    return this.#latest?.get(topic);
  }

  /** The next message of the backlog to send. */
  get first(): Message | undefined {
    const first = this.oldest([this.qos0, this.acknowledged]);
    // A topic that has messages in both lanes has its older ones in the live lane.
    return first && this.liveTopics.of(first.topic) > 0 ? this.live.first : first;
  }

  /** The message of `lanes` that was published before all others. */
  oldest(lanes = this.all): Message | undefined {
    let oldest: Message | undefined;
    for (const { first } of lanes) if (first && (!oldest || first.sequence < oldest.sequence)) oldest = first;
    return oldest;
  }

  /** The lane in which `message` waits, or would. */
  of(message: Message): Lane {
    if (message.isLive) return this.live;
    return message.qos === 0 ? this.qos0 : this.acknowledged;
  }

  /** Adds a message where it belongs by its number: at the end, mostly. */
  append(message: Message): void {
    // Live ones that gave their lane up may be in memory already when older ones come from the store.
    this.of(message).merge([message]);
    if (message.isLive) this.liveTopics.add(message.topic);
    this.topics.add(message.topic);
    this.#latest?.set(message.topic, message);
  }

  /** Adds messages that were published before everything of their topics that waits. */
  putBack(messages: readonly Message[]): void {
    const sorted = [...messages].sort((a, b) => a.sequence - b.sequence);
    for (const lane of [this.qos0, this.acknowledged])
      lane.merge(sorted.filter((message) => this.of(message) === lane));
    for (const message of sorted) {
      const { topic } = message;
      this.topics.add(topic);
      if (!this.#latest?.has(topic)) this.#latest?.set(topic, message);
    }
  }

  remove(message: Message): void {
    this.#unlink(message);
    const { topic } = message;
    if (this.#latest?.get(topic) === message) this.#latest.delete(topic);
    this.topics.remove(topic);
  }

  /** There is a link that takes live messages, until {@link endLive}. */
  beginLive(): void {
    this.#isLive = true;
  }

  /** Whether a message was published on this link, and nothing of its topic waits but in the live lane. */
  mayBeLive({ topic, isLive }: Message): boolean {
    const live = this.liveTopics.of(topic);
    return isLive && this.#isLive && live < MAX_LIVE && live === this.topics.of(topic);
  }

  /** What is live waits in the backlog from now on, where it belongs by its number. */
  endLive(): void {
    this.#isLive = false;
    const messages: Message[] = [];
    for (let { first } = this.live; first; first = this.live.first) {
      this.#unlink(first);
      messages.push(first);
    }
    this.acknowledged.merge(messages);
  }

  #unlink(message: Message): void {
    this.of(message).remove(message);
    if (message.isLive) this.liveTopics.remove(message.topic);
    message.isLive = false;
  }
}
