/** The contract of the outbox, over LevelDB: a path, and a database that the application has opened. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Level } from 'level';
import { nodePlatform as platform } from '../../src/platform/node.js';
import { nodeDatabases } from '../../src/platform/node-databases.js';
import { outboxContract } from '../contract/outbox.js';

let directory: string;
let count = 0;
const opened: Level[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-contract-'));
});
after(async () => {
  for (const level of opened) await level.close();
  await rm(directory, { recursive: true, force: true });
});

function path(): string {
  count += 1;
  return join(directory, String(count));
}

outboxContract('a LevelDB directory', { make: async () => path(), databases: nodeDatabases, platform });
outboxContract('a database of the application', {
  platform,
  make: async () => {
    const level = new Level(path());
    opened.push(level);
    return level;
  },
});
