/** What others do, for comparison: clients without health, ranking or a way home. */
import type { Timer } from '../platform/ports.js';
import type { Broker, Connection } from './broker.js';
import type { Fleet, World } from './fleet.js';

/** Milliseconds that MQTT.js gives transport and CONNACK together, unless told otherwise. */
const CONNECT_TIMEOUT_MS = 30_000;
/** MQTT.js's keepalive of 60 s, and the half of it after which a ping without an answer is the end. */
const KEEPALIVE_MS = 60_000;
const PING_TIMEOUT_MS = 30_000;
/** MQTT.js's fixed reconnect period. */
const RECONNECT_PERIOD_MS = 1_000;
/** Full jitter: U(0, min(cap, base·2ⁿ)), with our own bounds so that only the policy differs. */
const JITTER = { baseMs: 1_000, capMs: 30_000 } as const;

/** How one kind of client picks and waits. */
export interface Habit {
  /** Index in the list of the server to try. @param tries - Connections tried so far, since the client began. */
  server(tries: number, servers: number): number;
  /** Milliseconds before the next try. @param failures - Tries that failed since the last connection. */
  waitMs(failures: number): number;
}

/** MQTT.js with `servers`: everyone begins with the first, and takes the next after each connection that ended. */
export const LIST_WALKER = (): Habit => ({
  server: (tries, servers) => tries % servers,
  waitMs: () => RECONNECT_PERIOD_MS,
});

/** A server at random each time, after exponential backoff with full jitter (AWS architecture blog). */
export const FULL_JITTER = ({ random }: World): Habit => ({
  server: (_tries, servers) => Math.floor(random.next() * servers),
  waitMs: (failures) => random.next() * Math.min(JITTER.capMs, JITTER.baseMs * 2 ** Math.min(failures, 16)),
});

/** A fleet of clients with one habit. They prefer the node that they are on to any other, and learn no new list. */
export class BaselineFleet implements Fleet {
  readonly #world: World;
  readonly #habit: Habit;

  constructor(world: World, habit: (world: World) => Habit) {
    this.#world = world;
    this.#habit = habit(world);
  }

  start(client: number): void {
    const servers = this.#world.list().endpoints.map(({ id }) => this.#world.broker(id));
    new BaselineClient(client, servers, this.#habit, this.#world).connect();
  }

  home(): undefined {
    return undefined;
  }

  prefers(): boolean {
    return true;
  }
}

class BaselineClient {
  readonly #client: number;
  readonly #servers: readonly Broker[];
  readonly #habit: Habit;
  readonly #world: World;
  #tries = 0;
  #failures = 0;
  #linkedAt: number | undefined;
  #timer: Timer | undefined;

  constructor(client: number, servers: readonly Broker[], habit: Habit, world: World) {
    this.#client = client;
    this.#servers = servers;
    this.#habit = habit;
    this.#world = world;
  }

  connect(): void {
    const { wires } = this.#world;
    const broker = this.#servers[this.#habit.server(this.#tries, this.#servers.length)] as Broker;
    this.#tries += 1;
    let connection: Connection | undefined;
    const opened = (made: Connection) => {
      connection = made;
      made.connect({
        answered: () => this.#answered(broker),
        closed: () => this.#ended(),
        silenced: () => this.#silenced(made),
      });
    };
    const giveUp = wires.dial(broker, this.#client, false, opened, () => this.#ended());
    this.#arm(() => {
      if (connection) connection.destroy();
      else giveUp();
      this.#ended();
    }, CONNECT_TIMEOUT_MS);
  }

  #answered(broker: Broker): void {
    const { clock, recorder } = this.#world;
    this.#disarm();
    this.#failures = 0;
    this.#linkedAt = clock.now();
    recorder.accepted(this.#client, broker);
  }

  #silenced(connection: Connection): void {
    if (this.#linkedAt === undefined) return;
    const held = this.#world.clock.now() - this.#linkedAt;
    this.#arm(
      () => {
        if (connection.broker.isRunning) connection.hangUp();
        else {
          this.#arm(() => {
            connection.destroy();
            this.#ended();
          }, PING_TIMEOUT_MS);
        }
      },
      KEEPALIVE_MS - (held % KEEPALIVE_MS),
    );
  }

  #ended(): void {
    if (this.#linkedAt === undefined) this.#failures += 1;
    else this.#world.recorder.left(this.#client, false);
    this.#linkedAt = undefined;
    this.#arm(() => this.connect(), this.#habit.waitMs(this.#failures));
  }

  #arm(callback: () => void, ms: number): void {
    this.#disarm();
    this.#timer = this.#world.clock.setTimeout(callback, ms);
  }

  #disarm(): void {
    if (this.#timer) this.#world.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
