/** Waits: in which state, how long, and what may end one early. */
import type { FailoverError } from '../errors.js';
import type { Pacing } from './pacing.js';
import type { Pass } from './pass.js';

/** States in which the client only waits. */
export type WaitingState = 'backoff' | 'conflict' | 'auth-wait';

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
