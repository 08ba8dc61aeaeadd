/**
 * How many transports the clients of one process open at once. A gateway whose thousand clients lose their broker
 * dials in waves, rather than run out of file descriptors or overflow the listen queue of the next broker.
 */
import PQueue from 'p-queue';
import type { Endpoint } from '../endpoint.js';

/** The bounds of {@link DialBudget}. */
export interface DialBounds {
  /** Transports that are being opened at once in the process. */
  readonly atOnce: number;
  /** Of these, to one address. */
  readonly perAddress: number;
  /** Of these, probes of one address, which run aside. */
  readonly probesPerAddress: number;
}

/**
 * 128 are an eighth of the 1024 descriptors that a process commonly has. 32 to one address are a third of the shortest
 * listen queue in common use, mosquitto's 100; and one node that swallows every dial never holds all places, so that
 * the others can be reached beside it.
 */
export const DIAL_BOUNDS: DialBounds = Object.freeze({ atOnce: 128, perAddress: 32, probesPerAddress: 4 });

/** Why a transport is opened: because a client has no link, or to see whether a better endpoint is back. */
export type DialPurpose = 'connect' | 'probe';

/** Who goes first when places are scarce: a client without a link. */
const PRIORITY: Readonly<Record<DialPurpose, number>> = { connect: 1, probe: 0 };

/** Hands out places to open transports in; p-queue holds back, and stores nothing but who waits. */
export class DialBudget {
  readonly #bounds: DialBounds;
  readonly #all: PQueue;
  /** One lane for each address and purpose, while somebody is in it. */
  readonly #lanes = new Map<string, PQueue>();

  constructor(bounds: DialBounds = DIAL_BOUNDS) {
    this.#bounds = bounds;
    this.#all = new PQueue({ concurrency: bounds.atOnce });
  }

  /** Addresses, by purpose, that somebody dials or waits for. */
  get lanes(): number {
    return this.#lanes.size;
  }

  /**
   * Calls `open` as soon as there is a place, which is held until what it returned settles.
   *
   * @param signal - Aborting it while waiting gives the place in the queue back at once; `open` itself must mind it.
   * @returns what `open` returned.
   * @throws what `open` throws, or the abort reason when it was never called.
   */
  run<T>(
    { host, port }: Endpoint,
    purpose: DialPurpose,
    signal: AbortSignal,
    open: () => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const lane = this.#lane(`${purpose} ${host}:${port}`, purpose);
    return inTurn(lane, 0, signal, () => inTurn(this.#all, PRIORITY[purpose], signal, open));
  }

  #lane(key: string, purpose: DialPurpose): PQueue {
    const known = this.#lanes.get(key);
    if (known) return known;
    const { perAddress, probesPerAddress } = this.#bounds;
    const lane = new PQueue({ concurrency: purpose === 'probe' ? probesPerAddress : perAddress });
    lane.on('idle', () => this.#lanes.delete(key));
    this.#lanes.set(key, lane);
    return lane;
  }
}

/**
 * Runs a task in its turn. Aborted while it waits, it leaves the queue. Once it runs it keeps its place until it has
 * settled, unlike with p-queue's own signal, which would give the place to another while the first still dials.
 */
function inTurn<T>(queue: PQueue, priority: number, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const waiting = new AbortController();
    const onAbort = () => {
      waiting.abort();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort);
    const turn = () => {
      signal.removeEventListener('abort', onAbort);
      return task().then(resolve, reject);
    };
    queue.add(turn, { priority, signal: waiting.signal }).catch(() => {
      // It left the queue; the caller was told.
    });
  });
}
