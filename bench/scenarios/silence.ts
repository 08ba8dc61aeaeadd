/**
 * Brokers that do not say that they are gone: what it takes to notice, and to be served by another one.
 *
 * MQTT.js sleeps for half a minute and more in these worlds, a processor does not notice it: its clients wait side by
 * side in the background while ours take their rounds, so that a scenario lasts as long as the slowest single wait.
 */
import { medianCells, number } from '../support/format.js';
import type { RunContext, Scenario, ScenarioResult, Series } from '../support/scenario.js';
import { median } from '../support/statistics.js';
import { FirstConnection } from './silence/first-connection.js';
import { Hang } from './silence/hang.js';
import { blackholePeer, silentPeer } from './silence/peers.js';
import type { Measured, SilentWorld } from './silence/world.js';

const OURS = 'mqtt-failover';
const MQTTJS = 'MQTT.js, servers';
/** Clients of MQTT.js that wait at the same time. */
const WAITING = 3;
const CONNACK_TIMEOUT_MS = 10_000;

interface Silence {
  readonly name: string;
  readonly about: string;
  readonly title: string;
  readonly rounds: number;
  /** Milliseconds that our median may have. */
  readonly limitMs: number;
  readonly open: () => Promise<SilentWorld>;
}

/** A broker that is stopped while a client publishes. */
export const hang = scenario({
  name: 'hang',
  about: 'SIGSTOP of the broker under QoS 1 traffic, to the first PUBACK of the next one',
  title: 'From SIGSTOP of the broker to the first PUBACK of the next one, ms',
  rounds: 15,
  limitMs: 2_500,
  open: () => Hang.open(),
});

/** A first choice behind a firewall that drops. */
export const synDrop = scenario({
  name: 'syn-drop',
  about: 'the preferred endpoint drops SYNs: from connect() to CONNACK of the next one',
  title: 'From connect() to CONNACK of the second endpoint, while the first drops SYNs, ms',
  rounds: 30,
  limitMs: 300,
  open: async () => FirstConnection.open(await blackholePeer()),
});

/** A first choice that accepts TCP connections, and nothing more. */
export const silentAccept = scenario({
  name: 'silent-accept',
  about: 'the preferred endpoint accepts TCP and stays silent: from connect() to CONNACK of the next one',
  title: 'From connect() to CONNACK of the second endpoint, while the first accepts and is silent, ms',
  rounds: 5,
  limitMs: CONNACK_TIMEOUT_MS + 500,
  open: async () => FirstConnection.open(await silentPeer()),
});

function scenario(silence: Silence): Scenario {
  const { name, about, rounds, open } = silence;
  return {
    name,
    about,
    rounds,
    quickRounds: 1,
    async run(context): Promise<ScenarioResult> {
      await using world = await open();
      return report(silence, await play(world, context));
    },
  };
}

interface Outcomes {
  readonly ours: readonly Measured[];
  readonly mqttJs: readonly Measured[];
}

/** Our rounds, after one that is thrown away, while MQTT.js waits; then what is left of its wait. */
async function play(world: SilentWorld, { rounds, peers, progress }: RunContext): Promise<Outcomes> {
  const startedAt = performance.now();
  const waited = () => `MQTT.js waits since ${Math.round((performance.now() - startedAt) / 1_000)} s`;
  const waiting = Promise.all(peers ? await world.startMqttJs(WAITING) : []);
  // It is awaited below; until then a failure of it is nobody's.
  waiting.catch(() => {});
  const ours: Measured[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const last = ours.at(-1);
    const detail = [...(last ? [`${OURS} ${number(last.ms)} ms`] : []), ...(peers ? [waited()] : [])];
    progress.round(Math.max(0, round), rounds, detail.join(' · '));
    const measured = await world.ours(round);
    if (round >= 0) ours.push(measured);
  }
  const ticker = setInterval(() => progress.waiting(waited()), 1_000);
  try {
    return { ours, mqttJs: await waiting };
  } finally {
    clearInterval(ticker);
  }
}

function report({ title, limitMs }: Silence, { ours, mqttJs }: Outcomes): ScenarioResult {
  const times = (measured: readonly Measured[]) => measured.map(({ ms }) => ms);
  const base = median(times(mqttJs));
  const contestants = [
    { name: OURS, samples: times(ours) },
    { name: MQTTJS, samples: times(mqttJs) },
  ].filter(({ samples }) => samples.length > 0);
  const faults = [...ours, ...mqttJs].flatMap((measured) => measured.faults);
  const value = median(times(ours));
  return {
    series: contestants.map(({ name, samples }): Series => ({ name, unit: 'ms', samples })),
    tables: [
      {
        title,
        head: ['client', 'median', 'p10 – p90', '÷ MQTT.js', 'samples'],
        rows: contestants.map(({ name, samples }) => [
          name,
          ...medianCells(samples),
          number(median(samples) / base),
          String(samples.length),
        ]),
      },
    ],
    targets: [
      { what: OURS, value, limit: limitMs, unit: 'ms' },
      ...(mqttJs.length > 0
        ? [{ what: `${OURS} ÷ ${MQTTJS}`, value: value / base, limit: 0.5, unit: '×' }]
        : []),
      { what: 'wrong behaviour seen', value: faults.length, limit: 0, unit: '' },
    ],
    notes: [
      `${WAITING} clients of MQTT.js wait side by side, in the background of our rounds; --no-peers leaves them out.`,
    ],
    faults,
  };
}
