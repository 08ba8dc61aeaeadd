/** LevelDB directories, through the optional peer `level`. */
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Database, Databases } from './database.js';
import { droppedBytes, endsInARecord } from './leveldb-log.js';

/** LevelDB locks its directory itself, against other processes too. */
export const nodeDatabases: Databases = {
  async open(name) {
    const { Level } = await loadLevel();
    const path = resolve(name);
    await mkdir(dirname(path), { recursive: true });
    const wasCut = await endsInARecord(path);
    const level = new Level(path);
    await level.open();
    const dropped = await droppedBytes(path);
    const damage = wasCut ? 'its last write is incomplete and was left out' : dropped;
    return { database: level as unknown as Database, damage };
  },
};

async function loadLevel(): Promise<typeof import('level')> {
  try {
    return await import('level');
  } catch (cause) {
    throw new Error('outbox.store as a path needs the package `level`: npm install level', { cause });
  }
}
