/**
 * What durability costs: publishing with and without a store, a store that is filled, opened again and drained, and how
 * soon what is published then gets through.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../support/child.js';
import { number } from '../support/format.js';
import type { RunContext, Scenario, ScenarioResult } from '../support/scenario.js';
import { median, quantile } from '../support/statistics.js';
import type { OutboxMethods, OutboxRun } from './durable-outbox/client-process.js';
import type { AckBrokerMethods } from './publish-cost/ack-broker-process.js';

const NOBODY = 'mqtt://127.0.0.1:9';

interface Samples {
  readonly liveMemory: number[];
  readonly liveStore: number[];
  readonly accepted: number[];
  readonly drained: number[];
  readonly firstMs: number[];
  /** The first live publish while the store is drained, and all that follow. */
  readonly firstLiveMs: number[];
  readonly liveMs: number[];
}

/** The durable outbox, in and out. */
export const durableOutbox: Scenario = {
  name: 'durable-outbox',
  about:
    'outbox.store: accepted and drained messages per second, reopening, live publishes meanwhile, the cost while connected',
  rounds: 3,
  quickRounds: 1,
  async run(context): Promise<ScenarioResult> {
    const samples: Samples = {
      liveMemory: [],
      liveStore: [],
      accepted: [],
      drained: [],
      firstMs: [],
      firstLiveMs: [],
      liveMs: [],
    };
    await using broker = new Child<AckBrokerMethods>(
      new URL('publish-cost/ack-broker-process.ts', import.meta.url),
    );
    const [port] = await broker.call('listen', 1);
    for (let round = 0; round < context.rounds; round += 1) {
      context.progress.round(round, context.rounds, 'durable outbox');
      const directory = await mkdtemp(join(tmpdir(), 'bench-outbox-'));
      try {
        await measure(samples, `mqtt://127.0.0.1:${port}`, directory, context);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    }
    return report(samples, waitingIn(context));
  },
};

/** Messages that wait in the store. */
function waitingIn({ quick }: RunContext): number {
  return quick ? 200_000 : 1_000_000;
}

async function measure(samples: Samples, url: string, directory: string, context: RunContext): Promise<void> {
  const call = async <M extends keyof OutboxMethods>(method: M, run: OutboxRun) => {
    await using child = new Child<OutboxMethods>(
      new URL('durable-outbox/client-process.ts', import.meta.url),
    );
    return await child.call(method, run);
  };
  const live = context.quick ? 10_000 : 100_000;
  const waiting = waitingIn(context);
  const store = join(directory, 'waiting');
  const copy = join(directory, 'copy');
  samples.liveMemory.push(await call('live', { url, store: undefined, messages: live }));
  samples.liveStore.push(await call('live', { url, store: join(directory, 'live'), messages: live }));
  samples.accepted.push((await call('accept', { url: NOBODY, store, messages: waiting })).rate);
  await cp(store, copy, { recursive: true });
  const { firstMs, rate } = await call('drain', { url, store, messages: waiting });
  samples.firstMs.push(firstMs);
  samples.drained.push(rate);
  const [firstLiveMs = Number.NaN, ...liveMs] = await call('overtake', {
    url,
    store: copy,
    messages: waiting,
  });
  samples.firstLiveMs.push(firstLiveMs);
  samples.liveMs.push(...liveMs);
}

function report(samples: Samples, waiting: number): ScenarioResult {
  const { liveMemory, liveStore, accepted, drained, firstMs, firstLiveMs, liveMs } = samples;
  const live = median(liveMemory);
  const rows = [
    ['connected, in memory', number(live), '1'],
    ['connected, with a store', number(median(liveStore)), number(median(liveStore) / live)],
    ['accepted while offline', number(median(accepted)), number(median(accepted) / live)],
    ['drained', number(median(drained)), number(median(drained) / live)],
  ];
  const liveRows = [
    ['the first, for which the store is read for its topics', number(median(firstLiveMs)), ''],
    ['those after it', number(median(liveMs)), number(quantile(liveMs, 0.99))],
  ];
  return {
    series: [
      { name: 'connected, in memory', unit: 'messages/s', samples: liveMemory },
      { name: 'connected, with a store', unit: 'messages/s', samples: liveStore },
      { name: 'accepted', unit: 'messages/s', samples: accepted },
      { name: 'drained', unit: 'messages/s', samples: drained },
      { name: 'connect to first PUBACK', unit: 'ms', samples: firstMs },
      { name: 'first live publish to PUBACK', unit: 'ms', samples: firstLiveMs },
      { name: 'live publish to PUBACK', unit: 'ms', samples: liveMs },
    ],
    tables: [
      { title: 'QoS 1, 100 bytes', head: ['', 'messages/s', '÷ connected in memory'], rows },
      {
        title: `A live publish of another topic, while ${number(waiting)} messages of an earlier process are delivered`,
        head: ['', 'publish to PUBACK, p50 ms', 'p99 ms'],
        rows: liveRows,
      },
    ],
    targets: [
      { what: 'connected: in memory ÷ with a store', value: live / median(liveStore), limit: 2.5, unit: '×' },
      { what: 'time for one accepted message', value: 1e6 / median(accepted), limit: 50, unit: 'µs' },
      { what: 'connected in memory ÷ drained', value: live / median(drained), limit: 3.3, unit: '×' },
      { what: 'reopening a million, to the first PUBACK', value: median(firstMs), limit: 2_000, unit: 'ms' },
    ],
    notes: ['Accepted: committed, no broker there. The broker acknowledges at once.'],
    faults: [],
  };
}
