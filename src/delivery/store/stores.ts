/** Who uses which database: many clients of one process may share one, each with a section of its own. */
import type { Database, DatabaseSection, Databases, NamedDatabase } from '../../platform/database.js';
import { StoreRefusal } from './failure.js';

/** A section of a database, for one owner. */
export interface Lease {
  readonly section: DatabaseSection;
  /** What the database said it had lost, if it did. */
  readonly damage: string | undefined;
  /** Gives the section back; the last one closes a database that was opened by name. */
  release(): Promise<void>;
}

interface Shared {
  readonly opened: Promise<NamedDatabase>;
  users: number;
  /** The closing, once the last user has left. */
  closed: Promise<void> | undefined;
}

/** Opens and shares the databases of one process. */
export class Stores {
  readonly #databases: Databases | undefined;
  readonly #shared = new Map<string, Shared>();
  readonly #owned = new WeakMap<Database, Set<string>>();

  constructor(databases: Databases | undefined) {
    this.#databases = databases;
  }

  /**
   * Opens the section of `clientId` in `store`, which is a path, a name, or a database.
   *
   * @throws StoreRefusal when another client owns it or names are not possible here; or the database's error.
   */
  async lease(store: string | Database, clientId: string): Promise<Lease> {
    const { database, damage, done } =
      typeof store === 'string' ? await this.#byName(store, clientId) : await given(store);
    const owned = this.#owned.get(database) ?? new Set();
    this.#owned.set(database, owned);
    if (owned.has(clientId)) {
      await done();
      throw new StoreRefusal('locked', `client id ${JSON.stringify(clientId)} is in use`);
    }
    owned.add(clientId);
    const release = async () => {
      owned.delete(clientId);
      await done();
    };
    try {
      const section = database.sublevel(['mqtt-failover', sectionName(clientId)], {
        keyEncoding: 'utf8',
        valueEncoding: 'view',
      });
      await section.open();
      return {
        section,
        damage,
        release: async () => {
          await section.close().catch(() => {});
          await release();
        },
      };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #byName(name: string, clientId: string) {
    const databases = this.#databases;
    if (!databases) throw new StoreRefusal('unavailable', 'this runtime opens no database by name');
    const unclaim = databases.claim ? await databases.claim(`${name}:${clientId}`) : () => {};
    if (!unclaim)
      throw new StoreRefusal('locked', `client id ${JSON.stringify(clientId)} is in use elsewhere`);
    const shared = await this.#share(name, databases);
    const done = async () => {
      unclaim();
      await this.#leave(name, shared);
    };
    try {
      return { ...(await shared.opened), done };
    } catch (error) {
      await done();
      throw error;
    }
  }

  async #share(name: string, databases: Databases): Promise<Shared> {
    for (let known = this.#shared.get(name); known; known = this.#shared.get(name)) {
      if (!known.closed) {
        known.users += 1;
        return known;
      }
      await known.closed;
    }
    const shared: Shared = { opened: databases.open(name), users: 1, closed: undefined };
    this.#shared.set(name, shared);
    return shared;
  }

  async #leave(name: string, shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    shared.closed ??= shared.opened
      .then(({ database }) => database.close())
      // Nothing depends on it any more: what was promised is committed.
      .catch(() => {})
      .then(() => void this.#shared.delete(name));
    await shared.closed;
  }
}

async function given(database: Database) {
  await database.open();
  return { database, damage: undefined, done: async () => {} };
}

/** Sublevels take printable ASCII without their separator; client ids take anything. */
function sectionName(clientId: string): string {
  return [...new TextEncoder().encode(clientId)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w.-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
