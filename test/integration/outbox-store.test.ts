/**
 * The durable outbox as an application has it: real LevelDB directories, real sockets.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { aedesBroker } from '../support/aedes-cluster.js';
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
});
