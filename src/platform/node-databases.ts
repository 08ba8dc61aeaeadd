/** LevelDB directories, through the optional peer `level`. */
import { mkdir, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Database, Databases } from './database.js';

/** Bytes of LevelDB's log that are looked at, from its end. */
const LOG_TAIL = 64 * 1024;

/** LevelDB locks its directory itself, against other processes too. */
export const nodeDatabases: Databases = {
  async open(name) {
    const { Level } = await loadLevel();
    const path = resolve(name);
    await mkdir(dirname(path), { recursive: true });
    const level = new Level(path);
    await level.open();
    return { database: level as unknown as Database, damage: await damageOf(path) };
  },
};

async function loadLevel(): Promise<typeof import('level')> {
  try {
    return await import('level');
  } catch (cause) {
    throw new Error('outbox.store as a path needs the package `level`: npm install level', { cause });
  }
}

/** LevelDB skips what is damaged in its write-ahead log, and says so only in the file LOG, which begins anew at each opening. */
async function damageOf(path: string): Promise<string | undefined> {
  try {
    const file = await open(join(path, 'LOG'));
    try {
      const { size } = await file.stat();
      const length = Math.min(size, LOG_TAIL);
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return /: dropping \d+ bytes; .*$/m.exec(buffer.toString('latin1'))?.[0].slice(2, 200);
    } finally {
      await file.close();
    }
  } catch {
    // A hint is missing, and nothing else.
    return undefined;
  }
}
