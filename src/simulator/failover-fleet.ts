/**
 * Our clients: the library's own supervisor, health book, selection, dialer, backoff, failback and departure, each wired
 * as the container of a real client does, over wires and MQTT of the model.
 *
 * Each client is a device of its own: nothing of what one finds out is shared with another.
 */
import type { FailbackBounds } from '../connection/failback.js';
import { makeLateMoves, type PlannedMoves } from '../connection/late-moves.js';
import { move } from '../connection/move.js';
import type { SupervisorOptions } from '../connection/parts.js';
import { makeDeparture, makeFailback } from '../connection/roaming.js';
import { Supervisor } from '../connection/supervisor.js';
import { Credentials } from '../dial/credentials.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import type { Resolver } from '../discovery/resolver.js';
import { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import type { EventSink } from '../events.js';
import { HealthBook } from '../health/health-book.js';
import type { DialTarget, Network, Transport } from '../platform/ports.js';
import { type Selector, selectorFor } from '../selection/selector.js';
import type { Broker, Connection } from './broker.js';
import { clientIdOf, type Fleet, type World } from './fleet.js';
import { ModelSession } from './model-session.js';

const IGNORE = () => undefined;
/** Nobody listens. */
const SILENT: EventSink = { emit: IGNORE };
/** Quiet links carry nothing, so nothing is in flight, and any client may leave any node. */
const LINKS = {
  linkUp: IGNORE,
  linkDown: () => false,
  quiesce: async () => true,
  resume: IGNORE,
};
/** Credentials never expire. */
const NO_RENEWAL: PlannedMoves['renewal'] = { linkUp: IGNORE, linkDown: IGNORE };
const LOAD_MOVE = async () => move;
const CONNECT_OPTIONS = {
  target: (endpoint: Endpoint): DialTarget => ({ endpoint, options: {} }),
  mayLeave: () => true,
};
const SCHEMES: Network['schemes'] = new Set(['mqtt', 'mqtts', 'ws', 'wss']);

/** A fleet of clients of this library. */
export class FailoverFleet implements Fleet {
  readonly #world: World;
  readonly #common: Common;
  readonly #selectors: Selector[] = [];

  constructor(world: World) {
    this.#world = world;
    const { list, onList, options } = world;
    const { backoff, dial, failback, health, reconnect, attemptTimeoutMs, zone } = options;
    this.#common = {
      // Lists come by push, as from a registry that has it.
      resolver: { resolve: async () => list(), watch: (onChange) => onList(onChange) },
      supervisor: { ...backoff, connackTimeoutMs: dial.connackTimeoutMs, attemptTimeoutMs, reconnect, zone },
      failback: { ...failback, probeMs: health.probeMs },
    };
  }

  start(client: number): void {
    startClient(client, this.#selectorOf(client), this.#common, this.#world);
  }

  home(client: number): Broker | undefined {
    const [first] = this.#ranking(client);
    return first && this.#world.broker(first.id);
  }

  prefers(client: number, a: Broker, b: Broker): boolean {
    const ids = this.#ranking(client).map(({ id }) => id);
    const place = ({ endpoint: { id } }: Broker) => (ids.includes(id) ? ids.indexOf(id) : ids.length);
    return place(a) < place(b);
  }

  #ranking(client: number): readonly Endpoint[] {
    return this.#selectorOf(client).rank(clientIdOf(client), this.#world.list().endpoints);
  }

  /** One for all, but for `'random'`, where each client draws once for its life. */
  #selectorOf(client: number): Selector {
    const { options, random } = this.#world;
    const { selection, zone } = options;
    const key = selection === 'random' ? client : 0;
    this.#selectors[key] ??= selectorFor(selection, zone, random);
    return this.#selectors[key];
  }
}

/** What all clients of a fleet have alike, once in memory. */
interface Common {
  readonly resolver: Resolver;
  readonly supervisor: SupervisorOptions;
  readonly failback: FailbackBounds;
}

function startClient(client: number, selector: Selector, common: Common, world: World): void {
  const { clock, random, recorder, options } = world;
  const { backoff, dial, health } = options;
  const { resolver } = common;
  const clientId = clientIdOf(client);
  const session = new ModelSession(client, clock, recorder);
  const watcher = new Watcher({ resolver, clock, random, events: SILENT, refreshMs: undefined });
  const supervisor = new Supervisor({
    watcher,
    selector,
    health: new HealthBook(health, clock, random, SILENT),
    dialer: new RacingDialer(networkOf(client, false, world), clock, dial, {
      roundTripMs: () => session.roundTripMs,
    }),
    session,
    connectOptions: CONNECT_OPTIONS,
    credentials: new Credentials(undefined, clock),
    core: { options: { clientId, protocolVersion: 5 }, emit: IGNORE, emitError: IGNORE },
    links: LINKS,
    clock,
    random,
    events: SILENT,
    refusal: IGNORE,
    loadMove: LOAD_MOVE,
    options: common.supervisor,
  });
  const load = async (): Promise<PlannedMoves> => {
    const roaming = { supervisor, clock, random, clientId: () => clientId };
    const failback = makeFailback({
      ...roaming,
      bounds: common.failback,
      connectOptions: CONNECT_OPTIONS,
      dialer: new RacingDialer(networkOf(client, true, world), clock, dial),
    });
    const { spreadMs } = backoff;
    const departure = makeDeparture({ ...roaming, watcher, spreadMs, moved: () => failback.moved() });
    return { failback, renewal: NO_RENEWAL, departure };
  };
  const { mode, probeMs } = common.failback;
  supervisor.observe(makeLateMoves({ load, supervisor, watcher, clock, events: SILENT, mode, probeMs }));
  supervisor.start('connect() was called');
}

/** @param isProbe - Whether what is opened serves to look, and not to connect. */
function networkOf(client: number, isProbe: boolean, { wires, broker }: World): Network {
  return {
    schemes: SCHEMES,
    open: ({ endpoint }, signal) =>
      new Promise<Transport>((resolve, reject) => {
        signal.throwIfAborted();
        let isOver = false;
        const onAbort = () => {
          if (isOver) return;
          giveUp();
          reject(signal.reason);
        };
        const over = () => {
          isOver = true;
          signal.removeEventListener('abort', onAbort);
        };
        const opened = (connection: Connection) => {
          over();
          resolve(connection);
        };
        const failed = (error: Error) => {
          over();
          reject(error);
        };
        const giveUp = wires.dial(broker(endpoint.id), client, isProbe, opened, failed);
        signal.addEventListener('abort', onAbort);
      }),
  };
}
