/**
 * Happy eyeballs over endpoints and over the addresses of each (RFC 8305): one that answers nothing costs a stagger,
 * not its time-out. Only transports race; nothing of MQTT is sent on a loser, so no session is taken over (R153).
 */
import type { Clock, DialTarget, HostAddress, Network } from '../platform/ports.js';
import { type Admit, interleave } from './addresses.js';
import type { Contestant, Defeat } from './contestant.js';
import type { DialBudget, DialPurpose } from './dial-budget.js';
import { noAddress, transportError } from './dial-error.js';
import type { Dialed, Dialer, DialFailure } from './dialer.js';
import { race } from './race.js';

/** Milliseconds and counts of {@link RacingDialer}; see `DialOptions`. */
export interface RaceBounds {
  readonly staggerMs: number;
  readonly race: number;
  readonly transportTimeoutMs: number;
}

/** What others have a say in; without a word of theirs, targets are dialed as they are, at all their addresses. */
export interface DialPolicy {
  /** Completes a target just before it is dialed, before its deadline starts to run. */
  readonly prepare?: (target: DialTarget, signal: AbortSignal) => Promise<DialTarget>;
  readonly admit?: Admit;
  /** Gives each candidate its place before its deadline starts to run. */
  readonly budget?: Pick<DialBudget, 'run'> | undefined;
  /** @defaultValue 'connect' */
  readonly purpose?: DialPurpose;
  /** The smoothed round trip of the last link in milliseconds, where there was one. */
  readonly roundTripMs?: () => number | undefined;
}

/** Milliseconds; a slow link makes the stagger no longer than this (RFC 8305 §8). */
const MAX_ADAPTIVE_STAGGER_MS = 2_000;

/** Starts the next candidate when the ones before it failed, or did not answer within the stagger. */
export class RacingDialer implements Dialer {
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #bounds: RaceBounds;
  readonly #policy: DialPolicy;

  constructor(network: Network, clock: Clock, bounds: RaceBounds, policy: DialPolicy = {}) {
    this.#network = network;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#policy = policy;
  }

  dial(
    targets: readonly DialTarget[],
    signal: AbortSignal,
    onFailure: DialFailure,
  ): Promise<Dialed | undefined> {
    const { race: limit, transportTimeoutMs: deadlineMs } = this.#bounds;
    const contestants = targets.map(
      (target) => new Candidate(target, this.#network, this.#clock, this.#policy, deadlineMs, onFailure),
    );
    return race(contestants, { staggerMs: this.#staggerMs(), limit, deadlineMs }, this.#clock, signal);
  }

  /** An answer takes a round trip: on a slow link the default would start the next beside a good one (RFC 8305 §5). */
  #staggerMs(): number {
    const adapted = Math.min(2 * (this.#policy.roundTripMs?.() ?? 0), MAX_ADAPTIVE_STAGGER_MS);
    return Math.max(this.#bounds.staggerMs, adapted);
  }
}

/** One endpoint in the race; its ways are its addresses, or a single `undefined` where they are not known. */
class Candidate implements Contestant<HostAddress | undefined, Dialed> {
  readonly #candidate: DialTarget;
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #policy: DialPolicy;
  readonly #deadlineMs: number;
  readonly #onFailure: DialFailure;
  /** The candidate as it is dialed. */
  #target: DialTarget;
  #since = 0;
  /** Gives the place in the budget back. */
  #leave: () => void = () => {};

  constructor(
    candidate: DialTarget,
    network: Network,
    clock: Clock,
    policy: DialPolicy,
    deadlineMs: number,
    onFailure: DialFailure,
  ) {
    this.#candidate = candidate;
    this.#target = candidate;
    this.#network = network;
    this.#clock = clock;
    this.#policy = policy;
    this.#deadlineMs = deadlineMs;
    this.#onFailure = onFailure;
  }

  async prepare(signal: AbortSignal): Promise<void> {
    const { prepare, budget, purpose = 'connect' } = this.#policy;
    if (prepare) this.#target = await prepare(this.#candidate, signal);
    if (!budget) return;
    await new Promise<void>((resolve, reject) => {
      const held = () => {
        resolve();
        return new Promise<void>((leave) => {
          this.#leave = leave;
        });
      };
      budget.run(this.#target.endpoint, purpose, signal, held).catch(reject);
    });
  }

  async ways(signal: AbortSignal): Promise<[HostAddress | undefined, ...HostAddress[]]> {
    this.#since = this.#clock.now();
    const found = await this.#network.resolve?.(this.#target, signal);
    if (!found) return [undefined];
    const admitted = this.#policy.admit?.(this.#target, found) ?? found;
    const [first, ...others] = interleave(admitted);
    if (!first) throw noAddress(this.#target.endpoint, found);
    return [first, ...others];
  }

  async go(address: HostAddress | undefined, signal: AbortSignal): Promise<Dialed> {
    const target = this.#target;
    const transport = await this.#network.open(target, signal, address);
    return { target, transport, tookMs: this.#clock.now() - this.#since };
  }

  lost(defeat: Defeat<HostAddress | undefined>): void {
    this.#onFailure(this.#candidate, transportError(this.#candidate.endpoint.id, defeat, this.#deadlineMs));
  }

  leave(): void {
    this.#leave();
  }

  discard({ transport }: Dialed): void {
    transport.destroy();
  }
}
