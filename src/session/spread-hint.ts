/** How wide a broker wants its clients to spread after a loss (R148). */

/** Milliseconds that any source of the hint may ask for, at most (R148). */
const MAX_SPREAD_HINT_MS = 600_000;

/**
 * Reads the user property `spreadMs` of a CONNACK, an integer as text.
 *
 * @returns milliseconds; `undefined` without the property, and for anything else than one integer up to ten minutes.
 */
export function spreadHintOf(properties: Record<string, string | string[]> | undefined): number | undefined {
  if (!properties || !Object.hasOwn(properties, 'spreadMs')) return undefined;
  const text = properties.spreadMs;
  if (typeof text !== 'string' || !/^\d{1,6}$/.test(text)) return undefined;
  const ms = Number(text);
  return ms <= MAX_SPREAD_HINT_MS ? ms : undefined;
}
