/**
 * Happy eyeballs over endpoints (RFC 8305 at the level of brokers): an endpoint that answers nothing costs one
 * stagger, not its time-out. Only transports race; nothing of MQTT is sent on a loser, so no session is taken over.
 */
import { FailoverError } from '../errors.js';
import { outcomeOf } from '../health/outcomes.js';
import type { Clock, DialTarget, Network, Timer } from '../platform/ports.js';
import type { Dialed, Dialer, DialFailure } from './dialer.js';

/** Milliseconds and counts of {@link RacingDialer}; see `DialOptions`. */
export interface RaceBounds {
  readonly staggerMs: number;
  readonly race: number;
  readonly transportTimeoutMs: number;
}

/** Completes a target just before it is dialed. */
export type Prepare = (target: DialTarget, signal: AbortSignal) => Promise<DialTarget>;

/** Starts the next candidate when the ones before it failed, or did not answer within the stagger. */
export class RacingDialer implements Dialer {
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #bounds: RaceBounds;
  readonly #prepare: Prepare;

  /** @param prepare - Asked for the target of each attempt, before its deadline starts to run. */
  constructor(
    network: Network,
    clock: Clock,
    bounds: RaceBounds,
    prepare: Prepare = async (target) => target,
  ) {
    this.#network = network;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#prepare = prepare;
  }

  dial(
    targets: readonly DialTarget[],
    signal: AbortSignal,
    onFailure: DialFailure,
  ): Promise<Dialed | undefined> {
    return new Promise((resolve, reject) => {
      const { staggerMs, race } = this.#bounds;
      const running = new Set<AbortController>();
      let next = 0;
      let stagger: Timer | undefined;
      let settled = false;

      const settle = (outcome: () => void) => {
        settled = true;
        if (stagger) this.#clock.clearTimeout(stagger);
        signal.removeEventListener('abort', onAbort);
        for (const attempt of running) attempt.abort();
        running.clear();
        outcome();
      };
      const onAbort = () => settle(() => reject(signal.reason));
      const startNext = () => {
        // A listener that heard of the failure may have aborted the dial.
        if (settled) return;
        if (stagger) this.#clock.clearTimeout(stagger);
        stagger = undefined;
        const target = targets[next];
        if (!target) {
          if (running.size === 0) settle(() => resolve(undefined));
          return;
        }
        next += 1;
        const attempt = new AbortController();
        running.add(attempt);
        this.#open(target, attempt).then(
          (dialed) => {
            if (!running.delete(attempt)) dialed.transport.destroy();
            else settle(() => resolve(dialed));
          },
          (error: Error) => {
            if (!running.delete(attempt)) return;
            onFailure(target, error);
            startNext();
          },
        );
        if (next < targets.length && running.size < race)
          stagger = this.#clock.setTimeout(startNext, staggerMs);
      };

      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', onAbort);
      startNext();
    });
  }

  /** One candidate within its transport deadline; errors come out named and typed. */
  async #open(candidate: DialTarget, attempt: AbortController): Promise<Dialed> {
    const { transportTimeoutMs } = this.#bounds;
    const { id } = candidate.endpoint;
    const target = await this.#prepare(candidate, attempt.signal);
    let timedOut = false;
    const timer = this.#clock.setTimeout(() => {
      timedOut = true;
      attempt.abort();
    }, transportTimeoutMs);
    try {
      return { target, transport: await this.#network.open(target, attempt.signal) };
    } catch (cause) {
      if (timedOut) {
        const message = `No transport to ${id} within ${transportTimeoutMs} ms`;
        const outcome = { kind: 'link', code: 'transport-timeout' } as const;
        throw new FailoverError('ERR_TRANSPORT_TIMEOUT', message, { endpoint: id, retryable: true, outcome });
      }
      throw new FailoverError('ERR_TRANSPORT', `Cannot reach ${id}: ${reasonOf(cause)}`, {
        endpoint: id,
        retryable: true,
        outcome: outcomeOf(cause, { kind: 'link', code: 'closed-before-connack' }),
        cause,
      });
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }
}

/** Node's errors for several addresses have an empty message and the reasons inside. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join(', ');
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}
