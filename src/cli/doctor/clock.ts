/** What other clocks say of ours. Pure. */
import { toIso } from '../../platform/calendar.js';
import type { Finding } from './findings.js';

/** Milliseconds by which clocks may differ: certificates and tokens start to fail somewhere beyond that. */
const TOLERANCE_MS = 60_000;

/**
 * Compares our clock with another.
 *
 * @param theirs - Milliseconds since 1970, as the other side has it.
 * @param ours - Milliseconds since 1970, when that came.
 */
export function clockFinding(theirs: number, ours: number, whose: string): Finding {
  const offMs = ours - theirs;
  if (Math.abs(offMs) <= TOLERANCE_MS) return { detail: `agrees with ${whose}` };
  const text = `clock skew: the clock of this machine is ${span(Math.abs(offMs))} ${offMs > 0 ? 'ahead of' : 'behind'} ${whose} (${toIso(theirs)}); one of them is wrong`;
  return { detail: text, problems: [['clock-skew', text]] };
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** A length of time in its largest whole unit. */
export function span(ms: number): string {
  const [size, name] = UNITS.find(([unit]) => ms >= unit) ?? [1_000, 'second'];
  const value = Math.floor(ms / size);
  return `${value} ${name}${value === 1 ? '' : 's'}`;
}
