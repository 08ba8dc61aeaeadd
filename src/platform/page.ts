/** What the core may use of a page, or of a worker of one. `browser-page.ts` implements it. */

/** What happens to a page: its network, whether somebody looks at it, and whether it was asleep. */
export type PageSignal = 'online' | 'offline' | 'visible' | 'resumed';

/** Tells of {@link PageSignal}s. */
export interface Signals {
  /** What the runtime believes of the network; true where it cannot tell. */
  readonly isOnline: boolean;
  /** Calls `listener` for every signal until the returned function is called. */
  listen(listener: (signal: PageSignal) => void): () => void;
}

/** Keeps short texts. Both methods may throw: storage is off, full, or not for this origin. */
export interface PageStore {
  get(key: string): string | undefined;
  set(key: string, text: string): void;
}

/** A lock that is held. */
export interface HeldLock {
  /** Resolves when the lock was stolen from us, never when we have released it. */
  readonly stolen: Promise<void>;
  /** Asks the lock manager: what was stolen while the page was frozen is not told at once. */
  isHeld(): Promise<boolean>;
  release(): void;
}

/** Locks that all pages of one origin share; those of a page that is gone are released. Rejects when not allowed. */
export interface Locks {
  /** Takes the lock if nobody has it; `undefined` if somebody has. */
  take(name: string): Promise<HeldLock | undefined>;
  /** Waits for the lock, or takes it away from whoever has it; rejects when `signal` is aborted. */
  acquire(name: string, signal: AbortSignal, how: 'wait' | 'steal'): Promise<HeldLock>;
}

/** Carries messages to the other pages of this origin, in order; a page does not hear itself. */
export interface Channel {
  post(message: unknown): void;
  close(): void;
}

/** Repeating timers that a hidden tab does not slow down; for MQTT.js's option `timerVariant`. */
export interface PageTimers {
  set(callback: () => void, ms: number): number;
  clear(id: number): void;
  /** Resolves when the page's security policy refuses them: native timers take over, once a minute when hidden. */
  readonly refused: Promise<void>;
}

/** Everything that a page provides. */
export interface Page {
  readonly signals: Signals;
  /** Whether the page came over https, and so may open no plain `ws:` but to this machine. */
  readonly isSecure: boolean;
  /** Shared by all tabs of this origin, and lasting. */
  readonly lasting: PageStore;
  /** Of this tab alone; it survives a reload, and a duplicated tab starts with a copy. */
  readonly perTab: PageStore;
  /** Left out where the page is not trusted enough, or the browser too old. */
  readonly locks?: Locks | undefined;
  /** Made on first use, and shared by all clients of the page. Left out where native timers are not slowed down. */
  readonly timers?: (() => PageTimers) | undefined;
  openChannel(name: string, receive: (message: unknown) => void): Channel;
}
