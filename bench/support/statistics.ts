/** Order statistics: a busy machine makes a tail, and medians do not care. */

/** The `q`-quantile of `samples` (0 to 1), interpolated between neighbours; NaN when there are none. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = [...samples].sort((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  const fraction = position - Math.floor(position);
  // Apart, as Infinity may be among the samples.
  return fraction === 0 || above === below ? below : below + (above - below) * fraction;
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** What a table says about a series. */
export interface Summary {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
}

export function summarize(samples: readonly number[]): Summary {
  return {
    median: median(samples),
    p10: quantile(samples, 0.1),
    p90: quantile(samples, 0.9),
    min: quantile(samples, 0),
    max: quantile(samples, 1),
  };
}

/** Ratios of the rounds, each of two samples that were taken close together. */
export function pairedRatios(above: readonly number[], below: readonly number[]): number[] {
  return above.slice(0, below.length).map((value, round) => value / below[round]!);
}
