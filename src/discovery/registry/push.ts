/** Push from a registry: keeps a channel open, and hands on what settled (R62–R65). Loaded when it is used. */
import { backoffDelay } from '../../health/backoff.js';
import type { Clock, Random } from '../../platform/ports.js';
import { retryAfterOf } from '../refresh.js';
import type { EndpointSet } from '../resolver.js';
import { etcdWatch } from './etcd-watch.js';
import { eventStream } from './event-stream.js';
import { laneOf } from './failure.js';
import type { RegistryHttp } from './http.js';
import { longPoll } from './long-poll.js';
import { pause } from './pause.js';
import type { RegistrySource } from './registry-source.js';
import { Settler } from './settler.js';

/** What one connection of a channel works with. */
export interface ChannelContext {
  readonly source: RegistrySource;
  readonly http: RegistryHttp;
  readonly clock: Clock;
  /** What outlives one connection. */
  readonly memory: ChannelMemory;
  readonly signal: AbortSignal;
  /** There may be a new list; `read` gets it once pushes have settled. Only the latest `read` is called. */
  readonly offer: (read: () => EndpointSet | Promise<EndpointSet>) => void;
}

/** What a channel remembers from one connection to the next. */
export interface ChannelMemory {
  /** `id` of the last event of a stream. */
  lastEventId: string | undefined;
  /** Milliseconds to wait before a stream is opened again, as the server wishes. */
  retryMs: number;
}

/**
 * One connection of a channel: resolves when it ended in good order, rejects when it broke.
 *
 * @returns `stop` when the registry says that there will be no more.
 */
export type Channel = (context: ChannelContext) => Promise<'again' | 'stop'>;

export interface PushDeps {
  /** The source that answered last. */
  readonly source: () => RegistrySource;
  readonly http: RegistryHttp;
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: (set: EndpointSet) => void;
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;
const SLOW_LANE_MS = 60_000;

/** Keeps a channel to the source open until `signal` is aborted or the registry says stop. Never rejects. */
export async function keepPushed(deps: PushDeps): Promise<void> {
  const { clock, random, onFailure, signal, http } = deps;
  const memory: ChannelMemory = { lastEventId: undefined, retryMs: FIRST_RETRY_MS };
  const settler = new Settler(clock, deps.onChange, onFailure, signal);
  let failures = 0;
  const offer: ChannelContext['offer'] = (read) => {
    failures = 0;
    settler.offer(read);
  };
  while (!signal.aborted) {
    const source = deps.source();
    let asked = 0;
    try {
      const end = await channelOf(source)({ source, http, clock, memory, signal, offer });
      if (end === 'stop') return;
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
      asked = retryAfterOf(error) ?? (laneOf(error) === 'slow' ? SLOW_LANE_MS : 0);
    }
    failures += 1;
    const least = Math.max(memory.retryMs, asked);
    const bounds = { minMs: least, baseMs: 1_000, maxMs: Math.max(least * 1.2, MAX_RETRY_MS) };
    await pause(clock, backoffDelay(bounds, failures, random), signal);
  }
}

function channelOf({ kind }: RegistrySource): Channel {
  if (kind === 'consul') return longPoll;
  if (kind === 'etcd') return etcdWatch;
  return eventStream;
}
