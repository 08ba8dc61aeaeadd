/** Cost of putting a message into the outbox, by depth and overflow policy, and the memory that it takes there. */
import type { OverflowPolicy } from '../../../src/index.js';
import { Child } from '../../support/child.js';
import { number } from '../../support/format.js';
import type { Scenario, ScenarioResult, Series, Table } from '../../support/scenario.js';
import { median, quantile } from '../../support/statistics.js';
import type { QueueMethods, QueueTimes, Route } from './outbox/queue-process.js';

const ROUTES: readonly Route[] = ['publish', 'Outbox.add'];
const POLICIES: readonly OverflowPolicy[] = [
  'reject-new',
  'drop-oldest',
  'drop-oldest-qos0',
  'latest-per-topic',
];
const DEPTHS = [1_000, 10_000, 100_000, 1_000_000];
const QUICK_DEPTHS = [1_000, 10_000];
const WEIGHED = 200_000;
const PAYLOADS = ['text', 'Buffer'] as const;
/** Microseconds for an enqueue at a depth; R179. */
const LIMIT_US = 50;
const LIMIT_DEPTH = 10_000;

interface Cell {
  readonly route: Route;
  readonly policy: OverflowPolicy;
  readonly depth: number;
  readonly room: number[];
  readonly full: number[];
}

/** Enqueueing while offline: the whole of `publish`, and the outbox alone. */
export const outbox: Scenario = {
  name: 'outbox',
  about: 'µs per enqueue at depths up to 1 000 000, for each overflow policy; bytes per waiting message',
  rounds: 1,
  quickRounds: 1,
  async run({ rounds, quick, progress }): Promise<ScenarioResult> {
    const depths = quick ? QUICK_DEPTHS : DEPTHS;
    const cells = ROUTES.flatMap((route) =>
      depths.flatMap((depth) =>
        POLICIES.map((policy): Cell => ({ route, policy, depth, room: [], full: [] })),
      ),
    );
    const weights = PAYLOADS.map((payload) => ({ payload, bytes: [] as number[] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const [i, cell] of cells.entries()) {
        progress.round(
          round,
          rounds,
          `${i + 1}/${cells.length} ${cell.route}, ${cell.policy}, ${cell.depth}`,
        );
        const { room, full } = await time(cell);
        cell.room.push(...room);
        cell.full.push(...full);
      }
      for (const { payload, bytes } of weights) {
        await using child = start();
        bytes.push(await child.call('bytesPerMessage', { messages: quick ? 20_000 : WEIGHED, payload }));
      }
    }
    return report(cells, weights);
  },
};

function start(): Child<QueueMethods> {
  return new Child(new URL('outbox/queue-process.ts', import.meta.url), [
    '--expose-gc',
    '--max-old-space-size=4096',
  ]);
}

async function time({ route, policy, depth }: Cell): Promise<QueueTimes> {
  await using child = start();
  // Compiled code first.
  await child.call('time', { route, policy, depth: 10_000 });
  // Awaited here: the child must not be let go before it has answered.
  return await child.call('time', { route, policy, depth });
}

function report(
  cells: readonly Cell[],
  weights: readonly { readonly payload: string; readonly bytes: readonly number[] }[],
): ScenarioResult {
  const worst = Math.max(
    ...cells
      .filter(({ route, depth }) => route === 'publish' && depth === LIMIT_DEPTH)
      .flatMap(({ room, full }) => [quantile(room, 0.99), quantile(full, 0.99)]),
  );
  return {
    series: [
      ...cells.flatMap(({ route, policy, depth, room, full }): Series[] => [
        { name: `${route}, ${policy}, ${depth}: room`, unit: 'µs', samples: room },
        { name: `${route}, ${policy}, ${depth}: full`, unit: 'µs', samples: full },
      ]),
      ...weights.map(({ payload, bytes }) => ({
        name: `waiting, ${payload}`,
        unit: 'bytes',
        samples: bytes,
      })),
    ],
    tables: [
      ...ROUTES.map((route) => timeTable(route, cells)),
      {
        title: 'Memory of a waiting message: 100 bytes of payload, one topic for all, no callback',
        head: ['payload', 'bytes'],
        rows: weights.map(({ payload, bytes }) => [payload, number(median(bytes))]),
      },
    ],
    targets: [
      {
        what: `publish at depth ${LIMIT_DEPTH.toLocaleString('en-US')}, worst p99 of the policies, also full`,
        value: worst,
        limit: LIMIT_US,
        unit: 'µs',
      },
    ],
    notes: [
      'p50, p99 and max are of batches of 50 enqueues, divided by 50; a collection of garbage falls into one batch. “full” is at the bound: reject-new settles the newcomer with an error, drop-oldest and drop-oldest-qos0 the oldest, latest-per-topic the message that is replaced.',
    ],
    faults: [],
  };
}

function timeTable(route: Route, cells: readonly Cell[]): Table {
  return {
    title: route === 'publish' ? 'client.publish, offline, QoS 1, µs' : 'Outbox.add alone, µs',
    head: ['policy', 'depth', 'p50', 'p99', 'max', 'full: p50', 'p99', 'max'],
    rows: cells
      .filter((cell) => cell.route === route)
      .map(({ policy, depth, room, full }) => [
        policy,
        depth.toLocaleString('en-US'),
        ...threeCells(room),
        ...threeCells(full),
      ]),
  };
}

function threeCells(samples: readonly number[]): string[] {
  return [quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1)].map(number);
}
