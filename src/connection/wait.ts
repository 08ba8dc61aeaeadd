/** Waits: in which state, how long, and what may end one early. */
import type { FailoverError } from '../errors.js';
import type { ClientState } from '../events.js';
import { type CredentialsWatchDeps, watchCredentials } from './credentials-watch.js';
import type { Pacing } from './pacing.js';
import type { Pass } from './pass.js';

/** A state of the client with what it owns. */
export interface State {
  readonly name: ClientState;
  /** Gives back what the state owns. */
  readonly leave?: () => void;
  /** How a wait goes on when it is cut short; left out, with a pass. */
  readonly resume?: () => void;
  /** When it ends by itself, on the monotonic clock, where an endpoint that is new in the list ends it before. */
  readonly endsAt?: number;
}

/** States in which the client only waits. */
export type WaitingState = 'backoff' | 'paused' | 'conflict' | 'auth-wait';

/** Milliseconds between two passes while the runtime says that there is no network (R158). */
const OFFLINE_GAP_MS = 60_000;

/** What the client is to do before the next pass. */
export interface Wait {
  readonly state: WaitingState;
  readonly waitMs: number;
  readonly reason: string;
  /** Whether an endpoint that is new in the list may end it: only where the wait is for want of one that works. */
  readonly heedsList?: boolean;
}

/** The wait after a pass in which every endpoint failed. */
export function waitAfter(pass: Pass, { message: reason }: FailoverError, pacing: Pacing): Wait {
  switch (pass.conclusion) {
    case 'unauthorised':
      return { state: 'auth-wait', waitMs: pacing.slowLane(), reason };
    case 'untrusted':
      return { state: 'backoff', waitMs: pacing.slowLane(), reason, heedsList: true };
    default: {
      const waitMs = Math.max(pacing.afterFailedPass(), pass.restMs);
      return { state: 'backoff', waitMs, reason, heedsList: true };
    }
  }
}

/** A wait without a network: one attempt a minute, as nobody can be sure of it. Waits for something else stay as they are. */
export function paused(wait: Wait, lastPassAt: number, now: number): Wait {
  if (wait.state !== 'backoff') return wait;
  return { ...wait, state: 'paused', waitMs: Math.max(wait.waitMs, lastPassAt + OFFLINE_GAP_MS - now) };
}

/**
 * The state of a wait that begins now.
 *
 * @param onEnd - Its time is up.
 * @param onOthers - See {@link watchCredentials}; only in the slow lane after refused credentials.
 */
export function waiting(
  { state: name, waitMs, heedsList }: Wait,
  deps: CredentialsWatchDeps,
  onEnd: () => void,
  onOthers: () => boolean,
): State {
  const { clock } = deps;
  const timer = clock.setTimeout(onEnd, waitMs);
  const abort = name === 'auth-wait' ? new AbortController() : undefined;
  const leave = () => {
    clock.clearTimeout(timer);
    abort?.abort();
  };
  if (abort) watchCredentials(deps, abort.signal, onOthers);
  return { name, leave, ...(heedsList ? { endsAt: clock.now() + waitMs } : {}) };
}
