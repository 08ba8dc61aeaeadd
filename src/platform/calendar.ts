/** Points in time as people read them. */

/** `2026-11-21T13:18:07.000Z` of milliseconds since 1970. */
export function toIso(at: number): string {
  return Number.isFinite(at) ? new Date(at).toISOString() : 'an unreadable date';
}

/** `2026-11-21` of milliseconds since 1970. */
export function toDay(at: number): string {
  return toIso(at).replace(/T.*/, '');
}
