/** Whether broker sessions follow the client to another endpoint: told by option `sessions`, or learned. */

import type { IClientOptions } from 'mqtt';

/** See `FailoverGroups.sessions`. */
export type SessionsMode = 'auto' | 'shared' | 'local';

/** Knows what a change of endpoint costs. */
export class SessionScope {
  readonly #mode: SessionsMode;
  #learnedShared = false;
  #lastEndpoint: string | undefined;

  constructor(mode: SessionsMode) {
    this.#mode = mode;
  }

  /** Whether the sessions of the endpoints are one. */
  get shared(): boolean {
    return this.#mode === 'shared' || (this.#mode === 'auto' && this.#learnedShared);
  }

  /** A link came about; Session Present on another endpoint than before proves shared sessions (R107). */
  linked(endpoint: string, resumed: boolean): void {
    if (resumed && this.#lastEndpoint !== undefined && this.#lastEndpoint !== endpoint)
      this.#learnedShared = true;
    this.#lastEndpoint = endpoint;
  }

  /**
   * Whether CONNECT to `endpoint` should discard the session there: with sessions of their own, what it kept while we
   * were elsewhere is stale.
   */
  cleanStart(endpoint: string): boolean {
    return this.#mode === 'local' && this.#lastEndpoint !== undefined && this.#lastEndpoint !== endpoint;
  }

  /** Whether a client may leave its endpoint without losing its only session. */
  mayLeave({ clean, protocolVersion, properties }: IClientOptions): boolean {
    const ephemeral = clean === true || (protocolVersion === 5 && !properties?.sessionExpiryInterval);
    return ephemeral || this.shared;
  }
}
