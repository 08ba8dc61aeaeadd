/** A process that publishes through a long outage, and what it takes of the machine's memory. */
import type { FailoverClient, OverflowPolicy } from '../../../../src/index.js';
import { serve } from '../../../support/child.js';
import { connect } from '../../../support/library.js';

const NOBODY = ['mqtt://127.0.0.1:9', 'mqtt://127.0.0.2:9'];
/** Publishes between two turns of the event loop. */
const BURST = 64;

export interface Outage {
  readonly policy: OverflowPolicy;
  readonly maxBytes: number;
  /** Size of each payload. */
  readonly bytes: number;
  /** How often what fits into the outbox is published. */
  readonly times: number;
}

const methods = {
  /** Growth of the resident memory as a share of `maxBytes`, each time that as much was published as fits. */
  async outage({ policy, maxBytes, bytes, times }: Outage): Promise<number[]> {
    // What publishing into a full outbox takes, whatever waits in it.
    await publish(open(policy, 1), Buffer.alloc(1), 50_000);
    const client = open(policy, maxBytes);
    const payload = Buffer.alloc(bytes, 1);
    (globalThis as { gc?: () => void }).gc?.();
    const before = process.memoryUsage.rss();
    const growth: number[] = [];
    for (let time = 0; time < times; time += 1) {
      await publish(client, payload, maxBytes / bytes);
      growth.push((process.memoryUsage.rss() - before) / maxBytes);
    }
    await client.endAsync(true);
    return growth;
  },
};

export type OutageMethods = typeof methods;

function open(overflow: OverflowPolicy, maxBytes: number): FailoverClient {
  const outbox = { maxBytes, maxMessages: Number.MAX_SAFE_INTEGER, overflow };
  return connect(NOBODY, { clientId: 'outage', outbox }).on('error', () => {});
}

async function publish(client: FailoverClient, payload: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    client.publish('readings', payload, { qos: 1 });
    if (i % BURST === 0) await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

serve(methods);
