/**
 * Where clients are before and after every broker was restarted, one after the other. Nobody is told; each client and
 * each balancer does what it does.
 */
import type { ClientMethods } from '../contestants/client-process.js';
import { Cluster } from '../contestants/cluster.js';
import { CONTESTANTS, type Contestant, OURS } from '../contestants/contestants.js';
import { Watch, WHERE } from '../contestants/watch.js';
import { Child } from '../support/child.js';
import { medianCells, number } from '../support/format.js';
import type { RunContext, Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { median } from '../support/statistics.js';

const NODES = 3;
const CLIENTS = 300;
const DOWN_MS = 2_000;
const BETWEEN_MS = 5_000;
/** Until everybody is where it will stay. */
const AFTER_MS = 25_000;
const CAP_MS = 20_000;

/** Ours waits for minutes before it goes home, by default; a benchmark does not. */
const FAILBACK = {
  failback: { healthyMs: 5_000, windowMs: 5_000, dwellMs: 5_000 },
  health: { ejectMs: 1_000, probeMs: 1_000 },
};
const RESTARTED: readonly Contestant[] = CONTESTANTS.map((contestant) =>
  contestant === OURS ? { ...OURS, options: FAILBACK } : contestant,
);

const GROUPS = ['before', 'after', 'unreachable'] as const;
type Samples = Record<(typeof GROUPS)[number], number[]>;

export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  about: 'clients on the fullest node before and after a rolling restart, of all contestants',
  rounds: 2,
  quickRounds: 1,
  async run(context): Promise<ScenarioResult> {
    const samples = new Map(
      RESTARTED.map((contestant) => [contestant, { before: [], after: [], unreachable: [] } as Samples]),
    );
    for (let round = 0; round < context.rounds; round += 1) await play(round, samples, context);
    return report(samples);
  },
};

interface Fleet {
  readonly contestant: Contestant;
  readonly child: Child<ClientMethods>;
  readonly clientIds: readonly string[];
}

async function play(
  round: number,
  samples: ReadonlyMap<Contestant, Samples>,
  { rounds, progress }: RunContext,
): Promise<void> {
  const say = (text: string) => progress.round(round, rounds, text);
  say('clients connect');
  await using cluster = await Cluster.start(NODES, RESTARTED);
  await using watch = await Watch.start(cluster.nodes);
  const fleets: Fleet[] = RESTARTED.map((contestant, at) => ({
    contestant,
    child: new Child<ClientMethods>(new URL('../contestants/client-process.ts', import.meta.url)),
    clientIds: Array.from({ length: CLIENTS }, (_, serial) => `fleet${at}-${round}-${serial}`),
  }));
  try {
    for (const { contestant, child, clientIds } of fleets) {
      const { library, options } = contestant;
      // Whoever walks a list is given one that starts elsewhere for each client; else all would be on its first.
      const rotated = clientIds.map((_, serial) => cluster.urlsFor(contestant, serial % NODES));
      await child.call('open', { library, options, urls: [], clientIds, rotated, capMs: CAP_MS });
    }
    await count('before', fleets, watch, samples);
    for (const [at, node] of cluster.nodes.entries()) {
      say(`node ${at + 1} of ${NODES} restarts`);
      await node.kill('SIGTERM');
      await pause(DOWN_MS);
      await node.start();
      await watch.attach();
      await pause(BETWEEN_MS);
    }
    say('clients settle');
    await pause(AFTER_MS);
    await count('after', fleets, watch, samples);
  } finally {
    await Promise.all(fleets.map(({ child }) => child[Symbol.asyncDispose]()));
  }
}

/** Asks all clients where they are. */
async function count(
  group: 'before' | 'after',
  fleets: readonly Fleet[],
  watch: Watch,
  samples: ReadonlyMap<Contestant, Samples>,
): Promise<void> {
  watch.forget();
  for (const { contestant, child, clientIds } of fleets) {
    await child.call('announce', { clientIds, topic: WHERE, capMs: CAP_MS });
    const seats = clientIds.map((id) => watch.seatOf(id));
    const perNode = Array.from({ length: NODES }, (_, at) => seats.filter((seat) => seat === at).length);
    const of = samples.get(contestant)!;
    of[group].push((Math.max(...perNode) * NODES) / CLIENTS);
    if (group === 'after') of.unreachable.push(seats.filter((seat) => seat === undefined).length);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function report(samples: ReadonlyMap<Contestant, Samples>): ScenarioResult {
  const entries = [...samples];
  const ours = entries.find(([{ name }]) => name === OURS.name)![1];
  return {
    series: GROUPS.flatMap((group) =>
      entries.map(
        ([{ name }, of]): Series => ({
          name,
          group,
          unit: group === 'unreachable' ? 'clients' : 'fullest node ÷ mean',
          samples: of[group],
        }),
      ),
    ),
    tables: [
      {
        title: `Clients on the fullest of ${NODES} nodes ÷ mean, ${CLIENTS} clients of each`,
        head: ['client', 'before', 'after', 'p10 – p90', 'not connected'],
        rows: entries.map(([{ name }, of]) => [
          name,
          number(median(of.before)),
          ...medianCells(of.after),
          String(of.unreachable.reduce((sum, value) => sum + value, 0)),
        ]),
      },
    ],
    targets: [
      {
        what: `${OURS.name}, after ÷ before`,
        value: median(ours.after) / median(ours.before),
        limit: 1.02,
        unit: '×',
      },
    ],
    notes: [
      `Each node is down for ${DOWN_MS / 1_000} s, and the next follows ${BETWEEN_MS / 1_000} s after it is back; counted ${AFTER_MS / 1_000} s after the last. Ours goes home after 5 s here, where its default is a minute and five.`,
    ],
    faults: [],
  };
}
