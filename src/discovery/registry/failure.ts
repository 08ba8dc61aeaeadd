/** Why a question to a registry failed, and what follows for the next one. */
import type { RetryHint } from '../refresh.js';

/** How long to wait after a failure: `backoff` grows from a second, `slow` from a minute (refused credentials, D16). */
export type Lane = 'backoff' | 'slow';

/** Milliseconds until a registry that has no push is asked for it again. */
export const NOT_OFFERED_MS = 300_000;

/** An error of one exchange. The watcher wraps it as `ERR_DISCOVERY`. */
export interface RegistryFailure extends Error, RetryHint {
  readonly lane: Lane;
}

/** Makes a {@link RegistryFailure}; `message` must hold no header, query or user info. */
export function failure(
  message: string,
  { lane = 'backoff', ...details }: { lane?: Lane; retryAfterMs?: number | undefined; cause?: unknown } = {},
): RegistryFailure {
  const { retryAfterMs, cause } = details;
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { lane, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** The lane of any error that an exchange ended with. */
export function laneOf(error: unknown): Lane {
  return (error as Partial<RegistryFailure> | undefined)?.lane ?? 'backoff';
}
