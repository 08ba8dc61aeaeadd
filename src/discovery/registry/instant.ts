/** Points in time as documents and HTTP headers write them. */

/** RFC 3339 `date-time` in capitals, without leap seconds: what the published JSON Schema says too. */
export const TIMESTAMP =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Milliseconds since 1970 of a text that matches {@link TIMESTAMP}. */
export function parseTimestamp(text: string): number {
  // biome-ignore lint/style/noRestrictedGlobals: reads a text; the time of day stays the Clock's
  return Date.parse(text);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds since 1970 of an HTTP date in its preferred form (RFC 9110 §5.6.7); `undefined` for anything else. */
export function parseHttpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined;
  // biome-ignore lint/style/noRestrictedGlobals: reads a text; the time of day stays the Clock's
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
