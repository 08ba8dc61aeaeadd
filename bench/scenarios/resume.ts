/**
 * A hundred publishes in flight when the link is lost, and a session that the next broker knows: how many round trips
 * pass until all are acknowledged.
 *
 * The line is a TCP hop that hands bytes over 25 ms late in each direction. What it cannot delay is the TCP handshake,
 * which is counted as one round trip on top of what was measured. MQTT.js waits for its second and then resends one
 * message a round trip.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { once, until } from '../../test/support/events.js';
import { type FaultProxy, faultProxy } from '../../test/support/fault-proxy.js';
import { type ScriptedBroker, scriptedBroker } from '../../test/support/scripted-broker.js';
import { medianCells, number } from '../support/format.js';
import { connect } from '../support/library.js';
import type { Scenario, ScenarioResult } from '../support/scenario.js';
import { median } from '../support/statistics.js';

const OURS = 'mqtt-failover';
const MQTTJS = 'MQTT.js, servers';
const ROUND_TRIP_MS = 50;
const IN_FLIGHT = 100;
const LIMIT = 5;
const HANDSHAKE = 1;

/** Round trips from the loss of the link to the last acknowledgement, with defaults. */
export const resume: Scenario = {
  name: 'resume',
  about: '100 publishes in flight, 50 ms round trip, session resumed elsewhere: round trips to the last ack',
  rounds: 15,
  quickRounds: 2,
  async run({ rounds, peers, progress }): Promise<ScenarioResult> {
    const samples: Record<string, number[]> = { [OURS]: [], ...(peers ? { [MQTTJS]: [] } : {}) };
    const faults: string[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const last = samples[OURS]?.at(-1);
      progress.round(Math.max(0, round), rounds, last ? `${OURS} ${number(last)} round trips` : '');
      for (const [name, own] of Object.entries(samples)) {
        // One of MQTT.js takes six seconds, and its rounds are alike.
        if (name === MQTTJS && round >= 3) continue;
        const measured = await play(name === OURS ? ours : mqttJs, `bench-${round}`);
        if (round >= 0) own.push(measured.roundTrips);
        if (name === OURS) faults.push(...measured.faults);
      }
    }
    return report(samples, faults);
  },
};

type Open = (lines: readonly FaultProxy[], clientId: string) => MqttClient;

const ours: Open = (lines, clientId) =>
  connect(
    lines.map(({ url }) => url),
    { clientId, selection: 'ordered', clean: false },
  );

const mqttJs: Open = (lines, clientId) => {
  const servers = lines.map(({ port }) => ({ host: '127.0.0.1', port, protocol: 'mqtt' as const }));
  const client = mqtt.connect({ servers, clientId, clean: false });
  client.on('error', () => {});
  return client;
};

interface Measured {
  readonly roundTrips: number;
  readonly faults: readonly string[];
}

async function play(open: Open, clientId: string): Promise<Measured> {
  await using left = await resuming(false);
  await using next = await resuming(true);
  await using from = await faultProxy(left.port);
  await using to = await faultProxy(next.port);
  for (const line of [from, to]) line.set({ latency: ROUND_TRIP_MS / 2 });
  const client = open([from, to], clientId);
  try {
    await once(client, 'connect');
    const sent = Array.from({ length: IN_FLIGHT }, (_, n) => client.publishAsync('t', `${n}`, { qos: 1 }));
    await until(() => left.packets('publish').length === IN_FLIGHT);
    const lostAt = performance.now();
    await from.refuse();
    await Promise.all(sent);
    const roundTrips = (performance.now() - lostAt) / ROUND_TRIP_MS + HANDSHAKE;
    return { roundTrips, faults: wrong(next) };
  } finally {
    await client.endAsync(true);
  }
}

/** Knows every session; acknowledges publishes only if asked to. */
function resuming(acknowledges: boolean): Promise<ScriptedBroker> {
  return scriptedBroker(({ cmd }, connection) => {
    if (cmd === 'connect') connection.send({ cmd: 'connack', sessionPresent: true, returnCode: 0 });
    return cmd === 'connect' || (cmd === 'publish' && !acknowledges);
  });
}

/** Every message once, in order, with DUP: the session was resumed. */
function wrong(broker: ScriptedBroker): string[] {
  const seen = broker.packets('publish').map(({ payload, dup }) => `${payload} ${dup}`);
  const expected = Array.from({ length: IN_FLIGHT }, (_, n) => `${n} true`);
  return seen.join() === expected.join() ? [] : [`the next broker got ${seen.join(', ')}`];
}

function report(samples: Record<string, number[]>, faults: readonly string[]): ScenarioResult {
  const contestants = Object.entries(samples);
  return {
    series: contestants.map(([name, own]) => ({ name, unit: 'round trips', samples: own })),
    tables: [
      {
        title: `From the loss of the link to the last of ${IN_FLIGHT} acknowledgements elsewhere, round trips of ${ROUND_TRIP_MS} ms`,
        head: ['client', 'median', 'p10 – p90', 'samples'],
        rows: contestants.map(([name, own]) => [name, ...medianCells(own), String(own.length)]),
      },
    ],
    targets: [
      { what: OURS, value: median(samples[OURS] ?? []), limit: LIMIT, unit: 'round trips' },
      { what: 'wrong behaviour seen', value: faults.length, limit: 0, unit: '' },
    ],
    notes: [
      'The TCP handshake is counted as one round trip; the line cannot delay it. Both clients have their defaults, ours a wait of up to 100 ms before the first attempt.',
    ],
    faults,
  };
}
