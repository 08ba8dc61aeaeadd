/** MQTT of one simulated client: CONNECT, CONNACK, and the end of the link; no packets, and no keepalive on a quiet link. */
import type { Dialed } from '../dial/dialer.js';
import type { Clock, Timer } from '../platform/ports.js';
import { NO_LIMITS } from '../session/broker-limits.js';
import { DEFAULT_KEEPALIVE } from '../session/keepalive.js';
import { connackMissing, linkClosed, linkDead } from '../session/link-errors.js';
import { IDLE_PING_TIMEOUT_MS } from '../session/liveness.js';
import type { SessionListener, SessionPort } from '../session/session.js';
import type { Connection, Peer } from './broker.js';
import type { Recorder } from './recorder.js';

/** As {@link Session}, over connections of the model. One object for both of its sides: there are very many of them. */
export class ModelSession implements SessionPort, Peer {
  readonly #client: number;
  readonly #clock: Clock;
  readonly #recorder: Recorder;
  #connection: Connection | undefined;
  #listener: SessionListener | undefined;
  /** For CONNACK, or for the answer to the ping that finds out about a node that is gone. */
  #timer: Timer | undefined;
  #isLinked = false;
  #since = 0;
  #roundTripMs: number | undefined;

  constructor(client: number, clock: Clock, recorder: Recorder) {
    this.#client = client;
    this.#clock = clock;
    this.#recorder = recorder;
  }

  /** Milliseconds that the last CONNACK took. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  open({ target, transport }: Dialed, connackTimeoutMs: number, listener: SessionListener): void {
    const { endpoint } = target;
    const connection = transport as Connection;
    this.#connection = connection;
    this.#listener = listener;
    this.#since = this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => {
      connection.destroy();
      this.#ended(connackMissing(endpoint.id, connackTimeoutMs));
    }, connackTimeoutMs);
    connection.connect(this);
  }

  answered(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#disarm();
    this.#isLinked = true;
    this.#roundTripMs = this.#clock.now() - this.#since;
    this.#since = this.#clock.now();
    const { broker } = connection;
    this.#recorder.accepted(this.#client, broker);
    const { endpoint } = broker;
    this.#listener?.accepted({ endpoint, resumed: false, limits: NO_LIMITS, expiresAt: undefined });
  }

  closed(connection: Connection): void {
    if (connection !== this.#connection) return;
    const how = this.#isLinked ? 'closed' : 'closed-before-connack';
    const { id } = connection.broker.endpoint;
    this.#ended(linkClosed(id, 'the connection was closed', undefined, how));
  }

  silenced(connection: Connection): void {
    if (connection === this.#connection && this.#isLinked) this.#awaitPing(connection);
  }

  abandon(): void {
    this.#disarm();
    this.#listener = undefined;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    if (!connection) return;
    this.abandon();
    this.#forget(true);
    // DISCONNECT goes there, the end of the connection comes back.
    await new Promise<void>((resolve) => {
      this.#clock.setTimeout(resolve, 2 * connection.broker.wayMs());
    });
    connection.destroy();
  }

  /** The next keepalive ping finds out; until then nobody knows. */
  #awaitPing(connection: Connection): void {
    const { broker } = connection;
    const { id } = broker.endpoint;
    const keepaliveMs = DEFAULT_KEEPALIVE * 1_000;
    const held = this.#clock.now() - this.#since;
    this.#timer = this.#clock.setTimeout(
      () => {
        // A machine that has come back meanwhile knows nothing of the connection, and says so.
        if (broker.isRunning) connection.hangUp();
        else {
          this.#timer = this.#clock.setTimeout(() => {
            const text = `no byte for ${IDLE_PING_TIMEOUT_MS} ms after a ping`;
            connection.destroy();
            this.#ended(linkDead(id, 'silent', text));
          }, IDLE_PING_TIMEOUT_MS);
        }
      },
      keepaliveMs - (held % keepaliveMs),
    );
  }

  #ended(error: ReturnType<typeof linkClosed>): void {
    const listener = this.#listener;
    const wasLinked = this.#isLinked;
    this.#disarm();
    this.#listener = undefined;
    this.#forget(false);
    if (wasLinked) listener?.ended(error);
    else listener?.refused(error);
  }

  #forget(isChoice: boolean): void {
    if (this.#isLinked) this.#recorder.left(this.#client, isChoice);
    this.#isLinked = false;
    this.#connection = undefined;
  }

  #disarm(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
