/** What a managed client does behind MQTT.js's methods: publish, subscribe, end, reconnect, tell its status. */
import type {
  ClientSubscribeCallback,
  IClientPublishOptions,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  IConnackPacket,
  IDisconnectPacket,
  ISubscriptionMap,
  Packet,
  PacketCallback,
} from 'mqtt';
import type { LateMoves } from '../connection/late-moves.js';
import type { Lifecycle } from '../connection/lifecycle.js';
import type { Supervisor } from '../connection/supervisor.js';
import type { Delivery } from '../delivery/delivery.js';
import type { EndpointList } from '../discovery/endpoint-list.js';
import type { TopologyTopic } from '../discovery/topology-topic.js';
import { Ending } from '../ending.js';
import type { EventSink } from '../events.js';
import type { HealthBook } from '../health/health-book.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import { atMost } from '../platform/at-most.js';
import type { Clock } from '../platform/ports.js';
import type { Session } from '../session/session.js';
import type { SessionStream } from '../session/session-stream.js';
import type { ClientStatus, Explanation } from '../status.js';
import type { TabIdentity } from '../tabs/tab-identity.js';
import { type Warning, warningsFor } from '../warnings.js';
import { OwnId } from './own-id.js';
import { snapshotOf } from './snapshot.js';

export interface EngineDeps {
  readonly core: MqttCore;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly moves: LateMoves;
  readonly delivery: Delivery;
  readonly watcher: EndpointList;
  readonly topologyTopic: Pick<TopologyTopic, 'linkUp' | 'linkDown' | 'received'> | undefined;
  readonly health: HealthBook;
  readonly clock: Clock;
  readonly events: EventSink;
  /** In pages. */
  readonly lifecycle?: Lifecycle | undefined;
  /** In pages, where the id is not the application's own. */
  readonly identity?: TabIdentity | undefined;
  /** What is to be said of the options as they were given. */
  readonly warnings?: readonly Warning[];
}

/** Milliseconds that a polite `end()` waits for acknowledgements; MQTT.js waits for ever (J8). */
const END_GRACE_MS = 5_000;

/** The parts of one client behind one face. */
export class Engine {
  readonly #deps: EngineDeps;
  #warned = false;
  readonly #id: OwnId;
  readonly #ending = new Ending();

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#id = new OwnId(deps.core, deps.identity);
    if (deps.topologyTopic) deps.supervisor.observe(deps.topologyTopic);
    deps.supervisor.observe(deps.moves);
  }

  /** For MQTT.js's stream builder. */
  takeStream(): SessionStream {
    return this.#deps.session.takeStream();
  }

  /** The stream of a client that has not connected yet. */
  idleStream(): SessionStream {
    return this.#deps.session.idleStream();
  }

  /** Connects, or cuts a wait short; when the client is just ending, after that. */
  connect(reason: string): void {
    this.#begin(() => this.#deps.supervisor.retryNow(reason));
  }

  /** Leaves the current connection, if any, and connects again; when the client is just ending, after that. */
  reconnect(reason: string): void {
    this.#begin(() => this.#deps.supervisor.restart(reason));
  }

  /** Calls `then` when the client has ended, if it is ending, and has an id of its own; unless it is ended before. */
  #begin(then: () => void): void {
    if (this.#ending.isUnderWay) {
      this.#ending.resumeWith(() => this.#begin(then));
      return;
    }
    // Now, and not when there is an id: `drain()` may be called meanwhile.
    this.#deps.core.revive();
    if (this.#id.isOurs) this.#go(then);
    else this.#id.claim(() => this.#go(then));
  }

  #go(then: () => void): void {
    // While the id was claimed, the application may have ended the client.
    if (this.#ending.isUnderWay) return;
    this.#warnOnce();
    // A listener may have ended the client.
    if (this.#ending.isUnderWay) return;
    this.#deps.lifecycle?.start();
    this.#deps.delivery.publisher.open();
    then();
  }

  #warnOnce(): void {
    const { core, events, identity, warnings = [] } = this.#deps;
    if (this.#warned) return;
    this.#warned = true;
    for (const warning of [...warnings, ...warningsFor(core.options), ...(identity?.warnings ?? [])])
      events.emit('warning', warning);
  }

  /** Moves to an endpoint by its id. */
  async moveTo(id: string): Promise<void> {
    const { supervisor, moves } = this.#deps;
    if (supervisor.current?.id === id) return;
    await supervisor.move(id, 'moveTo() was called', { event: 'move', patient: false });
    await moves.moved();
  }

  /** Moves to the best endpoint that is not known to fail, if it is better than the one in use. */
  async rebalance(): Promise<void> {
    const { supervisor, moves, health } = this.#deps;
    const { current, candidates } = supervisor;
    const mustLeave = !current || candidates.leaveWord(current);
    const better = mustLeave ? candidates.preferred() : candidates.better(current);
    const best = better.find(({ id }) => health.view(id).state !== 'ejected');
    if (!best) return;
    await supervisor.move(best.id, 'rebalance() was called', { event: 'move', patient: false });
    await moves.moved();
  }

  /** @param publishedAt - Monotonic milliseconds of the application's call, when that was not just now. */
  publish(
    topic: string,
    payload: string | Uint8Array | undefined,
    options: IClientPublishOptions,
    callback: PacketCallback | undefined,
    publishedAt?: number,
  ): void {
    this.#deps.delivery.publisher.publish(topic, payload, options, callback, publishedAt);
  }

  subscribe(
    topics: string[] | ISubscriptionMap,
    options: IClientSubscribeOptions | IClientSubscribeProperties | undefined,
    callback: ClientSubscribeCallback,
  ): void {
    this.#deps.delivery.subscriptions.subscribe(topics, options, callback);
  }

  unsubscribe(
    topics: string[],
    options: IClientUnsubscribeProperties | undefined,
    callback: PacketCallback,
  ): void {
    this.#deps.delivery.subscriptions.unsubscribe(topics, options, callback);
  }

  /** Waits until nothing is unsettled, `graceMs` at most. */
  drained(graceMs: number): Promise<void> {
    const { clock, delivery } = this.#deps;
    return atMost(clock, graceMs, (signal) => delivery.publisher.unsettled.drained(signal));
  }

  /** Waits until what was published before is settled, `timeoutMs` at most. */
  flushed(timeoutMs: number): Promise<void> {
    const { clock, delivery } = this.#deps;
    return atMost(clock, timeoutMs, (signal) => delivery.publisher.unsettled.flushed(signal));
  }

  /** Resolves when the outbox may be filled further, or `signal` is aborted. */
  room(signal: AbortSignal | undefined): Promise<void> {
    return this.#deps.delivery.publisher.unsettled.room(signal);
  }

  /**
   * Ends the client: waits a little for what is in flight unless `force`, settles the rest with `ERR_ENDED`, and
   * disconnects. Calls back when MQTT.js has closed.
   *
   * @param graceMs - Milliseconds to wait at most; 0 when the caller has waited already.
   */
  end(
    force: boolean,
    options: Partial<IDisconnectPacket> | undefined,
    callback: (error?: Error) => void,
    graceMs = END_GRACE_MS,
  ): void {
    const { session, delivery } = this.#deps;
    // MQTT.js would close its stores under a connection that is made before it has ended.
    if (!this.#ending.begins(callback)) return;
    const ended = (error?: Error) => {
      // Not before DISCONNECT is written: the next tab may take the id.
      if (!this.#ending.isResumed) this.#id.release();
      this.#ending.over(error);
    };
    const finish = () => this.#finish(force, options, ended);
    if (force || graceMs === 0 || !session.isOpen || delivery.publisher.unsettled.size === 0) finish();
    else void this.drained(graceMs).then(finish);
  }

  #finish(
    force: boolean,
    options: Partial<IDisconnectPacket> | undefined,
    callback: (error?: Error) => void,
  ): void {
    const { session, supervisor, delivery, core, lifecycle } = this.#deps;
    lifecycle?.stop();
    const polite = !force && session.isOpen;
    supervisor.stop('the client was ended');
    delivery.abandon();
    const { closed } = delivery.publisher;
    // Whoever waits for the end may open the store next.
    core.end(!polite, options, closed ? (error) => void closed.then(() => callback(error)) : callback);
  }

  /** The application called `end` again: what it asked for in between is void. */
  stayEnded(): void {
    this.#ending.stay();
  }

  /**
   * Hears of an event of MQTT.js before the application does, and before MQTT.js acts on it.
   *
   * @returns whether it is for us alone: an `error` that is only the end of one link, or a message of the topology topic.
   */
  hears(event: string, args: readonly unknown[]): boolean {
    const { session, delivery, topologyTopic } = this.#deps;
    const [first, second] = args;
    switch (event) {
      case 'packetsend':
        session.packetSent(first as Packet);
        return false;
      case 'packetreceive':
        session.packetReceived(first as Packet);
        delivery.packetReceived(first as Packet);
        return false;
      case 'connect':
        session.connectEmitted(first as IConnackPacket);
        return false;
      case 'error':
        return session.absorbs(first as Error);
      case 'message':
        return topologyTopic?.received(first as string, second as Uint8Array) ?? false;
      default:
        return false;
    }
  }

  status(): ClientStatus {
    return snapshotOf(this.#deps);
  }

  /** How `clientId` would be placed now, and why. */
  explain(clientId: string | undefined): Explanation[] {
    return this.#deps.supervisor.candidates.explain(clientId);
  }
}

/** What a client needs of its engine, whichever it is. */
export type ClientEngine = Pick<Engine, keyof Engine>;
