/** How soon a running client acts on a change of the list: pushed by a registry, and by SRV records of a short TTL. */
import { connect, type FailoverOptions } from '../../../src/index.js';
import { srv } from '../../../test/support/dns-messages.js';
import { DnsServer } from '../../../test/support/dns-server.js';
import { once, until } from '../../../test/support/events.js';
import { RegistryServer } from '../../../test/support/registry-server.js';
import { medianCells, number } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';

/** Milliseconds. */
const PUSH_LIMIT = 300;
const TTL = 1_000;
const SRV_LIMIT = TTL + 1_000;
/** Nothing listens there: what is measured is the list, and no broker. */
const NOBODY = 9;

/** Milliseconds from a change at the source to the `topology` event, after which the client dials the new list. */
export const changes: Scenario = {
  name: 'changes',
  about:
    'ms from a change of a pushing registry, and of SRV records with a TTL of 1 s, to the new list in use',
  rounds: 20,
  quickRounds: 3,
  async run({ rounds, progress }): Promise<ScenarioResult> {
    const pushed: number[] = [];
    const rescanned: number[] = [];
    await using registry = await RegistryServer.open(documentOf(0));
    await using dns = await DnsServer.open(answerOf(0));
    const follower = client(registry.url, { registry: { push: true } });
    const asker = client('mqtt+srv://example.test', {
      dns: { servers: [dns.address] },
      refreshMs: TTL,
      allowedHosts: ['localhost'],
    });
    try {
      await until(() => registry.streams > 0 && asker.status().endpoints.length > 0);
      for (let round = 0; round < rounds; round += 1) {
        progress.round(round, rounds);
        // The time since the last question is another one in every round.
        await new Promise((resolve) => setTimeout(resolve, (TTL * round) / rounds));
        pushed.push(await msUntilTopology(follower, () => registry.publish(documentOf(round + 1))));
        rescanned.push(
          await msUntilTopology(asker, () => {
            dns.answer = answerOf(round + 1);
          }),
        );
      }
    } finally {
      await Promise.all([follower.endAsync(true), asker.endAsync(true)]);
    }
    const rows = [
      { what: 'pushed by a registry', samples: pushed, limit: PUSH_LIMIT },
      { what: 'SRV records with a TTL of 1 s', samples: rescanned, limit: SRV_LIMIT },
    ];
    return {
      series: rows.map(({ what, samples }) => ({ name: what, unit: 'ms', samples })),
      tables: [
        {
          title: 'A change of the list until it is in use, ms',
          head: ['source', 'median', 'p10 – p90', 'most'],
          rows: rows.map(({ what, samples }) => [
            what,
            ...medianCells(samples),
            number(Math.max(...samples)),
          ]),
        },
      ],
      targets: rows.map(({ what, samples, limit }) => ({
        what: `${what}, most`,
        value: Math.max(...samples),
        limit,
        unit: 'ms',
      })),
      notes: ['A push is read 250 ms after it came, so that many changes at once are one.'],
      faults: [],
    };
  },
};

function client(brokers: string, discovery: FailoverOptions['discovery']) {
  const made = connect(brokers, { clientId: 'bench', ...(discovery && { discovery }) });
  made.on('error', () => {});
  return made;
}

async function msUntilTopology(of: ReturnType<typeof client>, change: () => void): Promise<number> {
  const topology = once(of, 'topology', 10_000);
  const startedAt = performance.now();
  change();
  await topology;
  return performance.now() - startedAt;
}

/** The same node with another weight in every round. */
function documentOf(round: number): object {
  const nodes = [{ id: 'a', urls: [`mqtt://127.0.0.1:${NOBODY}`], weight: 100 + round }];
  return { schema: 'mqtt-nodes/1', revision: String(round), nodes };
}

function answerOf(round: number) {
  return ({ name }: { readonly name: string }) => ({
    answers: [srv(name, 'localhost', { port: NOBODY, weight: 100 + round, ttl: TTL / 1_000 })],
  });
}
