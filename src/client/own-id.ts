/** The client id: the application's own, or one that a tab makes its own before it connects. */
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { TabIdentity } from '../tabs/tab-identity.js';

/** Knows whether the id is ours alone. */
export class OwnId {
  readonly #core: MqttCore;
  readonly #identity: TabIdentity | undefined;
  #isClaimed = false;

  /** @param identity - Left out where the id is the application's own. */
  constructor(core: MqttCore, identity: TabIdentity | undefined) {
    this.#core = core;
    this.#identity = identity;
  }

  get isOurs(): boolean {
    return this.#isClaimed || !this.#identity;
  }

  /** Calls `then` when the id is no other tab's, unless the client is ended before. */
  claim(then: () => void): void {
    void this.#identity?.claim().then((id) => {
      if (id === undefined) return;
      this.#core.options.clientId = id;
      this.#isClaimed = true;
      then();
    });
  }

  /** The next tab may have it. */
  release(): void {
    this.#isClaimed = false;
    this.#identity?.release();
  }
}
