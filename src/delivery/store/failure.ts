/** What can be wrong with a store, in our words. */
import { FailoverError } from '../../errors.js';

/** Why the outbox goes on in memory; see event `storage-degraded`. */
export type StorageFailure = 'full' | 'read-only' | 'corrupt' | 'locked' | 'version' | 'unavailable';

/** A failure of the store, classified. */
export interface StoreTrouble {
  readonly reason: StorageFailure;
  readonly error: FailoverError;
}

const ADVICE: Readonly<Record<StorageFailure, string>> = {
  full: 'no space is left: free some, or lower outbox.maxBytes',
  'read-only': 'it cannot be written to: check its owner and permissions',
  corrupt: 'it is damaged; what can be read is kept',
  locked:
    'another owner has it: one client may use a store and client id at a time, and one process a LevelDB directory',
  version: 'a newer version of this package wrote it: use that version, or another outbox.store',
  unavailable: 'it cannot be opened',
};

/** Thrown by our own code, which knows the reason. */
export class StoreRefusal extends Error {
  readonly reason: StorageFailure;

  constructor(reason: StorageFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Classifies whatever a database threw. */
export function storeTrouble(cause: unknown): StoreTrouble {
  const reason = reasonOf(cause);
  const said = deepest(cause);
  const text = `The outbox goes on in memory, as its store fails: ${ADVICE[reason]}${said ? ` (${said})` : ''}`;
  return { reason, error: new FailoverError('ERR_STORE', text, { cause, retryable: reason === 'locked' }) };
}

/** The database's own error is wrapped in that of its opening. */
function chain(error: unknown): { code?: unknown; name?: unknown; message?: unknown; reason?: unknown }[] {
  const links = [];
  for (let at = error; at instanceof Object && links.length < 5; at = (at as Error).cause) links.push(at);
  return links;
}

function deepest(error: unknown): string {
  return String(chain(error).at(-1)?.message ?? '');
}

function reasonOf(error: unknown): StorageFailure {
  if (error instanceof StoreRefusal) return error.reason;
  const links = chain(error);
  const has = (test: RegExp) =>
    links.some(({ code, name, message }) => test.test(`${String(code)} ${String(name)} ${String(message)}`));
  if (has(/QuotaExceeded|ENOSPC|EDQUOT|EFBIG|no space left|quota exceeded|file too large/i)) return 'full';
  if (has(/LEVEL_LOCKED/)) return 'locked';
  if (has(/EACCES|EPERM|EROFS|permission denied|read-only file system|operation not permitted/i))
    return 'read-only';
  if (has(/LEVEL_CORRUPTION|ERR_STORE|corrupt/i)) return 'corrupt';
  return 'unavailable';
}
