/** What arrives at the survivors when one broker of five dies with its share of a fleet. */
import type { ClientMethods } from '../contestants/client-process.js';
import { Cluster } from '../contestants/cluster.js';
import { CONTESTANTS, type Contestant, OURS } from '../contestants/contestants.js';
import { Watch, WHERE } from '../contestants/watch.js';
import { Child } from '../support/child.js';
import { number } from '../support/format.js';
import { now } from '../support/monotonic.js';
import type { RunContext, Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { median } from '../support/statistics.js';

const NODES = 5;
const CLIENTS = 1_000;
const CAP_MS = 20_000;
const BIN_MS = 100;
/** What is drawn: the first seconds. */
const BINS = 40;
/** Milliseconds between the last connection and the fault. */
const SETTLE_MS = 1_500;

const HINTED: Contestant = {
  ...OURS,
  name: 'mqtt-failover, spreadMs: 2000',
  options: { backoff: { spreadMs: 2_000 } },
};
const DISPLACED: readonly Contestant[] = [OURS, HINTED, ...CONTESTANTS.filter((each) => each !== OURS)];

const GROUPS = {
  peak: 'CONNECTs per 100 ms',
  'attempts per client': 'CONNECTs',
  'all back': 'ms',
  'fullest survivor': 'share of the displaced',
} as const;
type Group = keyof typeof GROUPS;
type Samples = Record<Group, number[]> & { readonly bins: number[][] };

export const storm: Scenario = {
  name: 'storm',
  about: `CONNECTs per 100 ms when one of ${NODES} nodes dies, ${CLIENTS} clients of each contestant`,
  rounds: 3,
  quickRounds: 1,
  async run(context): Promise<ScenarioResult> {
    const samples = new Map(
      DISPLACED.map((contestant) => [
        contestant,
        { peak: [], 'attempts per client': [], 'all back': [], 'fullest survivor': [], bins: [] } as Samples,
      ]),
    );
    for (let round = 0; round < context.rounds; round += 1)
      for (const contestant of DISPLACED) await measure(contestant, round, samples.get(contestant)!, context);
    return report(samples);
  },
};

async function measure(
  contestant: Contestant,
  round: number,
  samples: Samples,
  { rounds, progress }: RunContext,
): Promise<void> {
  progress.round(round, rounds, contestant.name);
  await using cluster = await Cluster.start(NODES, [contestant]);
  await using watch = await Watch.start(cluster.nodes);
  await using child = new Child<ClientMethods>(new URL('../contestants/client-process.ts', import.meta.url));
  const { library, options } = contestant;
  const clientIds = Array.from({ length: CLIENTS }, (_, serial) => `storm-${round}-${serial}`);
  const rotated = clientIds.map((_, serial) => cluster.urlsFor(contestant, serial % NODES));
  await child.call('open', { library, options, urls: [], clientIds, rotated, capMs: CAP_MS });
  await child.call('announce', { clientIds, topic: WHERE, capMs: CAP_MS });
  const displaced = clientIds.filter((id) => watch.seatOf(id) === 0);
  await pause(SETTLE_MS);
  await child.call('forget', undefined);
  const diedAt = now();
  await cluster.nodes[0]!.kill();
  const { attempted, accepted } = await allBack(child, displaced.length, diedAt);
  const attempts = attempted.map((at) => at - diedAt);
  const bins = Array.from({ length: CAP_MS / BIN_MS }, () => 0);
  for (const at of attempts) bins[Math.floor(Math.max(0, at) / BIN_MS)]! += 1;
  const isBack = accepted.length >= displaced.length;
  samples.bins.push(bins.slice(0, BINS));
  samples.peak.push(Math.max(...bins));
  samples['attempts per client'].push(attempts.length / displaced.length);
  samples['all back'].push(isBack ? Math.max(...accepted) - diedAt : Number.POSITIVE_INFINITY);
  await child.call('announce', { clientIds: displaced, topic: WHERE, capMs: CAP_MS });
  const perNode = cluster.nodes.map((_, at) => displaced.filter((id) => watch.seatOf(id) === at).length);
  samples['fullest survivor'].push(Math.max(...perNode) / displaced.length);
  await child.call('close', undefined);
}

async function allBack(child: Child<ClientMethods>, displaced: number, diedAt: number) {
  for (;;) {
    const connections = await child.call('connections', undefined);
    if (connections.accepted.length >= displaced || now() - diedAt > CAP_MS - BIN_MS) return connections;
    await pause(BIN_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The mean of each bin over the rounds. */
function meanBins(rounds: readonly (readonly number[])[]): number[] {
  return Array.from(
    { length: BINS },
    (_, bin) => rounds.reduce((sum, bins) => sum + bins[bin]!, 0) / rounds.length,
  );
}

function report(samples: ReadonlyMap<Contestant, Samples>): ScenarioResult {
  const entries = [...samples];
  return {
    series: [
      ...(Object.keys(GROUPS) as Group[]).flatMap((group) =>
        entries.map(
          ([{ name }, of]): Series => ({
            name,
            group,
            unit: GROUPS[group],
            samples: of[group],
            ...(group === 'all back' ? { capMs: CAP_MS } : {}),
          }),
        ),
      ),
      ...entries.map(
        ([{ name }, { bins }]): Series => ({
          name,
          group: 'timeline',
          unit: `CONNECTs in each ${BIN_MS} ms after the death, mean of the rounds`,
          samples: meanBins(bins),
        }),
      ),
    ],
    tables: [
      {
        title: `One of ${NODES} nodes dies; ${CLIENTS} clients`,
        head: ['client', 'peak per 100 ms', 'CONNECTs per client', 'all back, ms', 'on the fullest survivor'],
        rows: entries.map(([{ name }, of]) => [
          name,
          number(median(of.peak)),
          number(median(of['attempts per client'])),
          number(median(of['all back'])),
          `${Math.round(100 * median(of['fullest survivor']))} %`,
        ]),
      },
    ],
    targets: [],
    notes: [
      'Clients that walk a list are given one that starts at another node for each. CONNECTs per client: of those that the dead node had.',
    ],
    faults: [],
  };
}
