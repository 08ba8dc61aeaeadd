/** Subscribes to the topology topic on every link, apart from what the application subscribes to (D11). */
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { TopicOverlay } from './topic.js';

export interface TopologyTopicDeps {
  /** The topic itself, without wildcards. */
  readonly topic: string;
  readonly core: Pick<MqttCore, 'subscribe'>;
  readonly overlay: Pick<TopicOverlay, 'received' | 'refused'>;
  /** Whether a filter of the application's covers a topic. */
  readonly isWanted: (topic: string) => boolean;
}

/** Told of links by the supervisor, and of messages before the application is. */
export class TopologyTopic {
  readonly #deps: TopologyTopicDeps;

  constructor(deps: TopologyTopicDeps) {
    this.#deps = deps;
  }

  /** A link is there: a session may be new, and a retained message comes with every SUBSCRIBE. */
  linkUp(): void {
    const { core, overlay, topic } = this.#deps;
    core.subscribe({ [topic]: { qos: 1 } }, undefined, (error, _granted, packet) => {
      // An answer without a packet is the end of the link, of which others tell.
      if (error && packet) overlay.refused(error);
    });
  }

  /** Nothing to undo: the subscription ended with the link. */
  linkDown(): void {}

  /**
   * A message came in.
   *
   * @returns whether it is for us alone, and not for the application.
   */
  received(topic: string, payload: Uint8Array): boolean {
    if (topic !== this.#deps.topic) return false;
    void this.#deps.overlay.received(payload);
    return !this.#deps.isWanted(topic);
  }
}
