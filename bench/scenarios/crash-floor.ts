/**
 * What a crash costs beyond what it must: fail-over without spread beside a bare TCP + CONNECT + PUBLISH exchange.
 *
 * The brokers are mosquitto, a small process whose sockets the system closes within two milliseconds of `kill -9`; in
 * `crash-failover` the death of a Node process alone takes ten. Needs mosquitto on the path.
 */
import { once } from 'node:events';
import type { Packet } from 'mqtt';
import { type Mosquitto, mosquittos } from '../../test/support/mosquitto.js';
import { medianCells, number } from '../support/format.js';
import { connect } from '../support/library.js';
import { type Address, connectRaw, publishOnce } from '../support/raw-client.js';
import type { Scenario, ScenarioResult } from '../support/scenario.js';
import { median } from '../support/statistics.js';

/** Longer than the second that our client leaves between two attempts at one endpoint. */
const SETTLE_MS = 1_200;
const LIMIT = 5;

type Samples = Record<'ours' | 'raw' | 'floor', number[]>;

export const crashFloor: Scenario = {
  name: 'crash-floor',
  about: 'fail-over from a killed mosquitto with spreadMs 0, against a bare exchange (needs mosquitto)',
  rounds: 15,
  quickRounds: 2,
  async run(context): Promise<ScenarioResult> {
    await using brokers = await mosquittos(3);
    const samples: Samples = { ours: [], raw: [], floor: [] };
    for (let round = -1; round < context.rounds; round += 1) {
      context.progress.round(Math.max(0, round), context.rounds, round < 0 ? 'warm-up' : latest(samples));
      const measured = await play(brokers, round);
      if (round >= 0)
        for (const name of ['ours', 'raw', 'floor'] as const) samples[name].push(measured[name]);
    }
    return report(samples);
  },
};

async function play(brokers: readonly Mosquitto[], round: number): Promise<Record<keyof Samples, number>> {
  const ours = await killUnderOurs(brokers, `bench-${round}`);
  const [dying, next] = brokers as [Mosquitto, Mosquitto];
  const raw = await killUnderRaw(dying, next);
  const startedAt = performance.now();
  await publishOnce(addressOf(next), 'floor');
  return { ours, raw, floor: performance.now() - startedAt };
}

/** From `kill -9` to the first PUBACK on another broker, with one publish always in the air. */
async function killUnderOurs(brokers: readonly Mosquitto[], clientId: string): Promise<number> {
  const urls = brokers.map(({ url }) => url);
  const client = connect(urls, { clientId, protocolVersion: 4, backoff: { spreadMs: 0 } });
  await once(client, 'connect');
  let publishing = true;
  const lane = (async () => {
    while (publishing) await client.publishAsync('bench/ours', 'x', { qos: 1 });
  })();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const dying = brokers.find(({ port }) => client.status().current === `127.0.0.1:${port}`) as Mosquitto;
  const acknowledged = new Promise<number>((resolve) => {
    client.once('failover', () => {
      const onPacket = ({ cmd }: Packet) => {
        if (cmd !== 'puback') return;
        client.off('packetreceive', onPacket);
        resolve(performance.now());
      };
      client.on('packetreceive', onPacket);
    });
  });
  const killedAt = performance.now();
  const gone = dying.kill();
  const took = (await acknowledged) - killedAt;
  publishing = false;
  await Promise.all([gone, lane]);
  await client.endAsync();
  await dying.start();
  return took;
}

/** The same by a socket that knows where to go: no client can be faster. */
async function killUnderRaw(dying: Mosquitto, next: Mosquitto): Promise<number> {
  const { socket } = await connectRaw(addressOf(dying), 'raw');
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  const killedAt = performance.now();
  const gone = dying.kill();
  await closed;
  await publishOnce(addressOf(next), 'raw');
  const took = performance.now() - killedAt;
  await gone;
  await dying.start();
  return took;
}

function addressOf({ port }: Mosquitto): Address {
  return { host: '127.0.0.1', port };
}

function latest({ ours, floor }: Samples): string {
  return `ours ${number(ours.at(-1) ?? Number.NaN)} ms · floor ${number(floor.at(-1) ?? Number.NaN)} ms`;
}

function report({ ours, raw, floor }: Samples): ScenarioResult {
  const base = median(floor);
  const row = (name: string, samples: readonly number[]) => [
    name,
    ...medianCells(samples),
    number(median(samples) / base),
  ];
  return {
    series: [
      { name: 'mqtt-failover, spreadMs: 0', unit: 'ms', samples: ours },
      { name: 'raw socket, kill', unit: 'ms', samples: raw },
      { name: 'raw socket, no kill', unit: 'ms', samples: floor },
    ],
    tables: [
      {
        title: 'From kill -9 of a mosquitto to the first PUBACK of the next, ms',
        head: ['client', 'median', 'p10 – p90', '÷ floor'],
        rows: [
          row('mqtt-failover, spreadMs: 0', ours),
          row('raw socket, kill', raw),
          row('raw socket, no kill', floor),
        ],
      },
    ],
    targets: [
      { what: 'mqtt-failover, spreadMs: 0 ÷ floor', value: median(ours) / base, limit: LIMIT, unit: '×' },
    ],
    notes: [
      'The floor is TCP connect, CONNECT, CONNACK, PUBLISH and PUBACK with a broker that was alive all the time.',
    ],
    faults: [],
  };
}
