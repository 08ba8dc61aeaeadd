/** Tells, once each, of listed endpoints that must not be dialed: a forged list should not go unnoticed (R171). */
import type { Endpoint } from '../endpoint.js';
import type { EventSink } from '../events.js';

/** `code` of the `security` event. */
const UNAUTHORISED = 'UNAUTHORISED_HOST';

/** Remembers what was told of, for as long as it is listed. */
export class RefusalReport {
  readonly #refusal: (endpoint: Endpoint) => string | undefined;
  readonly #events: EventSink;
  #told: ReadonlySet<string> = new Set();

  /** @param refusal - See `Authorisation.refusal`. */
  constructor(refusal: (endpoint: Endpoint) => string | undefined, events: EventSink) {
    this.#refusal = refusal;
    this.#events = events;
  }

  /** The list has changed. */
  listChanged(endpoints: readonly Endpoint[]): void {
    const told = this.#told;
    const refused = endpoints.flatMap((endpoint) => {
      const reason = this.#refusal(endpoint);
      return reason === undefined ? [] : [{ endpoint: endpoint.id, code: UNAUTHORISED, reason }];
    });
    this.#told = new Set(refused.map(({ endpoint }) => endpoint));
    for (const each of refused) if (!told.has(each.endpoint)) this.#events.emit('security', each);
  }
}
