/** The process of one publishing client, which measures its own CPU time. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { serve } from '../../support/child.js';

const TOPIC = 'site/7/line/2/meter/42/power';
const PAYLOAD = JSON.stringify({ at: 1_700_000_000_000, unit: 'W', value: 1234.5, note: '' }).padEnd(100);

export interface PublishRun {
  readonly library: 'mqtt-failover' | 'mqtt';
  readonly urls: readonly string[];
  readonly qos: 0 | 1;
  /** Messages that are measured, and messages before them that are not. */
  readonly messages: number;
  readonly warmUp: number;
  /** Publishes whose callback has not been called yet, at most. */
  readonly window: number;
  /** Where to write a CPU profile of the measured messages. */
  readonly profile: string | undefined;
}

export interface PublishCost {
  /** Microseconds of CPU time, user and system, of the whole process for each message. */
  readonly cpuUs: number;
  /** Microseconds on the clock for each message. */
  readonly wallUs: number;
  readonly errors: number;
}

async function open({ library, urls }: PublishRun): Promise<MqttClient> {
  const options = { clientId: 'bench-publisher', protocolVersion: 4 } as const;
  if (library === 'mqtt') return mqtt.connectAsync(urls[0]!, options);
  // Imported here, so that the other library's process does not have it in memory.
  const { connect } = await import('../../support/library.js');
  const client = connect([...urls], options);
  await new Promise((resolve) => client.once('connect', resolve));
  return client;
}

/** Resolves with the number of errors when all are settled. */
function publishAll(client: MqttClient, total: number, { qos, window }: PublishRun): Promise<number> {
  return new Promise((resolve) => {
    const options = { qos };
    let sent = 0;
    let settled = 0;
    let errors = 0;
    let pumping = false;
    function onSettled(error?: Error): void {
      settled += 1;
      if (error) errors += 1;
      if (settled === total) resolve(errors);
      else pump();
    }
    function pump(): void {
      // QoS 0 may be settled before `publish` returns.
      if (pumping) return;
      pumping = true;
      while (sent < total && sent - settled < window) {
        sent += 1;
        client.publish(TOPIC, PAYLOAD, options, onSettled);
      }
      pumping = false;
    }
    pump();
  });
}

/** Runs `measured`, and writes a CPU profile of it if a file is named. */
async function profiled<T>(file: string | undefined, measured: () => Promise<T>): Promise<T> {
  if (file === undefined) return measured();
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  const result = await measured();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  writeFileSync(file, JSON.stringify(profile));
  return result;
}

async function measure(client: MqttClient, run: PublishRun): Promise<PublishCost> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const errors = await publishAll(client, run.messages, run);
  const { user, system } = process.cpuUsage(before);
  const wallMs = performance.now() - startedAt;
  return { cpuUs: (user + system) / run.messages, wallUs: (wallMs * 1_000) / run.messages, errors };
}

const methods = {
  async publish(run: PublishRun): Promise<PublishCost> {
    const client = await open(run);
    await publishAll(client, run.warmUp, run);
    const cost = await profiled(run.profile, () => measure(client, run));
    await client.endAsync();
    return cost;
  },
};

export type PublishClientMethods = typeof methods;

serve(methods);
