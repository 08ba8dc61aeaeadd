/** The page, or worker, that we run in. Nothing is touched before it is used: an import may happen on a server. */
import { WorkerTimers } from './browser-timers.js';
import type { Channel, HeldLock, Locks, Page, PageSignal, PageStore, PageTimers, Signals } from './page.js';

/** `document` where there is one: workers have none. */
const documentHere = (): Document | undefined => globalThis.document;

const signals: Signals = {
  get isOnline() {
    return globalThis.navigator?.onLine !== false;
  },
  listen(listener) {
    const stop = new AbortController();
    const on = (
      target: EventTarget | undefined,
      event: string,
      signal: PageSignal,
      when = (_: Event) => true,
    ) => target?.addEventListener?.(event, (e) => when(e) && listener(signal), { signal: stop.signal });
    on(globalThis, 'online', 'online');
    on(globalThis, 'offline', 'offline');
    on(globalThis, 'pageshow', 'resumed', (event) => (event as PageTransitionEvent).persisted);
    on(documentHere(), 'resume', 'resumed');
    on(documentHere(), 'visibilitychange', 'visible', () => documentHere()?.visibilityState === 'visible');
    return () => stop.abort();
  },
};

/** Looking at a storage may throw already: cookies are blocked, or the page is in a sandbox. */
function store(storage: () => Storage): PageStore {
  return {
    get: (key) => storage().getItem(key) ?? undefined,
    set: (key, text) => storage().setItem(key, text),
  };
}

function locksOf(manager: LockManager): Locks {
  const request = (name: string, options: LockOptions) =>
    new Promise<HeldLock | undefined>((resolve, reject) => {
      const held = manager.request(name, options, async (lock) => {
        if (!lock) return resolve(undefined);
        let release = () => {};
        const released = new Promise<void>((done) => {
          release = done;
        });
        const isOurs = await holderOf(manager, name);
        resolve({
          stolen: new Promise((stolen) => held.then(undefined, () => stolen())),
          isHeld: async () => (await holderOf(manager, name)) === isOurs,
          release,
        });
        return released;
      });
      // After the lock was granted, this is the theft, which `stolen` tells of.
      held.catch(reject);
    });
  return {
    take: (name) => request(name, { ifAvailable: true }),
    acquire: (name, signal, how) =>
      // The platform takes no signal together with `steal`, which does not wait.
      request(name, how === 'steal' ? { steal: true } : { signal }) as Promise<HeldLock>,
  };
}

/** The browser's own id of the page that holds `name`. */
async function holderOf(manager: LockManager, name: string): Promise<string | undefined> {
  const { held = [] } = await manager.query();
  return held.find((lock) => lock.name === name)?.clientId;
}

function openChannel(name: string, receive: (message: unknown) => void): Channel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => receive(data);
  return { post: (message) => channel.postMessage(message), close: () => channel.close() };
}

/** One worker for all clients of the page, made when the first of them needs it. */
const pageTimers = (() => {
  let made: PageTimers | undefined;
  return () => {
    made ??= new WorkerTimers();
    return made;
  };
})();

/** The page of this runtime. */
export const browserPage: Page = {
  signals,
  get isSecure() {
    return globalThis.location?.protocol === 'https:';
  },
  lasting: store(() => localStorage),
  perTab: store(() => sessionStorage),
  get locks() {
    const manager = globalThis.navigator?.locks;
    return manager && locksOf(manager);
  },
  get timers() {
    // A worker's own timers are not slowed down, and it may have no workers of its own.
    return documentHere() && pageTimers;
  },
  openChannel,
};
