/** Figures of a run. Pure. */

/**
 * The value that `share` of all are at most (nearest rank); 0 where there is none.
 *
 * @param share - From 0 to 1.
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** The most that one has over the mean of all: 1 is even. 0 where nobody has anything. */
export function skew(loads: readonly number[]): number {
  const sum = loads.reduce((all, load) => all + load, 0);
  return sum === 0 ? 0 : (Math.max(...loads) * loads.length) / sum;
}

/** See `SimulationReport`. */
export interface ConnectRate {
  readonly peak: number;
  readonly mean: number;
}

/**
 * The highest and the mean count of a bin. The mean is over the periods of recovery: for each blow, from the first bin
 * with anything in it to the last one before the next blow.
 *
 * @param blows - Bin of each blow, ascending.
 */
export function connectRate(bins: Uint32Array, blows: readonly number[]): ConnectRate {
  let peak = 0;
  let sum = 0;
  let width = 0;
  for (const [index, from] of blows.entries()) {
    const period = bins.subarray(from, blows[index + 1] ?? bins.length);
    const first = period.findIndex((count) => count > 0);
    if (first < 0) continue;
    width += period.findLastIndex((count) => count > 0) - first + 1;
    for (const count of period) {
      peak = Math.max(peak, count);
      sum += count;
    }
  }
  return { peak, mean: width === 0 ? 0 : sum / width };
}
