/** What a thousand connected clients in one process take, in that process and in the balancer in front of them. */
import type { ClientMethods } from '../contestants/client-process.js';
import { Cluster } from '../contestants/cluster.js';
import { type Contestant, HAPROXY, MQTTJS, NGINX, OURS, PAHO } from '../contestants/contestants.js';
import { Child } from '../support/child.js';
import { medianCells, number } from '../support/format.js';
import { residentBytes } from '../support/proc.js';
import type { Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { median } from '../support/statistics.js';

const MEASURED: readonly Contestant[] = [OURS, MQTTJS, HAPROXY, NGINX, PAHO];
const CLIENTS = 1_000;
/** Clients that are opened first, so that code that is loaded once is not counted. */
const FIRST = 10;
const NODES = 3;
const CAP_MS = 30_000;
const GROUPS = ['process', 'heap', 'balancer'] as const;
type Group = (typeof GROUPS)[number];

export const memory: Scenario = {
  name: 'memory',
  about: `memory of each of ${CLIENTS} clients in one process, and in the balancer`,
  rounds: 3,
  quickRounds: 1,
  async run({ rounds, progress }): Promise<ScenarioResult> {
    const samples = new Map(
      MEASURED.map((contestant) => [contestant, { process: [], heap: [], balancer: [] } as Samples]),
    );
    const faults: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const contestant of MEASURED) {
        progress.round(round, rounds, contestant.name);
        faults.push(...(await measure(contestant, samples.get(contestant)!)));
      }
    }
    return report(samples, faults);
  },
};

type Samples = Record<Group, number[]>;

/** Everything is new: a balancer keeps what it once had. */
async function measure(contestant: Contestant, samples: Samples): Promise<string[]> {
  await using cluster = await Cluster.start(NODES, [contestant]);
  await using child = new Child<ClientMethods>(new URL('../contestants/client-process.ts', import.meta.url), [
    '--expose-gc',
  ]);
  const { library, options } = contestant;
  const balancer = cluster.balancerOf(contestant);
  const open = (from: number, count: number) => {
    const clientIds = Array.from({ length: count }, (_, at) => `memory-${from + at}`);
    const rotated = clientIds.map((_, at) => cluster.urlsFor(contestant, at % NODES));
    return child.call('open', { library, options, urls: [], clientIds, rotated, capMs: CAP_MS });
  };
  await open(0, FIRST);
  const before = await child.call('memory', undefined);
  const balancerBefore = balancer ? residentBytes(balancer.pid) : 0;
  const took = await open(FIRST, CLIENTS);
  const after = await child.call('memory', undefined);
  samples.process.push((after.resident - before.resident) / CLIENTS / 1024);
  samples.heap.push((after.heap - before.heap) / CLIENTS / 1024);
  samples.balancer.push(balancer ? (residentBytes(balancer.pid) - balancerBefore) / CLIENTS / 1024 : 0);
  await child.call('close', undefined);
  const missing = took.filter((ms) => !Number.isFinite(ms)).length;
  return missing === 0 ? [] : [`${contestant.name}: ${missing} of ${CLIENTS} clients did not connect`];
}

function report(samples: ReadonlyMap<Contestant, Samples>, faults: readonly string[]): ScenarioResult {
  const entries = [...samples];
  const direct = samples.get(MQTTJS)!;
  return {
    series: GROUPS.flatMap((group) =>
      entries.map(([{ name }, of]): Series => ({ name, group, unit: 'KiB/client', samples: of[group] })),
    ),
    tables: [
      {
        title: `Memory of each of ${CLIENTS} connected clients in one process, KiB`,
        head: ['client', 'process', 'p10 – p90', '÷ MQTT.js', 'of it heap', 'balancer'],
        rows: entries.map(([{ name }, of]) => [
          name,
          ...medianCells(of.process),
          number(median(of.process) / median(direct.process)),
          number(median(of.heap)),
          number(median(of.balancer)),
        ]),
      },
    ],
    targets: [],
    notes: [
      'Resident memory after a collection, beyond that of the same process with ten clients. Brokers are direct, so each client knows all three, where no balancer is named.',
    ],
    faults,
  };
}
