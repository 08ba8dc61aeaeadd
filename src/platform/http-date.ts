/** Points in time as HTTP writes them. */

/** A date of RFC 9110 §5.6.7 in its longest form, and some. */
const MAX_LENGTH = 64;
/** Only what looks like one in any of its three forms: `Date.parse` reads far more, and differently everywhere. */
const HTTP_DATE = /^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/;

/** Milliseconds since 1970 of a header with an HTTP date; `undefined` for anything else. Outside data. */
export function parseHttpDate(header: unknown): number | undefined {
  if (typeof header !== 'string' || header.length > MAX_LENGTH) return undefined;
  const text = header.trim();
  const at = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
