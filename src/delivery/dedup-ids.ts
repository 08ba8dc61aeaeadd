/** Ids that let receivers drop duplicates: at least once is what remains of QoS 1 and 2 across sessions and crashes (R176). */
import type { IClientPublishOptions } from 'mqtt';
import type { Random } from '../platform/ports.js';

/** Name of the MQTT 5 user property. */
const DEDUP_PROPERTY = 'mid';

/** Gives each publish an id that no other has: a random part for this life of the client, and a count. */
export class DedupIds {
  readonly #life: string;
  #count = 0;

  constructor(random: Random) {
    const draw = () => Math.floor(random.next() * 2 ** 32).toString(36);
    this.#life = `${draw()}${draw()}`;
  }

  /** `options` with an id. QoS 0 is never sent twice and gets none; an id of the application's own stays. */
  identify(options: IClientPublishOptions): IClientPublishOptions {
    const { qos = 0, properties } = options;
    const own = properties?.userProperties;
    if (qos === 0 || (own && Object.hasOwn(own, DEDUP_PROPERTY))) return options;
    this.#count += 1;
    const id = `${this.#life}-${this.#count.toString(36)}`;
    const userProperties = { ...own, [DEDUP_PROPERTY]: id };
    return { ...options, properties: { ...properties, userProperties } };
  }
}
