/** Cost and evenness of `rank`. */
import { SeededRandom } from '../../../test/support/seeded-random.js';
import { medianCells, number } from '../../support/format.js';
import { rank as rankEndpoints } from '../../support/library.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median, quantile } from '../../support/statistics.js';

const SIZES = [5, 20, 1_000] as const;
/** Microseconds. */
const LIMITS: Readonly<Record<number, number>> = { 20: 5, 1000: 500 };
const SAMPLE_MS = 20;
const REGIONS = ['eu', 'us', 'ap'];
const TIMED_IDS = 10_000;
const PLACED_IDS = 100_000;
const PLACED_ON = 5;

/** Microseconds for each ranking, and how evenly ids of several forms are spread. */
export const rank: Scenario = {
  name: 'rank',
  about: 'µs to rank 5, 20 and 1000 endpoints; how evenly 100 000 client ids are placed',
  rounds: 30,
  quickRounds: 3,
  async run({ rounds, quick, progress }): Promise<ScenarioResult> {
    const ids = Array.from(
      { length: TIMED_IDS },
      (_, i) => `meter-${String(i).padStart(6, '0')}-line-${i % 7}`,
    );
    const sizes = SIZES.map((size) => ({ size, list: endpoints(size), samples: [] as number[] }));
    for (const { list } of sizes) sample(list, ids, quick ? 1 : 200);
    for (let round = 0; round < rounds; round += 1) {
      progress.round(round, rounds);
      for (const { list, samples } of sizes) samples.push(sample(list, ids, SAMPLE_MS));
      // The progress line, and whatever else is due.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const placed = Object.entries(idForms()).map(([form, idOf]) => ({ form, counts: place(idOf) }));
    const skews = placed.map(({ counts }) => skew(counts));
    return {
      series: [
        ...sizes.map(({ size, samples }) => ({ name: `rank ${size}`, unit: 'µs', samples })),
        ...placed.map(({ form, counts }) => ({ name: `placed: ${form}`, unit: 'clients', samples: counts })),
      ],
      tables: [
        {
          title: 'One ranking, µs',
          head: ['endpoints', 'median', 'p10 – p90', 'p99', 'per endpoint'],
          rows: sizes.map(({ size, samples }) => [
            String(size),
            ...medianCells(samples),
            number(quantile(samples, 0.99)),
            number(median(samples) / size),
          ]),
        },
        {
          title: `${PLACED_IDS.toLocaleString('en-US')} client ids on ${PLACED_ON} endpoints`,
          head: ['ids such as', 'fewest', 'most', 'most ÷ mean'],
          rows: placed.map(({ form, counts }, i) => [
            form,
            number(Math.min(...counts)),
            number(Math.max(...counts)),
            skews[i]!.toFixed(4),
          ]),
        },
      ],
      targets: [
        ...sizes
          .filter(({ size }) => LIMITS[size] !== undefined)
          .map(({ size, samples }) => ({
            what: `rank ${size} endpoints, median`,
            value: median(samples),
            limit: LIMITS[size]!,
            unit: 'µs',
          })),
        { what: 'most ÷ mean, worst form of id', value: Math.max(...skews), limit: 1.01, unit: '×' },
      ],
      notes: [
        `Random placement, which no hash can beat, is expected at ${chance(0.5).toFixed(4)} and exceeds ${chance(0.95).toFixed(4)} in one case of 20.`,
      ],
      faults: [],
    };
  },
};

function endpoints(size: number): { readonly id: string }[] {
  return Array.from({ length: size }, (_, i) => ({
    id: `broker-${i + 1}.${REGIONS[i % REGIONS.length]}.example.com:8883`,
  }));
}

let next = 0;

/** Microseconds for each ranking, over `forMs` of them. */
function sample(list: readonly { readonly id: string }[], ids: readonly string[], forMs: number): number {
  const startedAt = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < forMs) {
    for (let i = 0; i < 10; i += 1) {
      next = (next + 1) % ids.length;
      rankEndpoints(ids[next]!, list);
    }
    count += 10;
    elapsed = performance.now() - startedAt;
  }
  return (elapsed * 1_000) / count;
}

/** Client ids as they are found in the field, by an example. */
function idForms(): Record<string, (i: number) => string> {
  const random = new SeededRandom(1);
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(random.next() * 16).toString(16)).join('');
  return {
    'device-000042': (i) => `device-${String(i).padStart(6, '0')}`,
    'a4:cf:12:7b:03:9e': (i) => `a4:cf:12:${(i + 0x1000000).toString(16).slice(1).match(/../g)?.join(':')}`,
    mqttjs_1f0a93be: () => `mqttjs_${hex(8)}`,
    'a UUID': () => `${hex(8)}-${hex(4)}-4${hex(3)}-9${hex(3)}-${hex(12)}`,
    '42': (i) => String(i),
  };
}

/** Clients on each endpoint. */
function place(idOf: (i: number) => string): number[] {
  const list = endpoints(PLACED_ON);
  const counts = new Map(list.map(({ id }) => [id, 0]));
  for (let i = 0; i < PLACED_IDS; i += 1) {
    const home = rankEndpoints(idOf(i), list)[0]!.id;
    counts.set(home, counts.get(home)! + 1);
  }
  return [...counts.values()];
}

function skew(counts: readonly number[]): number {
  return Math.max(...counts) / (PLACED_IDS / PLACED_ON);
}

/** The quantile of `skew` over random placements. */
function chance(q: number): number {
  const random = new SeededRandom(2);
  const skews = Array.from({ length: 200 }, () => {
    const counts = new Array<number>(PLACED_ON).fill(0);
    for (let i = 0; i < PLACED_IDS; i += 1) counts[Math.floor(random.next() * PLACED_ON)]! += 1;
    return skew(counts);
  });
  return quantile(skews, q);
}
