/** What the end of a link means: who is to blame, and how the client comes back. */
import type { Credentials } from '../dial/credentials.js';
import type { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import { type HealthBook, SHORT_LINK_MS } from '../health/health-book.js';
import { type Action, classify, type Outcome } from '../health/outcomes.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Candidates } from '../selection/candidates.js';
import type { Link } from '../session/link.js';
import { type Conflict, PEACE_MS } from './conflict.js';
import type { Connector } from './connector.js';
import type { Pacing, SpreadHint } from './pacing.js';
import type { Wait } from './wait.js';

/** A link that ended without our doing. */
export interface LinkEnd {
  readonly link: Link;
  readonly error: FailoverError;
  /** Milliseconds from CONNACK to its end. */
  readonly heldMs: number;
  /** Whether something that we sent is suspected to have ended it (R92). */
  readonly ours: boolean;
}

/** What a {@link LinkEnd} comes to. */
export interface Verdict {
  readonly action: Action;
  /** Whether the endpoint is tried last. */
  readonly shun: boolean;
  /** Milliseconds to step back for a twin with our client id; `undefined` when the loss is not of that kind. */
  readonly holdMs: number | undefined;
}

/** How the client comes back. */
export interface Return extends Wait {
  /** Why the wait is one for people to end, where it is. */
  readonly security?: number | string;
}

export interface LinkEndDeps {
  readonly core: Pick<MqttCore, 'options'>;
  readonly pacing: Pacing;
  readonly conflict: Conflict;
  readonly candidates: Candidates;
  readonly connector: Connector;
  readonly health: HealthBook;
  readonly credentials: Credentials;
  readonly events: EventSink;
  /** How wide the operator wants a fleet to spread, by the list and by what the broker itself has said. */
  readonly hint: (linkMs?: number) => SpreadHint;
}

/** Reads the ends of links, and tells those who must learn from them. Knows no states and no timers. */
export class LinkEnds {
  readonly #deps: LinkEndDeps;

  constructor(deps: LinkEndDeps) {
    this.#deps = deps;
  }

  /** To be asked once for each end: it counts young links and take-overs. */
  judge({ error, heldMs, ours }: LinkEnd): Verdict {
    const { pacing, conflict } = this.#deps;
    const action = classify(error.outcome ?? UNKNOWN);
    pacing.linkEnded(heldMs);
    const holdMs = ours ? undefined : this.#holdAfter(action, error, heldMs);
    if (heldMs >= PEACE_MS) conflict.reset();
    return { action, shun: BLAMES_ENDPOINT.has(action) && !ours, holdMs };
  }

  /** Puts the end down to the endpoint, if it is to blame, or to a broker that is full or sends us elsewhere. */
  blame({ link: { endpoint }, error, heldMs, ours }: LinkEnd, { action, shun, holdMs }: Verdict): void {
    const { candidates, connector, health } = this.#deps;
    const { id } = endpoint;
    const isFull = candidates.saidFull(id, error.outcome, error.message);
    if (action === 'redirect') connector.redirected(endpoint, error);
    else if (shun && !isFull) connector.blame(endpoint, error, connector.coolMs(error));
    else if (!ours && !isFull && action !== 'yield' && holdMs === undefined)
      health.linkEnded(id, heldMs, error.message);
  }

  /** How to come back, by what the broker said. */
  comeBack({ link, error }: LinkEnd, { action, holdMs }: Verdict): Return {
    const { credentials, pacing } = this.#deps;
    const { outcome = UNKNOWN, message: reason } = error;
    if (holdMs !== undefined) return { state: 'conflict', waitMs: holdMs, reason };
    const code = outcome.kind === 'disconnect' ? outcome.code : undefined;
    if (action === 'reauth' || code === MAXIMUM_CONNECT_TIME) credentials.refused();
    if (action === 'reauth' && !(credentials.canRefresh && pacing.mayRefresh()))
      return { state: 'auth-wait', waitMs: pacing.slowLane(), reason };
    if (code === ADMINISTRATIVE_ACTION && pacing.kicked())
      return { state: 'backoff', waitMs: pacing.slowLane(), reason: KICKED, security: code };
    return { state: 'backoff', waitMs: this.#delayAfter(outcome, link), reason };
  }

  /** A broker that sent us away for a reason of ours is asked again itself, and not before it has rested. */
  #delayAfter(outcome: Outcome, { endpoint, spreadMs }: Link): number {
    const { hint, pacing } = this.#deps;
    const delay = pacing.afterLoss(hint(spreadMs));
    if (!SAYS_WHY.has(outcome.kind) || BLAMES_ENDPOINT.has(classify(outcome))) return delay;
    return Math.max(delay, pacing.restLeft(endpoint.id), pacing.afterDisconnect(outcome.code));
  }

  /** How long to step back for a twin with our client id; `undefined` when the loss is not of that kind. */
  #holdAfter(action: Action, error: FailoverError, heldMs: number): number | undefined {
    const { core, conflict } = this.#deps;
    if (action === 'yield') return conflict.takenOver(heldMs);
    const wordless =
      error.outcome?.kind === 'link' &&
      error.outcome.code === 'closed' &&
      error.cause === undefined &&
      heldMs < SHORT_LINK_MS;
    const v3 = (core.options.protocolVersion ?? 4) < 5;
    return v3 && wordless ? conflict.closedSilently(error.endpoint ?? '') : undefined;
  }
}

/** Actions for a link's end after which the endpoint is tried last. */
const BLAMES_ENDPOINT: ReadonlySet<Action> = new Set<Action>(['next', 'cool', 'redirect']);
/** Outcomes by which a broker itself says why. */
const SAYS_WHY: ReadonlySet<Outcome['kind']> = new Set<Outcome['kind']>(['disconnect', 'websocket']);
const UNKNOWN: Outcome = { kind: 'link', code: 'closed' };
/** Reason codes of DISCONNECT that ask for more than their action (C2). */
const ADMINISTRATIVE_ACTION = 0x98;
const MAXIMUM_CONNECT_TIME = 0xa0;
const KICKED = 'an administrator has disconnected us three times in ten minutes';
