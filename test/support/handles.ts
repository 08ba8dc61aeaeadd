/**
 * Proof that nothing is left running.
 *
 * A library that forgets a socket or a timer keeps its host process alive. A test takes a snapshot, lets the
 * library live and die, and asks for what has been added: sockets, servers, child processes and workers by
 * object, timers and requests under way by number. Only what holds the process open counts.
 */

/** What node calls active; undocumented, and the only way to tell one socket from another. */
type HandleLister = { _getActiveHandles(): object[] };

export interface HandleSnapshot {
  readonly handles: ReadonlySet<object>;
  readonly resources: ReadonlyMap<string, number>;
}

/** Not leaks: an immediate is gone by the next turn, and the check itself uses them. */
const TRANSIENT = new Set(['Immediate', 'TickObject', 'Microtask']);

export function openHandles(): HandleSnapshot {
  const resources = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) {
    if (!TRANSIENT.has(type)) resources.set(type, (resources.get(type) ?? 0) + 1);
  }
  return { handles: new Set((process as unknown as HandleLister)._getActiveHandles()), resources };
}

/** Waits until nothing is open that was not open `before`; after `withinMs` throws, naming what is left. */
export async function expectNoNewHandles(before: HandleSnapshot, withinMs = 1000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  for (let turn = 0; ; turn++) {
    // Closing takes a few turns; the check comes after a turn so that its own timer is not seen.
    await new Promise<void>((resolve) => {
      if (turn < 50) setImmediate(resolve);
      else setTimeout(resolve, 5);
    });
    const left = difference(before, openHandles());
    if (left.length === 0) return;
    if (performance.now() > giveUpAt) throw new Error(`left open after ${withinMs} ms: ${left.join(', ')}`);
  }
}

function difference(before: HandleSnapshot, now: HandleSnapshot): string[] {
  const added = [...now.handles].filter((handle) => !before.handles.has(handle)).map(describe);
  // A replaced socket leaves the number as it was, so objects and numbers are both compared.
  const grown = [...now.resources]
    .map(([type, count]) => ({ type, more: count - (before.resources.get(type) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ type, more }) => `${more} more ${type}`);
  return [...added, ...grown];
}

interface Describable {
  readonly localPort?: number;
  readonly remotePort?: number;
  readonly listening?: boolean;
  readonly pid?: number;
  address?(): unknown;
}

function describe(handle: object): string {
  const name = handle.constructor?.name ?? 'handle';
  const { localPort, remotePort, listening, pid, address } = handle as Describable;
  if (listening && address) return `${name} listening at ${JSON.stringify(address.call(handle))}`;
  if (localPort !== undefined) return `${name} ${localPort}→${remotePort ?? '?'}`;
  if (pid !== undefined) return `${name} pid ${pid}`;
  return name;
}
