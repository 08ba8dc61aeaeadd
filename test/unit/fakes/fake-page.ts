/**
 * Pages of one origin, without a browser: they share storage, locks and channels, and each can be closed, frozen and
 * thawed. A frozen page is told nothing, and what it would have been told waits.
 */
import type {
  Channel,
  HeldLock,
  Locks,
  Page,
  PageSignal,
  PageStore,
  Signals,
} from '../../../src/platform/page.js';

interface Waiting {
  readonly page: FakePage;
  readonly grant: () => void;
  readonly isAborted: () => boolean;
}

interface Holder {
  readonly page: FakePage;
  readonly robbed: () => void;
}

interface Ear {
  readonly page: FakePage;
  readonly receive: (message: unknown) => void;
}

export class FakeOrigin {
  readonly texts = new Map<string, string>();
  readonly holders = new Map<string, Holder>();
  readonly queues = new Map<string, Waiting[]>();
  readonly channels = new Map<string, Set<Ear>>();

  page(perTab = new Map<string, string>()): FakePage {
    return new FakePage(this, perTab);
  }

  /** Gives a lock that is free to the first who waits. */
  pass(name: string): void {
    if (this.holders.has(name)) return;
    const queue = this.queues.get(name) ?? [];
    for (let next = queue.shift(); next; next = queue.shift()) {
      if (next.isAborted() || next.page.closed) continue;
      next.grant();
      return;
    }
  }
}

export class FakePage implements Page {
  readonly origin: FakeOrigin;
  readonly tabTexts: Map<string, string>;
  readonly lasting: PageStore;
  readonly perTab: PageStore;
  readonly signals: Signals;
  locks: Locks | undefined;
  isSecure = false;
  isOnline = true;
  closed = false;
  /** Thrown by both storages. */
  storageError: Error | undefined;
  readonly #listeners = new Set<(signal: PageSignal) => void>();
  #frozen: (() => void)[] | undefined;

  constructor(origin: FakeOrigin, tabTexts: Map<string, string>) {
    this.origin = origin;
    this.tabTexts = tabTexts;
    this.lasting = this.#store(origin.texts);
    this.perTab = this.#store(tabTexts);
    this.locks = this.#locks();
    const page = this;
    this.signals = {
      get isOnline() {
        return page.isOnline;
      },
      listen: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  /** Who listens to signals. */
  get listeners(): number {
    return this.#listeners.size;
  }

  signal(signal: PageSignal): void {
    if (signal === 'online' || signal === 'offline') this.isOnline = signal === 'online';
    for (const listener of [...this.#listeners]) listener(signal);
  }

  /** The tab is gone, as by a crash: its locks are free, and it hears and says nothing more. */
  close(): void {
    this.closed = true;
    for (const [name, holder] of [...this.origin.holders]) {
      if (holder.page !== this) continue;
      this.origin.holders.delete(name);
      this.origin.pass(name);
    }
    for (const ears of this.origin.channels.values())
      for (const ear of [...ears]) if (ear.page === this) ears.delete(ear);
  }

  freeze(): void {
    this.#frozen = [];
  }

  /** @param order - Turns round what is told first: browsers promise no order between locks, sockets and channels. */
  thaw(order: (waiting: (() => void)[]) => (() => void)[] = (waiting) => waiting): void {
    const waiting = order(this.#frozen ?? []);
    this.#frozen = undefined;
    for (const each of waiting) each();
  }

  /** Tells this page something, now or when it can hear. */
  tell(what: () => void): void {
    queueMicrotask(() => {
      if (this.closed) return;
      if (this.#frozen) this.#frozen.push(what);
      else what();
    });
  }

  openChannel(name: string, receive: (message: unknown) => void): Channel {
    const ears = this.origin.channels.get(name) ?? new Set<Ear>();
    this.origin.channels.set(name, ears);
    const own: Ear = { page: this, receive };
    ears.add(own);
    return {
      post: (message) => {
        if (this.closed) return;
        const copy = structuredClone(message);
        for (const ear of ears) {
          if (ear !== own) ear.page.tell(() => ears.has(ear) && ear.receive(structuredClone(copy)));
        }
      },
      close: () => ears.delete(own),
    };
  }

  #store(texts: Map<string, string>): PageStore {
    const guard = () => {
      if (this.storageError) throw this.storageError;
    };
    return {
      get: (key) => {
        guard();
        return texts.get(key);
      },
      set: (key, text) => {
        guard();
        texts.set(key, text);
      },
    };
  }

  #locks(): Locks {
    const { origin } = this;
    const hold = (name: string): HeldLock => {
      let tell = () => {};
      const stolen = new Promise<void>((resolve) => {
        tell = resolve;
      });
      const holder: Holder = { page: this, robbed: () => this.tell(tell) };
      origin.holders.set(name, holder);
      return {
        stolen,
        isHeld: async () => origin.holders.get(name) === holder,
        release: () => {
          if (origin.holders.get(name) !== holder) return;
          origin.holders.delete(name);
          origin.pass(name);
        },
      };
    };
    return {
      take: async (name) => (origin.holders.has(name) ? undefined : hold(name)),
      acquire: (name, signal, how) =>
        new Promise((resolve, reject) => {
          if (how === 'steal') {
            const robbed = origin.holders.get(name);
            const lock = hold(name);
            robbed?.robbed();
            resolve(lock);
            return;
          }
          signal.addEventListener('abort', () => reject(signal.reason));
          const queue = origin.queues.get(name) ?? [];
          origin.queues.set(name, queue);
          queue.push({
            page: this,
            // The lock is theirs at once; a frozen page only hears of it later.
            grant: () => {
              const lock = hold(name);
              this.tell(() => resolve(lock));
            },
            isAborted: () => signal.aborted,
          });
          origin.pass(name);
        }),
    };
  }
}
