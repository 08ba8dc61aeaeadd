/** What the headers of an answer say about the next question (RFC 9110, RFC 9111). */

/** What an answer's headers say of its life. */
export interface Freshness {
  /** Milliseconds that it stays fresh: `max-age` less `Age`; `undefined` when the headers do not say. */
  readonly maxAgeMs: number | undefined;
  /** `no-store`: not to be kept beyond this process. */
  readonly noStore: boolean;
}

/** Reads `Cache-Control` and `Age` (RFC 9111 §5.1, §5.2.2). */
export function freshness(headers: Headers): Freshness {
  const directives = (headers.get('cache-control') ?? '')
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim());
  const maxAge = directives.map((directive) => /^max-age="?(\d{1,10})"?$/.exec(directive)?.[1]).find(Boolean);
  const age = /^\d{1,10}$/.exec(headers.get('age') ?? '')?.[0] ?? '0';
  // `no-cache` is used as an answer that is stale from the start.
  const seconds = directives.includes('no-cache') ? '0' : maxAge;
  return {
    maxAgeMs: seconds === undefined ? undefined : Math.max(0, Number(seconds) - Number(age)) * 1_000,
    noStore: directives.includes('no-store'),
  };
}

/** Bounds of the wait between two questions (R53), in milliseconds. */
export interface PollBounds {
  /** What the user asked for: an upper bound; below the usual floor it is the floor too. */
  readonly pollMs: number | undefined;
  /** Nothing lasts longer than this. */
  readonly maxMs: number;
}

/** Where nobody says anything (D11). */
const DEFAULT_POLL_MS = 30_000;
const MIN_POLL_MS = 5_000;

/** The shortest wait between two questions. */
export function pollFloorMs(pollMs: number | undefined): number {
  return Math.min(MIN_POLL_MS, pollMs ?? MIN_POLL_MS);
}

/** Milliseconds until the next question: the smallest of what document, headers and user say, within bounds (R53). */
export function pollAfterMs(
  ttlSeconds: number | undefined,
  maxAgeMs: number | undefined,
  { pollMs, maxMs }: PollBounds,
): number {
  const said = [ttlSeconds === undefined ? undefined : ttlSeconds * 1_000, maxAgeMs, pollMs].filter(
    (ms) => ms !== undefined,
  );
  const wanted = said.length === 0 ? DEFAULT_POLL_MS : Math.min(...said);
  return Math.max(pollFloorMs(pollMs), Math.min(maxMs, wanted));
}
