/** Whether `outbox.maxBytes` bounds what the process takes of the machine, however long the outage is. */
import type { OverflowPolicy } from '../../../src/index.js';
import { Child } from '../../support/child.js';
import { number } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median } from '../../support/statistics.js';
import type { OutageMethods } from './outage/outage-process.js';

const MAX_BYTES = 64 * 1024 * 1024;
const PAYLOAD = 16 * 1024;
const TIMES = 12;
const POLICIES: readonly OverflowPolicy[] = ['reject-new', 'drop-oldest'];
/** Growth of the resident memory ÷ `maxBytes`, under the default policy. */
const LIMIT = 1.05;

/** Resident memory at the end of an outage, against the bound. */
export const outage: Scenario = {
  name: 'outage',
  about: 'growth of the resident memory ÷ outbox.maxBytes while 12 times as much is published as fits',
  rounds: 3,
  quickRounds: 1,
  async run({ rounds, progress }): Promise<ScenarioResult> {
    const runs = POLICIES.map((policy) => ({ policy, growth: [] as number[][] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { policy, growth } of runs) {
        progress.round(round, rounds, policy);
        await using child = new Child<OutageMethods>(new URL('outage/outage-process.ts', import.meta.url), [
          '--expose-gc',
        ]);
        growth.push(
          await child.call('outage', { policy, maxBytes: MAX_BYTES, bytes: PAYLOAD, times: TIMES }),
        );
      }
    }
    const most = runs.map(({ growth }) => median(growth.map((each) => Math.max(...each))));
    return {
      series: runs.map(({ policy, growth }) => ({
        name: policy,
        unit: '× maxBytes',
        samples: growth.flat(),
      })),
      tables: [
        {
          title: 'Growth of the resident memory, × outbox.maxBytes (64 MiB, payloads of 16 KiB)',
          head: ['policy', 'first fill', 'third', 'twelfth', 'most'],
          rows: runs.map(({ policy, growth }, i) => [
            policy,
            ...[0, 2, TIMES - 1].map((time) => number(median(growth.map((each) => each[time] as number)))),
            number(most[i] as number),
          ]),
        },
      ],
      targets: [{ what: 'reject-new, most', value: most[0] as number, limit: LIMIT, unit: '× maxBytes' }],
      notes: [
        'Nobody collects garbage for the process. Under drop-oldest payloads are given back at once, and errors and messages on the heap wait for V8. Small messages take 0.4 kB each beside their bytes (`outbox`); maxMessages bounds those.',
      ],
      faults: [],
    };
  },
};
