/** A planned move: from a working link to another endpoint, or to the same one anew. */
import { Spare } from '../dial/spare.js';
import type { Endpoint } from '../endpoint.js';
import { FailoverError, type FailoverErrorCode, isFailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import type { Clock } from '../platform/ports.js';
import type { Link } from '../session/link.js';
import type { SessionPort } from '../session/session.js';
import type { Connector, PassListener } from './connector.js';
import type { LinkObserver } from './links.js';
import type { Pacing } from './pacing.js';
import { Pass } from './pass.js';

/** How a planned move is done, and told of. */
export interface MoveOptions {
  readonly event: 'move' | 'failback';
  /** Whether unacknowledged publishes forbid the move; otherwise they are resent over there. */
  readonly patient: boolean;
}

/** The state machine, as far as a move is at its helm. */
export interface MoveControl extends Omit<PassListener, 'accepted'> {
  /** Aborted when the client is no longer moving: also by the link that the move has made. */
  readonly signal: AbortSignal;
  /** Whether the client is in the state that this move has entered. */
  isMoving(): boolean;
  /** Whether the application has ended the client since the move began. */
  wasEnded(): boolean;
  /** The old link is no more. */
  leaveLink(): void;
  /** The old link is gone, and the new one will not come: starts over. */
  startOver(reason: string): void;
  /** A link is there. @returns whether it still is when everybody has been told. */
  accepted(link: Link): boolean;
}

export interface MoveDeps {
  readonly connector: Connector;
  readonly links: Pick<LinkObserver, 'quiesce'>;
  readonly session: SessionPort;
  readonly pacing: Pacing;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** What is wrong with a link that is not there any more. */
const LINK_LOST = 'the connection was lost meanwhile';
const CLIENT_ENDED = 'the client was ended';

/**
 * Moves from `from` to `target`: the new transport is opened first, then the old connection is left with DISCONNECT, so
 * that no will is sent, then CONNECT goes out on the new one (R109).
 *
 * @throws {@link FailoverError} if it did not come about.
 */
export async function move(
  from: Endpoint,
  target: Endpoint,
  reason: string,
  { event, patient }: MoveOptions,
  control: MoveControl,
  deps: MoveDeps,
): Promise<void> {
  const { clock, events } = deps;
  try {
    const spare = await spareFor(target, patient, control, deps);
    const leftAt = clock.now();
    await leave(from, spare, control, deps);
    await arrive(from, spare, leftAt, control, deps, ({ resumed }) => {
      events.emit(event, { from: from.id, to: target.id, reason, gapMs: clock.now() - leftAt, resumed });
    });
  } catch (error) {
    if (isFailoverError(error)) throw error;
    throw control.wasEnded() ? cutShort(target, 'ERR_ENDED', CLIENT_ENDED, error) : linkLost(target, error);
  }
}

/** An open transport to `target`, with everything that was sent on the present link acknowledged. */
async function spareFor(
  target: Endpoint,
  patient: boolean,
  { signal, isMoving }: MoveControl,
  { connector, links }: MoveDeps,
): Promise<Spare> {
  const spare = new Spare(await connector.dial(target, signal));
  const quiet = await links.quiesce();
  const problem = !isMoving()
    ? LINK_LOST
    : spare.isBroken
      ? 'the new connection ended before it was used'
      : patient && !quiet
        ? 'publishes are unacknowledged'
        : undefined;
  if (problem === undefined) return spare;
  spare.discard();
  throw new FailoverError('ERR_LINK', `The move to ${target.id} was given up: ${problem}`, {
    retryable: true,
  });
}

/** Says DISCONNECT on the old link, and waits for its end. */
async function leave(
  from: Endpoint,
  spare: Spare,
  control: MoveControl,
  { session, pacing }: MoveDeps,
): Promise<void> {
  const target = spare.dialed.target.endpoint;
  control.leaveLink();
  await session.close();
  pacing.left(from.id);
  if (!control.isMoving()) {
    spare.discard();
    throw new FailoverError('ERR_ENDED', `The move to ${target.id} was cut short: ${CLIENT_ENDED}`);
  }
  if (spare.isBroken) {
    control.startOver('the new connection ended before it was used');
    throw new FailoverError('ERR_LINK', `The move to ${target.id} failed: its connection ended`, {
      retryable: true,
    });
  }
}

/** Sends CONNECT on the new transport; if `target` refuses, the client goes back where it was, or to any other. */
function arrive(
  from: Endpoint,
  { dialed }: Spare,
  leftAt: number,
  control: MoveControl,
  { connector }: MoveDeps,
  tell: (link: Link) => void,
): Promise<void> {
  const target = dialed.target.endpoint;
  const { signal } = control;
  return new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => {
      // A link that came about leaves the state, too, and is told of below.
      if (control.wasEnded()) reject(signal.reason);
    });
    connector.connect(new Pass({ first: from.id }), dialed, leftAt, signal, {
      accepted: (link) => {
        const isUp = control.accepted(link);
        if (control.wasEnded()) reject(cutShort(target, 'ERR_ENDED', CLIENT_ENDED));
        else if (link.endpoint.id !== target.id) reject(notAccepted(target));
        else if (!isUp) reject(linkLost(target));
        else {
          tell(link);
          resolve();
        }
      },
      ended: control.ended,
      exhausted: (pass) => {
        reject(pass.error());
        control.exhausted(pass);
      },
    });
  });
}

function notAccepted({ id }: Endpoint): FailoverError {
  return new FailoverError('ERR_REFUSED', `${id} did not accept the move`, { endpoint: id, retryable: true });
}

function linkLost(target: Endpoint, cause?: unknown): FailoverError {
  return cutShort(target, 'ERR_LINK', LINK_LOST, cause);
}

function cutShort(target: Endpoint, code: FailoverErrorCode, why: string, cause?: unknown): FailoverError {
  return new FailoverError(code, `The move to ${target.id} was cut short: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    retryable: true,
  });
}
