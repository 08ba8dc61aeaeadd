// The comparison benchmark as it was measured last: what `npm run bench -- comparison` has written, for pages and charts.
import { readFileSync } from 'node:fs';
import { type Summary, summarize } from '../../bench/support/statistics.js';

/** Where the measurement is kept. */
export const COMPARISON_FILE = 'bench/published/comparison.json';

interface StoredSeries {
  readonly name: string;
  readonly group?: string;
  readonly unit: string;
  /** JSON has no Infinity: what did not come within the cap is null. */
  readonly samples: readonly (number | null)[];
  readonly capMs?: number;
}

interface StoredScenario {
  readonly name: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly faults: readonly string[];
  readonly targets: readonly {
    readonly what: string;
    readonly value: number | null;
    readonly limit: number;
    readonly unit: string;
    readonly met: boolean;
  }[];
  readonly notes: readonly string[];
  readonly series: readonly StoredSeries[];
}

interface Stored {
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly load: number;
  readonly commit: string | null;
  readonly command: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly programs: Readonly<Record<string, string>>;
  readonly scenarios: readonly StoredScenario[];
}

/** One thing that was measured of one contestant. */
export interface Measured extends Summary {
  readonly name: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly capMs: number | undefined;
}

export class Comparison {
  readonly conditions: Omit<Stored, 'scenarios'>;
  readonly #scenarios: readonly StoredScenario[];

  constructor({ scenarios, ...conditions }: Stored) {
    this.conditions = conditions;
    this.#scenarios = scenarios;
  }

  /** @param file - Where another measurement is kept. */
  static read(file = COMPARISON_FILE): Comparison {
    return new Comparison(JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')));
  }

  scenario(name: string): StoredScenario {
    const found = this.#scenarios.find((scenario) => scenario.name === name);
    if (!found) throw new Error(`${COMPARISON_FILE} has no scenario ${name}: npm run bench -- comparison`);
    return found;
  }

  get scenarios(): readonly StoredScenario[] {
    return this.#scenarios;
  }

  /** Everybody's `group` in a scenario, in the order of the file. */
  group(scenario: string, group: string): readonly Measured[] {
    return this.scenario(scenario)
      .series.filter((series) => series.group === group)
      .map(({ name, unit, samples, capMs }) => {
        const numbers = samples.map((sample) => sample ?? Number.POSITIVE_INFINITY);
        return { name, unit, capMs, samples: numbers, ...summarize(numbers) };
      });
  }

  /** What was measured of one contestant. */
  of(scenario: string, group: string, name: string): Measured {
    const found = this.group(scenario, group).find((each) => each.name === name);
    if (!found) throw new Error(`${COMPARISON_FILE} has no ${group} of ${name} in ${scenario}`);
    return found;
  }

  /** The sum of a count over all rounds, of one contestant. */
  total(scenario: string, group: string, name: string): number {
    return this.of(scenario, group, name).samples.reduce((sum, value) => sum + value, 0);
  }
}

/** Milliseconds for people: three digits, in the unit that fits; beyond the cap, that it is. */
export function duration(ms: number, capMs?: number): string {
  if (!Number.isFinite(ms)) return capMs === undefined ? '–' : `> ${Math.round(capMs / 1_000)} s`;
  return ms < 1_000 ? `${digits(ms)} ms` : `${digits(ms / 1_000)} s`;
}

/** Three significant digits, thousands with a narrow gap. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1_000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
