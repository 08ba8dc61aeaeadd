/** Planned moves before their code is there: a client that is where it should be has no use for it. */
import { chunk } from '../chunk.js';
import type { EndpointList } from '../discovery/endpoint-list.js';
import { type FailoverError, messageOf } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock, Timer } from '../platform/ports.js';
import type { Link } from '../session/link.js';
import type { Departure } from './departure.js';
import type { Failback, FailbackBounds } from './failback.js';
import type { LinkWatcher } from './links.js';
import type { Renewal } from './renewal.js';
import type { Supervisor } from './supervisor.js';

/** What is loaded. */
export interface PlannedMoves {
  readonly failback: Pick<Failback, 'linkUp' | 'linkDown' | 'moved'>;
  readonly renewal: Pick<Renewal, 'linkUp' | 'linkDown'>;
  readonly departure: Pick<Departure, 'linkUp' | 'linkDown' | 'listChanged'>;
}

export interface LateMovesDeps {
  /** Called until it has succeeded once. */
  readonly load: () => Promise<PlannedMoves>;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Milliseconds between looks whether there is a better endpoint: those between probes. */
  readonly probeMs: number;
  /** Whether the endpoint in use is to be left. */
  readonly mustLeave: () => boolean;
  /** Whether there is an endpoint that the client would go home to. */
  readonly hasBetter: () => boolean;
}

/** What {@link makeLateMoves} makes them of. */
export interface LateMovesInit extends Pick<LateMovesDeps, 'load' | 'clock' | 'events' | 'probeMs'> {
  readonly supervisor: Supervisor;
  readonly watcher: EndpointList;
  /** Option `failback.mode`. */
  readonly mode: FailbackBounds['mode'];
}

/** Makes planned moves for one supervisor; the caller has them told of links. */
export function makeLateMoves(init: LateMovesInit): LateMoves {
  const { supervisor, watcher, mode, load, clock, events, probeMs } = init;
  const { candidates } = supervisor;
  const moves = new LateMoves({
    load,
    clock,
    events,
    probeMs,
    mustLeave: () =>
      supervisor.current !== undefined && candidates.leaveWord(supervisor.current) !== undefined,
    hasBetter: () => mode !== 'off' && hasBetter(supervisor),
  });
  watcher.onChange(() => moves.listChanged());
  return moves;
}

/** A selector of the application's own may throw: then there is nowhere to go, and later perhaps there is. */
function hasBetter({ current, candidates }: Supervisor): boolean {
  try {
    return current !== undefined && candidates.better(current).length > 0;
  } catch {
    return false;
  }
}

/** The longest wait for the first look: a client that has just failed over has better to do. */
const FIRST_LOOK_MS = 5_000;
/** Milliseconds until code that could not be loaded is asked for again. */
const RETRY_MS = 60_000;

/** Loads what moves a client as soon as there is a reason to move, and hands links on to it. */
export class LateMoves implements LinkWatcher {
  readonly #deps: LateMovesDeps;
  readonly #load: () => Promise<PlannedMoves>;
  #moves: PlannedMoves | undefined;
  #link: Link | undefined;
  #timer: Timer | undefined;
  #hasWarned = false;

  constructor(deps: LateMovesDeps) {
    this.#deps = deps;
    this.#load = chunk(deps.load);
  }

  /** A link is there. */
  linkUp(link: Link): void {
    this.linkDown();
    this.#link = link;
    if (this.#moves) this.#handOver(this.#moves, link);
    else this.#look(false, Math.min(FIRST_LOOK_MS, this.#deps.probeMs));
  }

  /** The link is gone: there is nothing to move. */
  linkDown(end?: FailoverError): void {
    this.#link = undefined;
    this.#disarm();
    for (const each of watchersOf(this.#moves)) each.linkDown(end);
  }

  /** The list changed, and with it perhaps the word on our endpoint. */
  listChanged(): void {
    if (this.#moves) this.#moves.departure.listChanged();
    else if (this.#link && this.#deps.mustLeave()) void this.#loadNow();
  }

  /** A planned move came about. */
  async moved(): Promise<void> {
    (this.#moves ?? (await this.#loadNow()))?.failback.moved();
  }

  /** @param isDue - Whether home is looked for, too. */
  #look(isDue: boolean, nextMs: number): void {
    const { mustLeave, hasBetter, clock } = this.#deps;
    if (this.#link?.expiresAt !== undefined || mustLeave() || (isDue && hasBetter())) {
      void this.#loadNow();
      return;
    }
    this.#timer = clock.setTimeout(() => this.#look(true, this.#deps.probeMs), nextMs);
  }

  async #loadNow(): Promise<PlannedMoves | undefined> {
    this.#disarm();
    try {
      const moves = await this.#load();
      if (this.#moves) return moves;
      this.#moves = moves;
      if (this.#link) this.#handOver(moves, this.#link);
      return moves;
    } catch (cause) {
      this.#failed(cause);
      return undefined;
    }
  }

  #failed(cause: unknown): void {
    if (!this.#hasWarned) {
      const message = `The code of planned moves could not be loaded (${messageOf(cause)}): the client stays where it is, and asks again every minute. Is the chunk beside the bundle?`;
      this.#deps.events.emit('warning', { code: 'CODE_NOT_LOADED', message });
    }
    this.#hasWarned = true;
    this.#disarm();
    if (this.#link) this.#timer = this.#deps.clock.setTimeout(() => this.#look(true, RETRY_MS), RETRY_MS);
  }

  #handOver(moves: PlannedMoves, link: Link): void {
    for (const each of watchersOf(moves)) each.linkUp(link);
  }

  #disarm(): void {
    if (this.#timer) this.#deps.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function watchersOf(moves: PlannedMoves | undefined): readonly LinkWatcher[] {
  return moves ? [moves.failback, moves.renewal, moves.departure] : [];
}
