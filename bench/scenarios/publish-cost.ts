/**
 * What a message costs while the client is connected: CPU time of the publishing process, ours and MQTT.js's.
 *
 * Each run is a new process, as compiled code and heap of an earlier one would favour somebody. The broker is another
 * process and so fast that the client is what limits the run.
 */
import { join } from 'node:path';
import { Child } from '../support/child.js';
import { medianCells, number, spread } from '../support/format.js';
import { selfTimes } from '../support/profile.js';
import type { RunContext, Scenario, ScenarioResult, Series, Table } from '../support/scenario.js';
import { median, pairedRatios, summarize } from '../support/statistics.js';
import type { AckBrokerMethods } from './publish-cost/ack-broker-process.js';
import type { PublishClientMethods, PublishCost, PublishRun } from './publish-cost/client-process.js';

const LIBRARIES = ['mqtt-failover', 'mqtt'] as const;
const QOS = [0, 1] as const;
const WINDOW = 500;
const BROKERS = 3;
const LIMIT = 1.15;
const HOT = 15;

/** One library at one QoS. */
interface Cell {
  readonly library: PublishRun['library'];
  readonly qos: PublishRun['qos'];
  readonly costs: PublishCost[];
  readonly profiles: string[];
}

/** Publishing through a connected client, against plain MQTT.js. */
export const publishCost: Scenario = {
  name: 'publish-cost',
  about: 'CPU time per message while connected, QoS 0 and 1, against plain MQTT.js',
  rounds: 9,
  quickRounds: 1,
  async run(context): Promise<ScenarioResult> {
    const cells = LIBRARIES.flatMap((library) =>
      QOS.map((qos): Cell => ({ library, qos, costs: [], profiles: [] })),
    );
    const faults: string[] = [];
    await using broker = new Child<AckBrokerMethods>(
      new URL('publish-cost/ack-broker-process.ts', import.meta.url),
    );
    const ports = await broker.call('listen', BROKERS);
    const urls = ports.map((port) => `mqtt://127.0.0.1:${port}`);
    for (let round = 0; round < context.rounds; round += 1) {
      // Forwards and backwards in turn, so that nobody always comes first.
      for (const cell of round % 2 === 0 ? cells : [...cells].reverse()) {
        context.progress.round(round, context.rounds, `${cell.library}, QoS ${cell.qos}`);
        faults.push(...(await measure(cell, urls, broker, context)));
      }
    }
    return report(cells, faults);
  },
};

async function measure(
  { library, qos, costs, profiles }: Cell,
  urls: readonly string[],
  broker: Child<AckBrokerMethods>,
  { quick, profileDirectory }: RunContext,
): Promise<string[]> {
  const messages = quick ? 20_000 : 200_000;
  const profile =
    profileDirectory &&
    join(profileDirectory, `publish-cost-${library}-qos${qos}-${costs.length}.cpuprofile`);
  if (profile) profiles.push(profile);
  const run: PublishRun = { library, urls, qos, messages, warmUp: messages / 4, window: WINDOW, profile };
  await using client = new Child<PublishClientMethods>(
    new URL('publish-cost/client-process.ts', import.meta.url),
  );
  const cost = await client.call('publish', run);
  costs.push(cost);
  const expected = run.messages + run.warmUp;
  const arrived = await broker.call('count', undefined);
  const who = `${library}, QoS ${qos}`;
  return [
    ...(cost.errors > 0 ? [`${who}: ${cost.errors} publishes failed`] : []),
    ...(arrived !== expected ? [`${who}: ${arrived} of ${expected} messages arrived`] : []),
  ];
}

function report(cells: readonly Cell[], faults: readonly string[]): ScenarioResult {
  const cpu = (library: string, qos: number) =>
    cells.find((cell) => cell.library === library && cell.qos === qos)!.costs.map(({ cpuUs }) => cpuUs);
  const ratios = QOS.map((qos) => pairedRatios(cpu('mqtt-failover', qos), cpu('mqtt', qos)));
  const rows = QOS.flatMap((qos, i) =>
    LIBRARIES.map((library) => {
      const { costs } = cells.find((cell) => cell.library === library && cell.qos === qos)!;
      const wallUs = median(costs.map((cost) => cost.wallUs));
      const isOurs = library === 'mqtt-failover';
      return [
        `QoS ${qos}, ${isOurs ? library : 'MQTT.js'}`,
        ...medianCells(cpu(library, qos)),
        isOurs ? number(median(ratios[i]!)) : '1',
        isOurs ? spread(summarize(ratios[i]!)) : '',
        number(1e6 / wallUs),
      ];
    }),
  );
  return {
    series: cells.flatMap(({ library, qos, costs }): Series[] => [
      { name: `${library}, QoS ${qos}: cpu`, unit: 'µs/message', samples: costs.map(({ cpuUs }) => cpuUs) },
      {
        name: `${library}, QoS ${qos}: wall`,
        unit: 'µs/message',
        samples: costs.map(({ wallUs }) => wallUs),
      },
    ]),
    tables: [
      {
        title: 'CPU time of the client process for each message, µs',
        head: ['', 'median', 'p10 – p90', '÷ MQTT.js', 'p10 – p90', 'messages/s'],
        rows,
      },
      ...cells.filter(({ profiles }) => profiles.length > 0).map(hotSpots),
    ],
    targets: QOS.map((qos, i) => ({
      what: `QoS ${qos}: mqtt-failover ÷ MQTT.js`,
      value: median(ratios[i]!),
      limit: LIMIT,
      unit: '×',
    })),
    notes: [
      `100-byte text payload, ${WINDOW} publishes in the air, callbacks. ÷ MQTT.js is the median of the ratios of each round.`,
    ],
    faults,
  };
}

/** Self time by function over all profiles of a cell. */
function hotSpots({ library, qos, profiles }: Cell): Table {
  const total = new Map<string, number>();
  for (const profile of profiles) {
    for (const { where, us } of selfTimes(profile)) total.set(where, (total.get(where) ?? 0) + us);
  }
  const all = [...total.values()].reduce((sum, us) => sum + us, 0);
  const hot = [...total].sort(([, a], [, b]) => b - a).slice(0, HOT);
  return {
    title: `Self time, ${library}, QoS ${qos}`,
    head: ['function', 'ms per run', '%'],
    rows: hot.map(([where, us]) => [
      where,
      number(us / 1_000 / profiles.length),
      ((100 * us) / all).toFixed(1),
    ]),
  };
}
