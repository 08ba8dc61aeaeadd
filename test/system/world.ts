/** What the system tests share: subscribers that see what really arrived, and where a client is. */
import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import type { FailoverClient } from '../../src/index.js';
import type { Mosquitto } from '../support/mosquitto.js';

export interface Watch extends AsyncDisposable {
  /** Payloads under `readings/`, by broker, in the order of arrival. */
  readonly seen: readonly string[][];
  /** Messages under `wills/`, at any broker. */
  readonly wills: string[];
  /** Those of `payloads` that have arrived at no broker. */
  missing(payloads: readonly string[]): string[];
}

/** Subscribes at every broker with plain MQTT.js. */
export async function watch(brokers: readonly Mosquitto[]): Promise<Watch> {
  const seen: string[][] = brokers.map(() => []);
  const wills: string[] = [];
  const watchers = await Promise.all(
    brokers.map(async ({ url }, index) => {
      const watcher = await mqtt.connectAsync(url, { reconnectPeriod: 50 });
      watcher.on('message', (topic, payload) => {
        (topic.startsWith('wills/') ? wills : seen[index])?.push(payload.toString());
      });
      await watcher.subscribeAsync(['readings/#', 'wills/#'], { qos: 1 });
      return watcher;
    }),
  );
  return {
    seen,
    wills,
    missing: (payloads) => {
      const arrived = new Set(seen.flat());
      return payloads.filter((payload) => !arrived.has(payload));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(watchers.map((watcher) => watcher.endAsync(true)));
    },
  };
}

/** Position of the broker that `client` is on. */
export function indexOf(client: FailoverClient, brokers: readonly Mosquitto[]): number {
  const { current } = client.status();
  const index = brokers.findIndex(({ port, wsPort }) =>
    [port, wsPort].some((p) => current === `127.0.0.1:${p}`),
  );
  assert.ok(index >= 0, `connected to ${current}`);
  return index;
}

/** The broker that `client` is on. */
export function brokerOf(client: FailoverClient, brokers: readonly Mosquitto[]): Mosquitto {
  return brokers[indexOf(client, brokers)] as Mosquitto;
}
