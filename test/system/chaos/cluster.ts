/**
 * Brokers of one cluster on the virtual clock, which remember sessions and fail in every way there is.
 *
 * Packets are real ones in memory. A node may be up, down or frozen; a frozen one keeps its connections, and works off
 * what has come meanwhile when it thaws, as a process does after SIGCONT: a CONNECT of a client that has long left
 * included. Sessions are each node's own, or shared by all.
 */
import type { Packet } from 'mqtt-packet';
import type { Clock, Random } from '../../../src/platform/ports.js';
import { answerTo, MemoryNetwork, type MemoryTransport, WELL } from '../../unit/fakes/memory-network.js';

export const NODES = ['a', 'b', 'c', 'd', 'e'] as const;
export type NodeId = (typeof NODES)[number];

/** How a node answers CONNECT instead of accepting it. */
export interface Refusal {
  readonly code: number;
  readonly serverReference?: string;
}

/** What one node does from now on. */
export interface NodeMood {
  /** Refuses dials, lets them hang, or has them opened. */
  readonly dial: 'open' | 'hang' | Error;
  readonly refusal?: Refusal | undefined;
  /** Milliseconds that CONNACK takes. */
  readonly connackMs: number;
  /** Reason code of every PUBACK and PUBREC, MQTT 5. */
  readonly ackCode: number;
  /** Whether SUBSCRIBE is refused. */
  readonly refusesFilters: boolean;
  /** Properties of CONNACK, MQTT 5. */
  readonly properties: Readonly<Record<string, number>>;
}

const SERVES: NodeMood = { dial: 'open', connackMs: 0, ackCode: 0, refusesFilters: false, properties: {} };

interface Session {
  readonly filters: Set<string>;
  /** Ids of QoS 2 publishes between PUBREC and PUBREL. */
  readonly received: Set<number>;
}

interface BrokerLink {
  readonly node: NodeId;
  readonly clientId: string;
  readonly session: Session;
  /** Whether the session lasts longer than the link. */
  readonly lasts: boolean;
}

/** Told of everything that a client has sent, in the order in which it was written. */
export interface ClusterWitness {
  connected(transport: MemoryTransport, clientId: string): void;
  published(topic: string, payload: string, qos: number): void;
}

export class ChaosCluster {
  readonly network: MemoryNetwork;
  /** Payloads that a broker has taken. */
  readonly taken = new Set<string>();
  /** The retained document of the topology topic. */
  topology: { readonly topic: string; payload: string } | undefined;
  /** How often that document was sent. */
  told = 0;
  readonly #witness: ClusterWitness;
  readonly #clock: Clock;
  readonly #isShared: boolean;
  readonly #moods = new Map<string, NodeMood>();
  readonly #frozen = new Map<string, (() => void)[]>();
  readonly #sessions = new Map<string, Session>();
  readonly #links = new Map<MemoryTransport, BrokerLink>();

  /** @param isShared - Whether a session is found at every node. */
  constructor(clock: Clock, random: Random, isShared: boolean, witness: ClusterWitness) {
    this.#clock = clock;
    this.#isShared = isShared;
    this.#witness = witness;
    this.network = new MemoryNetwork(clock, random);
    this.network.serve = (transport, packet) => this.#serve(transport, packet);
  }

  mood(id: string): NodeMood {
    return this.#moods.get(id) ?? SERVES;
  }

  isFrozen(id: string): boolean {
    return this.#frozen.has(id);
  }

  /** Filters that the session of the client has at a node. */
  filtersAt(node: string, clientId: string): ReadonlySet<string> {
    return this.#sessions.get(this.#key(node, clientId))?.filters ?? new Set();
  }

  change(id: string, mood: Partial<NodeMood>): void {
    this.#moods.set(id, { ...this.mood(id), ...mood });
    this.#applyMood(id);
  }

  /** Every connection ends, nothing listens, and what was in memory is lost if `forgets`. */
  crash(id: string, forgets: boolean): void {
    this.#frozen.delete(id);
    this.change(id, { dial: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }) });
    for (const transport of this.transportsAt(id))
      transport.hangUp(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    for (const [transport, { node }] of [...this.#links]) if (node === id) this.#gone(transport);
    if (forgets) this.forgetSessions(id);
  }

  forgetSessions(id: string): void {
    for (const key of [...this.#sessions.keys()])
      if (key.startsWith(this.#isShared ? '' : `${id}/`)) this.#sessions.delete(key);
  }

  freeze(id: string): void {
    if (!this.#frozen.has(id)) this.#frozen.set(id, []);
    this.#applyMood(id);
  }

  thaw(id: string): void {
    const waiting = this.#frozen.get(id) ?? [];
    this.#frozen.delete(id);
    this.#applyMood(id);
    for (const work of waiting) work();
  }

  /** The node serves as if nothing had been. */
  heal(id: string): void {
    this.#moods.delete(id);
    this.thaw(id);
    this.#applyMood(id);
  }

  transportsAt(id: string): MemoryTransport[] {
    return [...this.network.openTransports].filter((transport) => transport.id === id);
  }

  /** A node sends to the client that is linked to it. */
  tell(transport: MemoryTransport, packet: Packet): void {
    if (!this.#frozen.has(transport.id)) transport.send(packet);
  }

  #applyMood(id: string): void {
    const { dial } = this.mood(id);
    this.network.behave(id, { ...WELL, dial, lives: !this.#frozen.has(id) });
  }

  #key(node: string, clientId: string): string {
    return this.#isShared ? `/${clientId}` : `${node}/${clientId}`;
  }

  #serve(transport: MemoryTransport, packet: Packet): void {
    if (packet.cmd === 'connect') this.#witness.connected(transport, packet.clientId);
    if (packet.cmd === 'publish') this.#witness.published(packet.topic, String(packet.payload), packet.qos);
    const work = () => this.#handle(transport, packet);
    const waiting = this.#frozen.get(transport.id);
    if (waiting) waiting.push(work);
    else work();
  }

  #handle(transport: MemoryTransport, packet: Packet): void {
    if (packet.cmd === 'connect') {
      this.#connect(transport, packet.clientId, packet.clean !== false, expiryOf(packet));
      return;
    }
    const link = this.#links.get(transport);
    if (!link) return;
    if (packet.cmd === 'disconnect') {
      this.#gone(transport);
      this.network.later(() => transport.hangUp());
      return;
    }
    const answer = this.#answer(link, packet, transport);
    if (answer) this.network.later(() => this.tell(transport, answer));
    const topology = this.topology;
    if (
      packet.cmd === 'subscribe' &&
      topology &&
      packet.subscriptions.some((each) => each.topic === topology.topic)
    )
      this.network.later(() => this.publishTopology(transport));
  }

  /** Sends the retained document. */
  publishTopology(transport: MemoryTransport): void {
    if (!this.topology) return;
    this.told += 1;
    const { topic, payload } = this.topology;
    this.tell(transport, { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: true });
  }

  #answer(link: BrokerLink, packet: Packet, transport: MemoryTransport): Packet | undefined {
    const { session, node } = link;
    const { ackCode, refusesFilters } = this.mood(node);
    const reasonCode = transport.protocolVersion === 5 ? ackCode : 0;
    const { messageId = 0 } = packet;
    if (packet.cmd === 'publish') {
      const isKnown = packet.qos === 2 && session.received.has(messageId);
      if (!isKnown && (packet.qos === 0 || reasonCode === 0)) this.taken.add(String(packet.payload));
      if (packet.qos === 2 && reasonCode === 0) session.received.add(messageId);
      if (packet.qos === 0) return undefined;
      return { cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode: isKnown ? 0 : reasonCode };
    }
    if (packet.cmd === 'pubrel') session.received.delete(messageId);
    if (packet.cmd === 'subscribe') {
      const granted = packet.subscriptions.map(({ qos }) =>
        refusesFilters ? (transport.protocolVersion === 5 ? 0x97 : 0x80) : qos,
      );
      if (!refusesFilters) for (const { topic } of packet.subscriptions) session.filters.add(topic);
      return { cmd: 'suback', messageId, granted };
    }
    if (packet.cmd === 'unsubscribe')
      for (const topic of packet.unsubscriptions) session.filters.delete(topic);
    return answerTo(packet);
  }

  #connect(transport: MemoryTransport, clientId: string, clean: boolean, expirySeconds: number): void {
    const node = transport.id as NodeId;
    const { refusal, connackMs, properties } = this.mood(node);
    const v5 = transport.protocolVersion === 5;
    const answer = (code: number, sessionPresent: boolean, more: object) =>
      this.#clock.setTimeout(() => {
        if (this.#frozen.has(node)) this.#frozen.get(node)?.push(() => send());
        else send();
        function send() {
          const reason = v5 ? { reasonCode: code, properties: more } : { returnCode: code };
          transport.send({ cmd: 'connack', sessionPresent, ...reason } as Packet);
          if (code !== 0) transport.hangUp();
        }
      }, connackMs + 5);
    if (refusal) {
      const { code, serverReference } = refusal;
      answer(code, false, serverReference === undefined ? {} : { serverReference });
      return;
    }
    for (const [other, link] of [...this.#links]) {
      if (other === transport || link.clientId !== clientId) continue;
      if (!this.#isShared && link.node !== node) continue;
      this.#gone(other);
      if (this.#frozen.has(link.node)) continue;
      if (other.protocolVersion === 5) other.send({ cmd: 'disconnect', reasonCode: 0x8e });
      other.hangUp();
    }
    const key = this.#key(node, clientId);
    const known = clean ? undefined : this.#sessions.get(key);
    const session = known ?? { filters: new Set<string>(), received: new Set<number>() };
    this.#sessions.set(key, session);
    this.#links.set(transport, { node, clientId, session, lasts: v5 ? expirySeconds > 0 : !clean });
    transport.on('close', () => this.#gone(transport));
    answer(0, known !== undefined, properties);
  }

  /** The node has noticed that a link is over. */
  #gone(transport: MemoryTransport): void {
    const link = this.#links.get(transport);
    if (!link) return;
    this.#links.delete(transport);
    const key = this.#key(link.node, link.clientId);
    if (!link.lasts && this.#sessions.get(key) === link.session) this.#sessions.delete(key);
  }
}

function expiryOf(packet: Packet): number {
  const { properties } = packet as { properties?: { sessionExpiryInterval?: number } };
  return properties?.sessionExpiryInterval ?? 0;
}
