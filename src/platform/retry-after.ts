/** How long a server wants to be left alone, as its HTTP answer says. */

/** Bounds on what a server may ask for, in milliseconds: a second to an hour (R54). */
const LEAST_MS = 1_000;
const MOST_MS = 3_600_000;
/** A date of RFC 9110 §5.6.7 has 29 characters; more is no answer. */
const MAX_LENGTH = 64;

/**
 * Reads a Retry-After header: seconds, or an HTTP date (RFC 9110 §10.2.3). Outside data: bounded.
 *
 * @param wallNow - Milliseconds since 1970.
 * @returns milliseconds from now, a second to an hour; `undefined` for what cannot be read.
 */
export function parseRetryAfter(header: unknown, wallNow: number): number | undefined {
  if (typeof header !== 'string' || header.length > MAX_LENGTH) return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : dateOf(text) - wallNow;
  return Number.isNaN(ms) ? undefined : Math.min(MOST_MS, Math.max(LEAST_MS, ms));
}

/** Only what looks like an HTTP date: `Date.parse` reads far more, and differently everywhere. */
function dateOf(text: string): number {
  return /^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}
