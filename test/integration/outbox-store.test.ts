/**
 * The durable outbox as an application has it: real LevelDB directories, real sockets.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { aedesBroker } from '../support/aedes-cluster.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client } from './world.js';

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const NOBODY = 'mqtt://127.0.0.1:9';

describe('a store', () => {
  test('delivers what an earlier client could not, in order, and before anything new', async () => {
    const outbox = { store: join(directory, 'order') };
    {
      await using first = client([NOBODY], { clientId: 'pump', protocolVersion: 4, outbox });
      first.on('error', () => {});
      const stored = [1, 2, 3].map(
        (n) =>
          new Promise<void>((resolve) =>
            first.publish('t', String(n), { qos: 1, cbStorePut: resolve }, () => {}),
          ),
      );
      await Promise.all(stored);
    }
    await using broker = await aedesBroker();
    await using second = client([broker.url], { clientId: 'pump', protocolVersion: 4, outbox });
    await second.publishAsync('t', '4', { qos: 1 });
    assert.deepEqual(
      broker.publishes.map(({ payload }) => payload),
      ['1', '2', '3', '4'],
    );
    assert.equal(second.status().outbox.messages, 0);
  });

  test('delivers 70 000 messages that were published offline, where MQTT.js has 65 535 ids (J13)', async () => {
    const count = 70_000;
    const bounds = { maxMessages: count, maxBytes: 1e9 };
    for (const outbox of [bounds, { ...bounds, store: join(directory, 'many') }]) {
      const broker = await scriptedBroker();
      const { port } = broker;
      await broker[Symbol.asyncDispose]();
      await using one = client([`mqtt://127.0.0.1:${port}`], {
        clientId: 'pump',
        protocolVersion: 4,
        outbox,
      });
      let delivered = 0;
      for (let i = 0; i < count; i += 1)
        one.publish('t', String(i), { qos: 1 }, (error) => {
          if (!error) delivered += 1;
        });
      await using back = await scriptedBroker(undefined, { port });
      await one.flush({ timeoutMs: 100_000 });
      assert.equal(delivered, count);
      const payloads = back.packets('publish').map(({ payload }) => String(payload));
      assert.equal(
        payloads.findIndex((payload, i) => payload !== String(i)),
        -1,
      );
      assert.equal(payloads.length, count);
      await one.endAsync();
    }
  });

  test('names each message once for all its copies, if it is asked to', async () => {
    const outbox = { store: join(directory, 'mid'), dedupId: true };
    const options = { clientId: 'pump', protocolVersion: 5, outbox } as const;
    const mids = async (answer: boolean) => {
      const seen: unknown[] = [];
      await using broker = await scriptedBroker((packet) => {
        if (packet.cmd !== 'publish') return undefined;
        seen.push(packet.properties?.userProperties?.mid);
        return !answer;
      });
      await using one = client([broker.url], options);
      if (!answer) await new Promise<void>((r) => one.publish('t', 'x', { qos: 1, cbStorePut: r }, () => {}));
      while (seen.length === 0) await turn();
      if (answer) await one.flush();
      await one.endAsync(true);
      return seen[0];
    };
    const first = await mids(false);
    assert.match(String(first), /^[0-9a-z]+-1$/);
    assert.equal(await mids(true), first);
  });
});
