/**
 * How long a publishing application waits when its broker is killed: from `kill -9` to the first PUBACK of the next
 * broker.
 *
 * Every contestant has brokers of its own, all of them processes. In each round the clients are new and the dead
 * brokers are back; the kills come one after the other, so that no contestant works while another is measured.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { BrokerCluster } from '../support/broker.js';
import { medianCells, number } from '../support/format.js';
import { connect } from '../support/library.js';
import type { RunContext, Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { median } from '../support/statistics.js';
import {
  ClientContestant,
  type Contestant,
  FloorContestant,
  type Outcome,
  RawContestant,
} from './crash-failover/contestants.js';

const BROKERS = 3;
/** Longer than the second that our client leaves between two attempts at one endpoint. */
const SETTLE_MS = 1_200;

const OURS = 'mqtt-failover';
const AT_ONCE = 'mqtt-failover, spreadMs: 0';
const MQTTJS = 'MQTT.js, servers';
const RAW = 'raw socket, kill';
const FLOOR = 'raw socket, no kill';

const PHASES = ['noticed', 'accepted', 'acknowledged'] as const;

/** Crash fail-over against MQTT.js's own list of servers, and against bare sockets. */
export const crashFailover: Scenario = {
  name: 'crash-failover',
  about: 'kill -9 of the broker to the first PUBACK of the next one, against MQTT.js and raw sockets',
  rounds: 15,
  quickRounds: 2,
  async run(context): Promise<ScenarioResult> {
    const contestants = await startContestants();
    try {
      return report(contestants, await play(contestants, context));
    } finally {
      await Promise.all(contestants.map((contestant) => contestant[Symbol.asyncDispose]()));
    }
  },
};

async function startContestants(): Promise<readonly Contestant[]> {
  const [ours, atOnce, mqttJs, raw, floor] = await Promise.all([
    BrokerCluster.start(BROKERS),
    BrokerCluster.start(BROKERS),
    BrokerCluster.start(BROKERS),
    BrokerCluster.start(2),
    BrokerCluster.start(1),
  ]);
  return [
    new ClientContestant(OURS, ours, openOurs()),
    new ClientContestant(AT_ONCE, atOnce, openOurs({ spreadMs: 0 })),
    new ClientContestant(MQTTJS, mqttJs, openMqttJs),
    new RawContestant(RAW, raw),
    new FloorContestant(FLOOR, floor),
  ];
}

function openOurs(backoff?: { readonly spreadMs: number }) {
  return ({ urls }: BrokerCluster, clientId: string): MqttClient =>
    connect(urls, { clientId, protocolVersion: 4, ...(backoff ? { backoff } : {}) });
}

function openMqttJs(cluster: BrokerCluster, clientId: string): MqttClient {
  const servers = [...cluster].map(({ host, port }) => ({ host, port, protocol: 'mqtt' as const }));
  return mqtt.connect({ servers, clientId, protocolVersion: 4 });
}

type Outcomes = ReadonlyMap<string, readonly Outcome[]>;

/** All rounds, after one that is thrown away: in it everything is compiled. */
async function play(contestants: readonly Contestant[], { rounds, progress }: RunContext): Promise<Outcomes> {
  const outcomes = new Map<string, Outcome[]>(contestants.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    progress.round(Math.max(0, round), rounds, round < 0 ? 'warm-up' : latest(outcomes));
    await Promise.all(contestants.map((contestant) => contestant.prepare(round)));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    for (let turn = 0; turn < contestants.length; turn += 1) {
      // Nobody is always first.
      const contestant = contestants[(turn + round + 1) % contestants.length]!;
      const outcome = await contestant.crash();
      if (round >= 0) outcomes.get(contestant.name)!.push(outcome);
    }
    await Promise.all(contestants.map((contestant) => contestant.restore()));
  }
  return outcomes;
}

function latest(outcomes: Outcomes): string {
  return [...outcomes]
    .flatMap(([name, list]) => (list.length === 0 ? [] : [`${name} ${number(list.at(-1)!.acknowledged)} ms`]))
    .join(' · ');
}

function report(contestants: readonly Contestant[], outcomes: Outcomes): ScenarioResult {
  const samples = (name: string, phase: (typeof PHASES)[number]) =>
    outcomes.get(name)!.map((outcome) => outcome[phase]);
  const names = contestants.map(({ name }) => name);
  const medianOf = (name: string) => median(samples(name, 'acknowledged'));
  const faults = [...outcomes.values()].flat().flatMap((outcome) => outcome.faults);
  const rows = names.map((name) => [
    name,
    ...medianCells(samples(name, 'acknowledged')),
    number(median(samples(name, 'noticed'))),
    number(median(samples(name, 'accepted'))),
    ratio(medianOf(name), medianOf(MQTTJS)),
    ratio(medianOf(name), medianOf(RAW)),
    ratio(medianOf(name), medianOf(FLOOR)),
    lost(outcomes.get(name)!),
  ]);
  return {
    series: names.flatMap((name) =>
      PHASES.map(
        (phase): Series => ({ name: `${name}: ${phase}`, unit: 'ms', samples: samples(name, phase) }),
      ),
    ),
    tables: [
      {
        title: 'From kill -9 of the broker to the first PUBACK of the next one, ms',
        head: [
          'client',
          'median',
          'p10 – p90',
          'noticed',
          'CONNACK',
          '÷ MQTT.js',
          '÷ raw kill',
          '÷ floor',
          'lost',
        ],
        rows,
      },
    ],
    targets: [
      {
        what: `${OURS} ÷ ${MQTTJS}`,
        value: medianOf(OURS) / medianOf(MQTTJS),
        limit: 0.15,
        unit: '×',
      },
      {
        what: `${AT_ONCE} ÷ ${MQTTJS}`,
        value: medianOf(AT_ONCE) / medianOf(MQTTJS),
        limit: 0.02,
        unit: '×',
      },
      { what: 'publishes lost or not settled', value: faults.length, limit: 0, unit: '' },
    ],
    notes: [
      '“noticed” and “CONNACK” are medians of the time after the kill. The floor is TCP connect, CONNECT, CONNACK, PUBLISH and PUBACK with a broker that was alive all the time.',
      '“raw socket, kill” knows where to go next, and waits only until the system has taken the dead process apart and closed its sockets; no client can be faster than that. Against the floor, see crash-floor, where that takes two milliseconds and not ten.',
    ],
    faults,
  };
}

/** Publishes lost or not settled, of all. */
function lost(outcomes: readonly Outcome[]): string {
  const sum = (numbers: number[]) => numbers.reduce((total, value) => total + value, 0);
  const published = sum(outcomes.map((outcome) => outcome.published));
  return `${sum(outcomes.map(({ faults }) => faults.length))} of ${published}`;
}

function ratio(value: number, base: number): string {
  return number(value / base);
}
