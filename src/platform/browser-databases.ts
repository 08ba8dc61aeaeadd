/** IndexedDB databases, through the optional peer `level`. */
import { browserPage } from './browser-page.js';
import type { Database, Databases } from './database.js';

/** Milliseconds for which a lock is waited for: the tab that has it may have crashed just now. */
const DYING_MS = 3_000;

/** IndexedDB has no owner: a Web Lock tells tabs apart. Insecure contexts have none, and share nothing by it. */
export const browserDatabases: Databases = {
  async open(name) {
    const Level = await loadLevel();
    const level = new Level(name);
    await level.open();
    makeStrict((level as unknown as { db: IDBDatabase }).db);
    return { database: level as unknown as Database, damage: undefined };
  },
  async claim(name) {
    const { locks } = browserPage;
    if (!locks) return () => {};
    const waiting = new AbortController();
    const timer = setTimeout(() => waiting.abort(), DYING_MS);
    try {
      const { release } = await locks.acquire(`mqtt-failover:${name}`, waiting.signal, 'wait');
      return release;
    } catch (error) {
      if (waiting.signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  },
};

type LevelModule = typeof import('level');

async function loadLevel(): Promise<LevelModule['Level']> {
  // Inside `try`, as bundlers then forgive that an optional package is not there.
  try {
    const module: LevelModule & { readonly default?: LevelModule } = await import('level');
    // It is CommonJS: some bundlers give its names, esbuild only the whole.
    return module.Level ?? module.default?.Level;
  } catch (cause) {
    throw new Error('outbox.store as a name needs the package `level`: npm install level', { cause });
  }
}

/** Browsers call a transaction complete before it is on the disk, unless they are asked (R175); `level` does not ask. */
function makeStrict(db: IDBDatabase): void {
  const transaction = db.transaction.bind(db);
  db.transaction = (stores, mode, options) =>
    transaction(stores, mode, mode === 'readwrite' ? { durability: 'strict', ...options } : options);
}
