/** Cost of deciding who is eligible and in which order, ranking included: what a client does before every dial. */
import { Watcher } from '../../../src/discovery/watcher.js';
import { createEndpoint } from '../../../src/endpoint.js';
import { HealthBook } from '../../../src/health/health-book.js';
import { nodePlatform } from '../../../src/platform/node.js';
import { Candidates } from '../../../src/selection/candidates.js';
import { clientIdSelector } from '../../../src/selection/selector.js';
import { medianCells, number } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median, quantile } from '../../support/statistics.js';

const SIZES = [20, 1_000] as const;
/** Microseconds; R138. */
const LIMITS: Readonly<Record<number, number>> = { 1000: 5_000 };
const SAMPLE_MS = 20;

/** Microseconds for each order, where nothing is wrong and where everything is. */
export const candidates: Scenario = {
  name: 'candidates',
  about: 'µs to order 20 and 1000 endpoints with health, tiers, zones, load and young nodes',
  rounds: 30,
  quickRounds: 3,
  async run({ rounds, quick, progress }): Promise<ScenarioResult> {
    const cells = await Promise.all(
      SIZES.flatMap((size) =>
        [false, true].map(async (isTroubled) => ({
          name: `${size}, ${isTroubled ? 'in trouble' : 'all well'}`,
          size,
          order: await world(size, isTroubled),
          samples: [] as number[],
        })),
      ),
    );
    for (const { order } of cells) sample(order, quick ? 1 : 200);
    for (let round = 0; round < rounds; round += 1) {
      progress.round(round, rounds);
      for (const { order, samples } of cells) samples.push(sample(order, SAMPLE_MS));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return {
      series: cells.map(({ name, samples }) => ({ name, unit: 'µs', samples })),
      tables: [
        {
          title: 'One order, µs',
          head: ['endpoints', 'median', 'p10 – p90', 'p99'],
          rows: cells.map(({ name, samples }) => [
            name,
            ...medianCells(samples),
            number(quantile(samples, 0.99)),
          ]),
        },
      ],
      targets: cells
        .filter(({ size }) => LIMITS[size] !== undefined)
        .map(({ name, size, samples }) => ({
          what: `order ${name}, median`,
          value: median(samples),
          limit: LIMITS[size]!,
          unit: 'µs',
        })),
      notes: [
        'In trouble: a quarter ejected, a quarter full, a tenth just back, loads from a registry, two tiers, three zones.',
      ],
      faults: [],
    };
  },
};

/** A client of `size` endpoints that has connected before; the function orders them once. */
async function world(size: number, isTroubled: boolean): Promise<() => unknown> {
  const { clock, random } = nodePlatform;
  const events = { emit: () => {} };
  const endpoints = Array.from({ length: size }, (_, i) =>
    createEndpoint(
      {
        scheme: 'mqtts',
        authority: `broker-${i}.example.com`,
        zone: `zone-${i % 3}`,
        priority: isTroubled ? i % 2 : 0,
        since: isTroubled && i % 10 === 0 ? clock.wallNow() : undefined,
      },
      'bench',
    ),
  );
  const loads = new Map(endpoints.map(({ id }, i) => [id, (i % 100) / 100]));
  const watcher = new Watcher({
    resolver: {
      resolve: async () => ({
        endpoints,
        source: 'bench',
        ...(isTroubled ? { loads, ttlMs: 3_600_000 } : {}),
      }),
    },
    clock,
    random,
    events,
    refreshMs: undefined,
  });
  await watcher.refresh();
  const bounds = { failures: 1, ejectMs: 3_600_000, maxEjectMs: 3_600_000, panicAbove: 0.5 };
  const health = new HealthBook(bounds, clock, random, events);
  let next = 0;
  const made = new Candidates({
    watcher,
    selector: clientIdSelector('zone-1'),
    zone: 'zone-1',
    health,
    redirects: { order: (ranked) => ranked },
    refusal: () => undefined,
    clientId: () => `meter-${next}`,
    clock,
    random,
    events,
  });
  made.accepted(endpoints[0]!.id);
  if (isTroubled) {
    for (const [i, { id }] of endpoints.entries()) {
      if (i % 4 === 1) health.failed(id, 'broken');
      if (i % 4 === 2) made.saidFull(id, { kind: 'connack', code: 0x89 }, 'busy');
    }
  }
  return () => {
    next = (next + 1) % 10_000;
    return made.lots();
  };
}

/** Microseconds for each order, over `forMs` of them. */
function sample(order: () => unknown, forMs: number): number {
  const startedAt = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < forMs) {
    order();
    count += 1;
    elapsed = performance.now() - startedAt;
  }
  return (elapsed * 1_000) / count;
}
