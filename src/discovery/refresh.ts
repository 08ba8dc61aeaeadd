/** When a source is asked again. */
import type { Random } from '../platform/ports.js';

/** What an error of a resolver may carry. */
export interface RetryHint {
  /** Milliseconds before which asking again is of no use. */
  readonly retryAfterMs?: number;
}

/** How the last question ended, as far as it matters for the next one. */
export interface LastAnswer {
  /** Milliseconds that the answer holds, as its source says. */
  readonly ttlMs?: number | undefined;
  /** Milliseconds to wait after a failure, as the failure says. */
  readonly retryAfterMs?: number | undefined;
  /** Failures since the last good answer. */
  readonly failures?: number;
}

/** Whatever a source says, it is asked no more often than this. */
const MIN_MS = 1_000;
/** Nor is a list kept for longer than a day without a question (D10). */
const MAX_MS = 86_400_000;
/** Milliseconds after a failure that says nothing, doubling, unless the usual wait is shorter (R18). */
const RETRY_MS = { first: 10_000, max: 60_000 } as const;
/** A wait that a source asked for is never cut short, only drawn out by up to this share (R54). */
const RETRY_JITTER = 0.2;

/**
 * Milliseconds until the next question. Drawn, so that the polls of a fleet do not fall into step (grpc#12295).
 *
 * @param refreshMs - Where neither answer nor failure says anything.
 * @param jitter - Share by which the wait varies, both ways.
 */
export function nextRefreshMs(
  refreshMs: number,
  jitter: number,
  { ttlMs, retryAfterMs, failures = 0 }: LastAnswer,
  random: Random,
): number {
  const usual = ttlMs ?? refreshMs;
  const wait =
    failures === 0 ? usual : Math.min(usual, RETRY_MS.first * 2 ** Math.min(failures - 1, 16), RETRY_MS.max);
  const spread =
    retryAfterMs === undefined ? 1 + jitter * (2 * random.next() - 1) : 1 + RETRY_JITTER * random.next();
  return spread * Math.min(MAX_MS, Math.max(MIN_MS, retryAfterMs ?? wait));
}

/** The hint of an error, if it has a usable one. */
export function retryAfterOf(error: unknown): number | undefined {
  const { retryAfterMs } = (error ?? {}) as RetryHint;
  return typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined;
}
