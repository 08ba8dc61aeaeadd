/** How long a server wants to be left alone, as its HTTP answer says. */
import { parseHttpDate } from './http-date.js';

/** Bounds on what a server may ask for, in milliseconds: a second to an hour (R54). */
const LEAST_MS = 1_000;
const MOST_MS = 3_600_000;
const SECONDS = /^\s*(\d{1,64})\s*$/;

/**
 * Reads a Retry-After header: seconds, or an HTTP date (RFC 9110 §10.2.3). Outside data: bounded.
 *
 * @param date - The answer's own Date header, where it may be read: with it, a wrong clock here does no harm.
 * @param wallNow - Milliseconds since 1970.
 * @returns milliseconds from now, a second to an hour; `undefined` for what cannot be read.
 */
export function parseRetryAfter(header: unknown, date: unknown, wallNow: number): number | undefined {
  const seconds = typeof header === 'string' ? SECONDS.exec(header)?.[1] : undefined;
  const until = parseHttpDate(header);
  const ms =
    seconds === undefined ? until && until - (parseHttpDate(date) ?? wallNow) : Number(seconds) * 1_000;
  return ms === undefined ? undefined : Math.min(MOST_MS, Math.max(LEAST_MS, ms));
}
