/** The last list that was good, kept across restarts: a device that boots while DNS and registry are down (D9, R66). */
import { createEndpoint, type Endpoint } from '../endpoint.js';
import type { Clock, TextStore } from '../platform/ports.js';
import { MAX_NODES } from './registry/limits.js';
import type { EndpointSet } from './resolver.js';

/** Milliseconds that a kept list may be used (D12 of the defaults). */
const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1_000;
/** A list so old is younger than this library: one of the two clocks was never set. Ten years. */
const NO_AGE_MS = 315_360_000_000;

/**
 * Keeps lists in a {@link TextStore} and gives the last one back.
 *
 * What it reads is outside data like any other: a damaged, foreign or old record is no record. Credentials are never
 * written: a list whose endpoints have options of their own is not kept, and no query of a URL is.
 */
export class LastKnownGood {
  readonly #store: TextStore;
  readonly #key: string;
  readonly #clock: Clock;
  #saving: Promise<void> = Promise.resolve();

  /** @param key - Tells the lists of different sources apart. */
  constructor(store: TextStore, key: string, clock: Clock) {
    this.#store = store;
    this.#key = key;
    this.#clock = clock;
  }

  /** The kept list; `undefined` where there is none that can be used. Never throws. */
  async load(): Promise<EndpointSet | undefined> {
    try {
      const text = await this.#store.read(this.#key);
      if (text === undefined) return undefined;
      const { readRecord } = await import('./kept-record.js');
      const record = readRecord(text);
      if (record?.key !== this.#key) return undefined;
      // Many devices boot in 1970. Neither a list from the future tells its age then, nor one that was kept in 1970.
      const ageMs = this.#clock.wallNow() - record.savedAt;
      if (ageMs > MAX_AGE_MS && ageMs < NO_AGE_MS) return undefined;
      const endpoints = record.endpoints.map((kept) => createEndpoint(kept, 'last known good'));
      if (new Set(endpoints.map(({ id }) => id)).size !== endpoints.length) return undefined;
      const { revision } = record;
      return { endpoints, source: 'last-known-good', ...(revision === undefined ? {} : { revision }) };
    } catch {
      // A store that cannot be read is the same as an empty one: discovery goes on.
      return undefined;
    }
  }

  /** Keeps `set`, one after another. @throws what the store throws; the list in use is not touched by it. */
  save({ endpoints, revision }: EndpointSet): Promise<void> {
    if (endpoints.some(isPrivate) || endpoints.length > MAX_NODES) return Promise.resolve();
    const record = {
      version: 1,
      key: this.#key,
      savedAt: this.#clock.wallNow(),
      revision,
      endpoints: endpoints.map(toRecord),
    };
    const text = JSON.stringify(record);
    const saved = this.#saving.then(() => this.#store.write(this.#key, text));
    this.#saving = saved.catch(() => {});
    return saved;
  }
}

/** What the user wrote down needs no keeping, and options of an endpoint may be credentials. */
function isPrivate({ origin, options }: Endpoint): boolean {
  return origin === 'static' || Object.keys(options).length > 0;
}

function toRecord({ id, scheme, host, port, path, priority, weight, ...rest }: Endpoint): object {
  const { zone, state, since, drainBy, origin } = rest;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const address = { scheme, authority, path: path.replace(/\?.*/, '') };
  return { id, ...address, priority, weight, zone, state, since, drainBy, origin };
}
