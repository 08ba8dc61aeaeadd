/** What SRV discovery costs: an answer of a thousand records, and the time from `connect` to the first dial. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type DecodeMessage, loadDecoder } from '../../../src/discovery/dns/decode.js';
import { encodeQuery } from '../../../src/discovery/dns/message.js';
import { srvEndpoints } from '../../../src/discovery/dns/srv-endpoints.js';
import { isUnder } from '../../../src/discovery/host-policy.js';
import { encodeReply, srv } from '../../../test/support/dns-messages.js';
import { DnsServer } from '../../../test/support/dns-server.js';
import { Child } from '../../support/child.js';
import { medianCells } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median } from '../../support/statistics.js';
import type { DialMethods } from './srv/dial-process.js';

const NAME = '_mqtt._tcp.example.test';
const RECORDS = 1_000;
/** Milliseconds. */
const READ_LIMIT = 20;
const DIAL_LIMIT = 10;

/** Milliseconds from the bytes of an answer to endpoints, and from `connect` to the broker's accept in a fresh process. */
export const discovery: Scenario = {
  name: 'discovery',
  about:
    'ms from an answer of 1000 SRV records to endpoints; ms from connect() to the first dial beyond the DNS round trip',
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
    const dials: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress.round(round, rounds);
      reads.push(read(decode, reply));
      dials.push(await firstDial());
    }
    return {
      series: [
        { name: `read ${RECORDS} records`, unit: 'ms', samples: reads },
        { name: 'connect to dial, beyond the round trip', unit: 'ms', samples: dials },
      ],
      tables: [
        {
          title: 'SRV discovery, ms',
          head: ['what', 'median', 'p10 – p90'],
          rows: [
            [`an answer of ${RECORDS} records to endpoints`, ...medianCells(reads)],
            ['connect() to the first dial, beyond the DNS round trip, fresh process', ...medianCells(dials)],
          ],
        },
      ],
      targets: [
        { what: `read ${RECORDS} records, median`, value: median(reads), limit: READ_LIMIT, unit: 'ms' },
        {
          what: 'connect() to dial beyond the round trip, median',
          value: median(dials),
          limit: DIAL_LIMIT,
          unit: 'ms',
        },
      ],
      notes: [
        'The round trip is that of a second question, asked by the same process over a bare UDP socket.',
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

/** Milliseconds from `connect` in a fresh process until its connection is accepted, less one DNS round trip. */
async function firstDial(): Promise<number> {
  const broker = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(broker, 'listening');
  const { port } = broker.address() as AddressInfo;
  await using dns = await DnsServer.open(() => ({ answers: [srv(NAME, 'localhost', { port })] }));
  await using child = new Child<DialMethods>(new URL('srv/dial-process.ts', import.meta.url));
  try {
    await child.call('ready', undefined);
    const accepted = once(broker, 'connection');
    const { startedAt, roundTripMs } = await child.call('connect', { server: dns.address });
    await accepted;
    const dialedAt = await child.call('dialedAt', undefined);
    return dialedAt - startedAt - roundTripMs;
  } finally {
    await child.kill();
    broker.close();
  }
}
