/** A client id that a browser keeps, so that its place among the brokers is the same tomorrow (R137). */
import type { PageStore } from '../platform/page.js';
import type { Random } from '../platform/ports.js';
import type { Warning } from '../warnings.js';

const KEY = 'mqtt-failover:client-id';
/** Ours and nothing else: somebody may have written to the storage. With a suffix of five, it has the 23 bytes that every broker takes. */
const FORM = /^web-[0-9a-z]{14}$/;

/** The id of this browser. */
export interface StoredId {
  readonly id: string;
  /** Why it will be another one at the next visit; `undefined` when it is kept. */
  readonly ephemeral?: string;
}

/** Reads the id of this browser, or draws one and keeps it where that is possible. Never throws. */
export function storedId(store: PageStore, random: Random): StoredId {
  try {
    const kept = store.get(KEY);
    if (kept !== undefined && FORM.test(kept)) return { id: kept };
    const id = draw(random);
    store.set(KEY, id);
    return { id };
  } catch (error) {
    // A page in private mode or with blocked cookies works all the same.
    return { id: draw(random), ephemeral: `localStorage cannot be used (${(error as Error).name})` };
  }
}

/** What to tell the application of an id that it cannot count on. */
export function ephemeralWarnings(reason: string | undefined): readonly Warning[] {
  if (reason === undefined) return [];
  const message = `The client id is new at every visit, and so is the choice of the broker: ${reason}. Give a clientId of your own, one for each tab.`;
  return [{ code: 'IDENTITY_EPHEMERAL', message }];
}

function draw(random: Random): string {
  return `web-${randomText(random, 14)}`;
}

/** Digits and small letters, which every broker takes in a client id. */
export function randomText(random: Random, length: number): string {
  return Array.from({ length }, () => Math.floor(random.next() * 36).toString(36)).join('');
}
