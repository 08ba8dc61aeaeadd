/** Numbers for people. */
import { type Summary, summarize } from './statistics.js';

/** Three significant digits, without exponents. */
export function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(decimals);
}

/** `p10 – p90` of a summary. */
export function spread({ p10, p90 }: Summary): string {
  return `${number(p10)} – ${number(p90)}`;
}

/** Median and spread of samples, as two cells. */
export function medianCells(samples: readonly number[]): [string, string] {
  const summary = summarize(samples);
  return [number(summary.median), spread(summary)];
}
