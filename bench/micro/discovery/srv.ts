/** What discovery costs: an answer of a thousand SRV records, and the time from `connect` to the first dial. */
import { type DecodeMessage, loadDecoder } from '../../../src/discovery/dns/decode.js';
import { encodeQuery } from '../../../src/discovery/dns/message.js';
import { srvEndpoints } from '../../../src/discovery/dns/srv-endpoints.js';
import { isUnder } from '../../../src/discovery/host-policy.js';
import { encodeReply, srv } from '../../../test/support/dns-messages.js';
import { medianCells } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median } from '../../support/statistics.js';
import { FIRST_DIALS, type FirstDial, FirstDials } from './first-dial.js';

const NAME = '_mqtt._tcp.example.test';
const RECORDS = 1_000;
/** Milliseconds. */
const READ_LIMIT = 20;
const DIAL_LIMITS: Partial<Record<FirstDial, number>> = { srv: 10, registry: 10, 'kept list': 100 };

/** Milliseconds from the bytes of an answer to endpoints, and from `connect` to the first dial in a fresh process. */
export const discovery: Scenario = {
  name: 'discovery',
  about:
    'ms from an answer of 1000 SRV records to endpoints; ms from connect() to the first dial beyond the round trip',
  rounds: 30,
  quickRounds: 3,
  async run({ rounds, progress }): Promise<ScenarioResult> {
    const decode = await loadDecoder();
    const query = encodeQuery(1, NAME, true);
    const answers = Array.from({ length: RECORDS }, (_, i) =>
      // dns-packet does not compress names: longer ones would not fit.
      srv(NAME, `b${i}.example.test`, { priority: i % 3, weight: i }),
    );
    const reply = encodeReply(query, { answers });
    const reads: number[] = [];
    const dials = FIRST_DIALS.map((what) => ({
      what,
      beyond: [] as number[],
      again: [] as number[],
      cpu: [] as number[],
    }));
    await using world = await FirstDials.open();
    for (let round = 0; round < rounds; round += 1) {
      progress.round(round, rounds);
      reads.push(read(decode, reply));
      for (const { what, beyond, again, cpu } of dials) {
        const { beyondMs, againMs, cpuMs } = await world.measure(what);
        beyond.push(beyondMs);
        again.push(againMs);
        cpu.push(cpuMs);
      }
    }
    return {
      series: [
        { name: `read ${RECORDS} records`, unit: 'ms', samples: reads },
        ...dials.flatMap(({ what, beyond, again, cpu }) => [
          { name: `first dial, ${what}`, group: 'beyond the round trip', unit: 'ms', samples: beyond },
          { name: `first dial, ${what}`, group: 'of the second client', unit: 'ms', samples: again },
          { name: `first dial, ${what}`, group: 'of the processor', unit: 'ms', samples: cpu },
        ]),
      ],
      tables: [
        {
          title: 'SRV discovery, ms',
          head: ['what', 'median', 'p10 – p90'],
          rows: [[`an answer of ${RECORDS} records to endpoints`, ...medianCells(reads)]],
        },
        {
          title: 'connect() to the first dial in a fresh process, beyond the round trip, ms',
          head: [
            'source',
            'median',
            'p10 – p90',
            'the second client',
            'p10 – p90',
            'of the processor',
            'p10 – p90',
          ],
          rows: dials.map(({ what, beyond, again, cpu }) => [
            what,
            ...medianCells(beyond),
            ...medianCells(again),
            ...medianCells(cpu),
          ]),
        },
      ],
      targets: [
        { what: `read ${RECORDS} records, median`, value: median(reads), limit: READ_LIMIT, unit: 'ms' },
        ...dials.flatMap(({ what, beyond }) => {
          const limit = DIAL_LIMITS[what];
          const text = `first dial beyond the round trip, ${what}, median`;
          return limit === undefined ? [] : [{ what: text, value: median(beyond), limit, unit: 'ms' }];
        }),
      ],
      notes: [
        'The round trip is that of the same question, asked again by the same process over a bare socket; on loopback it hides none of the work.',
        'Kept list: its registry accepts the request and never answers, as in a black hole.',
        'By hand: the same question and the same dial with dgram and dns-packet, or with fetch, in a process that has loaded all of it. Most of the time of a registry is what Node takes to compile fetch for its first call.',
      ],
      faults: [],
    };
  },
};

/** Milliseconds to check, decode and turn into endpoints. */
function read(decode: DecodeMessage, reply: Uint8Array): number {
  const startedAt = performance.now();
  const { records, negativeTtlMs } = decode(reply);
  const { endpoints } = srvEndpoints(
    { name: NAME, scheme: 'mqtt', path: '/' },
    { server: 'bench', exists: true, records, negativeTtlMs },
    (host) => isUnder('example.test', host),
  );
  const took = performance.now() - startedAt;
  if (endpoints.length !== RECORDS) throw new Error(`${endpoints.length} endpoints`);
  return took;
}
