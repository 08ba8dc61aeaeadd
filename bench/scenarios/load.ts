/**
 * One connected client and nothing that fails: messages per second, latency, and what a message costs the processor in
 * the client and in the balancer.
 *
 * Each run is a new process, as compiled code and heap of an earlier one would favour somebody.
 */
import { Cluster } from '../contestants/cluster.js';
import { type Contestant, HAPROXY, MQTTJS, NGINX, OURS, PAHO } from '../contestants/contestants.js';
import { Child } from '../support/child.js';
import { medianCells, number } from '../support/format.js';
import { cpuMs } from '../support/proc.js';
import type { RunContext, Scenario, ScenarioResult, Series, Target } from '../support/scenario.js';
import { median, pairedRatios, quantile } from '../support/statistics.js';
import type { LoadMethods } from './load/load-process.js';

const DIRECT: Contestant = { ...MQTTJS, name: 'MQTT.js, direct' };
const LOADED: readonly Contestant[] = [OURS, DIRECT, HAPROXY, NGINX, PAHO];
const QOS = [0, 1, 2] as const;
const NODES = 3;
const WINDOW = 200;
const MESSAGES: Readonly<Record<(typeof QOS)[number], number>> = { 0: 60_000, 1: 40_000, 2: 20_000 };
const ECHOES = 300;
const ECHO_EVERY_MS = 2;

/** What is measured, with its unit. */
const MEASURES = {
  throughput: 'messages/s',
  'latency p50': 'ms',
  'latency p99': 'ms',
  'client CPU': 'µs/message',
  'balancer CPU': 'µs/message',
} as const;
type Measure = keyof typeof MEASURES;

type Samples = Map<string, number[]>;

/** Something did not arrive. */
interface Trouble {
  readonly contestant: Contestant;
  readonly text: string;
}

const keyOf = (contestant: Contestant, qos: number, measure: Measure) =>
  `${contestant.name} ${qos} ${measure}`;

export const load: Scenario = {
  name: 'load',
  about: 'throughput, latency and CPU per message at QoS 0, 1 and 2, of all contestants',
  rounds: 7,
  quickRounds: 1,
  async run(context): Promise<ScenarioResult> {
    await using cluster = await Cluster.start(NODES, LOADED);
    const samples: Samples = new Map();
    const troubles: Trouble[] = [];
    for (let round = 0; round < context.rounds; round += 1) {
      // Forwards and backwards in turn, so that nobody always comes first.
      for (const contestant of round % 2 === 0 ? LOADED : [...LOADED].reverse()) {
        context.progress.round(round, context.rounds, contestant.name);
        troubles.push(...(await measure(contestant, cluster, samples, context)));
      }
    }
    return report(samples, troubles);
  },
};

async function measure(
  contestant: Contestant,
  cluster: Cluster,
  samples: Samples,
  { quick }: RunContext,
): Promise<Trouble[]> {
  const { library, options } = contestant;
  const all = cluster.urlsFor(contestant);
  const urls = contestant === DIRECT ? all.slice(0, 1) : all;
  const balancerPid = cluster.balancerOf(contestant)?.pid;
  const troubles: Trouble[] = [];
  await using child = new Child<LoadMethods>(new URL('load/load-process.ts', import.meta.url));
  for (const qos of QOS) {
    const messages = quick ? MESSAGES[qos] / 10 : MESSAGES[qos];
    // A client for each, as one of them fails when its packet ids begin again.
    await child.call('open', { library, options, urls, clientId: `load-${qos}` });
    try {
      const { values, missing } = await measureQos(child, qos, messages, balancerPid);
      for (const what of Object.keys(MEASURES) as Measure[]) {
        const key = keyOf(contestant, qos, what);
        samples.set(key, [...(samples.get(key) ?? []), values[what]]);
      }
      if (missing !== '') troubles.push({ contestant, text: `${contestant.name}, QoS ${qos}: ${missing}` });
    } catch (error) {
      troubles.push({ contestant, text: `${contestant.name}, QoS ${qos}: ${(error as Error).message}` });
    }
    await child.call('close', undefined);
  }
  return troubles;
}

async function measureQos(
  child: Child<LoadMethods>,
  qos: (typeof QOS)[number],
  messages: number,
  balancerPid: number | undefined,
): Promise<{ values: Record<Measure, number>; missing: string }> {
  await child.call('flood', { qos, messages: messages / 4, window: WINDOW });
  const before = balancerPid === undefined ? 0 : cpuMs(balancerPid);
  const flood = await child.call('flood', { qos, messages, window: WINDOW });
  const balancerMs = balancerPid === undefined ? 0 : cpuMs(balancerPid) - before;
  const took = await child.call('echo', { qos, messages: ECHOES, everyMs: ECHO_EVERY_MS });
  const missing = [
    ...(flood.missing > 0 ? [`${flood.missing} of ${messages} publishes were not delivered`] : []),
    ...(took.length < ECHOES ? [`${ECHOES - took.length} of ${ECHOES} messages did not come back`] : []),
  ].join(', ');
  const values = {
    throughput: flood.perSecond,
    'latency p50': quantile(took, 0.5),
    'latency p99': quantile(took, 0.99),
    'client CPU': flood.cpuUs,
    'balancer CPU': (balancerMs * 1_000) / messages,
  };
  return { values, missing };
}

function report(samples: Samples, troubles: readonly Trouble[]): ScenarioResult {
  const of = (contestant: Contestant, qos: number, measure: Measure) =>
    samples.get(keyOf(contestant, qos, measure)) ?? [];
  const measures = Object.keys(MEASURES) as Measure[];
  const series = QOS.flatMap((qos) =>
    measures.flatMap((measure) =>
      LOADED.map(
        (contestant): Series => ({
          name: contestant.name,
          group: `QoS ${qos} ${measure}`,
          unit: MEASURES[measure],
          samples: of(contestant, qos, measure),
        }),
      ),
    ),
  );
  const tables = QOS.map((qos) => ({
    title: `QoS ${qos}`,
    head: ['client', 'messages/s', 'p10 – p90', '÷ direct', 'p50 ms', 'p99 ms', 'CPU µs', 'balancer CPU µs'],
    rows: LOADED.map((contestant) => [
      contestant.name,
      ...medianCells(of(contestant, qos, 'throughput')),
      number(median(pairedRatios(of(contestant, qos, 'throughput'), of(DIRECT, qos, 'throughput')))),
      ...(['latency p50', 'latency p99', 'client CPU', 'balancer CPU'] as const).map((measure) =>
        number(median(of(contestant, qos, measure))),
      ),
    ]),
  }));
  const against = (contestant: Contestant, limit: number): Target => ({
    what: `QoS 1 messages/s: ${contestant.name} ÷ ${OURS.name}`,
    value: median(pairedRatios(of(contestant, 1, 'throughput'), of(OURS, 1, 'throughput'))),
    limit,
    unit: '×',
  });
  return {
    series,
    tables,
    targets: [against(DIRECT, 1 / 0.9), against(HAPROXY, 1), against(NGINX, 1)],
    notes: [
      `100-byte payload, ${WINDOW} publishes in the air, one client; the time ends when the broker has acknowledged the last. ÷ direct is the median of the ratios of each round.`,
      `Latency: a client publishes to itself every ${ECHO_EVERY_MS} ms; from publish to message, ${ECHOES} messages a round.`,
      'Balancer CPU is that of its process, in steps of 10 ms for a whole run.',
      ...troubles.filter(({ contestant }) => contestant !== OURS).map(({ text }) => text),
    ],
    faults: troubles.filter(({ contestant }) => contestant === OURS).map(({ text }) => text),
  };
}
