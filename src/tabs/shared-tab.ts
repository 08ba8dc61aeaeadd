/** One tab of `tabs: 'shared'`. Loaded only where it is used. */
import type { FailoverClient } from '../client/client.js';
import { FailoverError } from '../errors.js';
import type { HeldLock, Locks, Page } from '../platform/page.js';
import type { Clock, Network, Random } from '../platform/ports.js';
import { Bus } from './bus.js';
import { Election } from './election.js';
import { aliveLock, Hub } from './hub.js';
import { leasedNetwork } from './leased-network.js';
import { Relay, type RelayDeps } from './relay.js';
import { randomText } from './stored-id.js';

export interface SharedTabDeps extends Omit<RelayDeps, 'bus'> {
  readonly page: Page;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  /** The id that all tabs share. */
  readonly clientId: string;
  /** Makes the client with the connection, not started, whose dials go through `guard`. */
  readonly open: (guard: (network: Network) => Network) => FailoverClient;
}

/** Takes part: asks the leader, and is ready to become it. */
export class SharedTab {
  readonly relay: Relay;
  readonly #deps: SharedTabDeps;
  readonly #bus: Bus;
  readonly #election: Election;
  #hub: { readonly hub: Hub; readonly lock: HeldLock } | undefined;
  #alive: HeldLock | undefined;
  #left = false;

  constructor(deps: SharedTabDeps) {
    this.#deps = deps;
    const { page, locks, clock, random, clientId } = deps;
    this.#bus = new Bus(page, `mqtt-failover:tabs:${clientId}`, randomText(random, 16));
    this.relay = new Relay({ ...deps, bus: this.#bus });
    this.#election = new Election({
      locks,
      clock,
      random,
      name: `mqtt-failover:id:${clientId}`,
      elected: (lock) => this.#lead(lock),
      ask: () => this.#bus.post({ kind: 'ask' }),
    });
  }

  start(): void {
    const begin = () => {
      if (!this.#left) this.#begin();
    };
    // Held before a leader can hear of us: it takes a lock that is free for our end, and gives our subscriptions up.
    this.#deps.locks
      .take(aliveLock(this.#bus.id))
      .then(
        (lock) => {
          this.#alive = lock;
          if (this.#left) lock?.release();
        },
        () => {
          // Without it the leader does not notice our end, and keeps our subscriptions.
        },
      )
      .then(begin);
  }

  #begin(): void {
    this.#bus.listen((message) => {
      if (message.kind === 'lead' && message.term >= this.relay.term) this.#election.heard();
      this.relay.receive(message);
    });
    this.#bus.post({ kind: 'ask' });
    this.#election.stand();
  }

  /** Leaves: what is unsettled is settled with `ERR_ENDED`, and the connection handed over. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#election.stop();
    this.relay.abandon(new FailoverError('ERR_ENDED', 'The client was ended'));
    const led = this.#hub;
    this.#hub = undefined;
    // The next leader connects when this link is closed, and not before.
    if (led) await led.hub.resign();
    led?.lock.release();
    this.#alive?.release();
    this.#bus.close();
  }

  #lead(lock: HeldLock): void {
    const { clock, locks, open } = this.#deps;
    const client = open((network) => leasedNetwork(network, lock));
    const term = Math.max(this.relay.term + 1, clock.wallNow());
    const hub = new Hub({ bus: this.#bus, client, clock, locks, lock, term });
    this.#hub = { hub, lock };
    void lock.stolen.then(() => {
      hub.retire();
      if (this.#left || this.#hub?.hub !== hub) return;
      this.#hub = undefined;
      this.#election.stand();
    });
    hub.start();
    client.connect();
  }
}
