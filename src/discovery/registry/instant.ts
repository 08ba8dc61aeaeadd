/** Points in time as documents write them. */

/** RFC 3339 `date-time` in capitals, without leap seconds: what the published JSON Schema says too. */
export const TIMESTAMP =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Milliseconds since 1970 of a text that matches {@link TIMESTAMP}. */
export function parseTimestamp(text: string): number {
  // biome-ignore lint/style/noRestrictedGlobals: reads a text; the time of day stays the Clock's
  return Date.parse(text);
}
