/** From the arguments of `publish` to a message. */
import type { IClientPublishOptions, PacketCallback } from 'mqtt';
import type { Clock } from '../platform/ports.js';
import type { DedupIds } from './dedup-ids.js';
import { createMessage, ignore, type Message, publishProblem } from './message.js';
import type { Outbox } from './outbox.js';

export interface IntakeDeps {
  readonly outbox: Pick<Outbox, 'drops'>;
  readonly clock: Clock;
  /** Adds an id to each message, if it is asked for. */
  readonly dedupIds?: DedupIds | undefined;
  /** Length of a text in UTF-8. */
  readonly byteLength?: ((text: string) => number) | undefined;
}

/** Refuses what no broker could take, and makes a message of the rest. */
export class Intake {
  readonly #deps: IntakeDeps;
  /** MQTT 5 topic aliases that the application defined; they end with the connection, the full topic does not (R105). */
  readonly #aliases = new Map<number, string>();

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** The message of a publish; `undefined` when it was refused, and so is settled already. */
  accept(
    topic: string,
    payload: string | Uint8Array | undefined,
    options: IClientPublishOptions,
    callback: PacketCallback | undefined,
    publishedAt = this.#deps.clock.now(),
  ): Message | undefined {
    const { outbox, dedupIds, byteLength } = this.#deps;
    const settled = callback ?? ignore;
    const problem = publishProblem(topic, payload, options);
    if (problem) {
      outbox.drops.reject(createMessage(String(topic), '', {}, settled, publishedAt), 'rejected', problem);
      return undefined;
    }
    const alias = options.properties?.topicAlias;
    if (alias !== undefined)
      return this.accept(this.#topicOf(alias, topic), payload, withoutAlias(options), callback, publishedAt);
    const identified = dedupIds?.identify(options) ?? options;
    return createMessage(topic, payload, identified, settled, publishedAt, byteLength);
  }

  /** An alias that never had a topic leaves it empty, which is refused as an empty topic. */
  #topicOf(alias: number, topic: string): string {
    if (topic !== '') this.#aliases.set(alias, topic);
    return this.#aliases.get(alias) ?? '';
  }
}

function withoutAlias(options: IClientPublishOptions): IClientPublishOptions {
  const { topicAlias: _, ...properties } = options.properties ?? {};
  return { ...options, properties };
}
