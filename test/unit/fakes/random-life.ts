/**
 * One client in a world where anything may happen next, the same for the same seed.
 *
 * The client is the real one, MQTT.js included; time, chance and the brokers are ours. Each step picks an event: a node
 * changes its conduct, a link ends in one of the ways of the outcome table, the list changes, the application calls a
 * method, a clock jumps, time passes.
 */

import type { ClientState } from '../../../src/events.js';
import { type FailoverClient, type FailoverEvents, OUTCOMES } from '../../../src/index.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { type Conduct, MemoryNetwork, type MemoryTransport, WELL } from './memory-network.js';
import type { OwnedClock } from './owned-clock.js';
import { rest, virtualClient } from './virtual-client.js';

/** The nodes there are; a list has some of them. */
const NODES = ['a', 'b', 'c', 'd', 'e'] as const;
const CONNACK_CODES = { 4: codesOf('connack-v3'), 5: codesOf('connack') } as const;
const DISCONNECT_CODES = codesOf('disconnect');
const CLOSE_CODES = codesOf('websocket');
const SOCKET_CODES = OUTCOMES.filter(({ kind }) => kind === 'socket').map(({ code }) => String(code));

function codesOf(kind: string): number[] {
  return OUTCOMES.filter((row) => row.kind === kind).map(({ code }) => Number(code));
}

export type Change = FailoverEvents['state'];

/** What discovery does when it is asked. */
type Listing = readonly string[] | 'fails' | 'hangs';

export class Life {
  readonly clock = new VirtualClock();
  /** The client's view of {@link clock}. */
  readonly own: OwnedClock;
  readonly network: MemoryNetwork;
  readonly client: FailoverClient;
  readonly protocolVersion: 4 | 5;
  readonly clean: boolean;
  /** What happened, for people. */
  readonly story: string[] = [];
  readonly errors: Error[] = [];
  /** How each publish was settled, by payload; more than one entry is one too many. */
  readonly settlements = new Map<string, string[]>();
  /** Calls of `end` and `drain` that have not come back yet. */
  ending = 0;
  /** When the application last asked for a connection, which may be a storm of its own making. */
  provokedAt = Number.NEGATIVE_INFINITY;
  /** Runs inside the next event of the client, as a listener does. */
  #trap: (() => void) | undefined;
  #listing: Listing = NODES;
  #path = '';
  readonly #random: SeededRandom;

  constructor(seed: number, onState: (change: Change, life: Life) => void) {
    this.#random = new SeededRandom(seed);
    this.network = new MemoryNetwork(this.clock, this.#random);
    this.protocolVersion = this.#chance(0.5) ? 5 : 4;
    this.clean = this.#chance(0.7);
    if (this.#chance(0.1)) this.#listing = 'fails';
    const world = { clock: this.clock, random: this.#random, network: this.network };
    const { client, own } = virtualClient(() => this.#resolve(), world, {
      clientId: `client-${seed}`,
      protocolVersion: this.protocolVersion,
      clean: this.clean,
      // MQTT.js's way of saying: never again.
      ...(this.#chance(0.1) ? { reconnectPeriod: 0 } : {}),
      discovery: { refreshMs: 20_000 },
      failback: { healthyMs: 20_000, windowMs: 10_000, dwellMs: 30_000 },
    });
    this.client = client;
    this.own = own;
    this.client.on('state', (change) => {
      this.note(`${change.from} → ${change.to}: ${change.reason}`);
      onState(change, this);
    });
    this.client.on('error', (error) => this.errors.push(error as Error));
    for (const event of [
      'state',
      'health',
      'topology',
      'failover',
      'move',
      'close',
      'reconnect',
      'error',
    ] as const)
      this.client.on(event, () => this.#spring());
  }

  get state(): ClientState {
    return this.client.status().state as ClientState;
  }

  note(text: string): void {
    this.story.push(`${this.clock.now()} ${text}`);
  }

  /** One random event. */
  async step(): Promise<void> {
    const idle = this.state === 'closed' || this.state === 'failed';
    if (idle && this.#chance(0.5)) this.command('reconnect');
    else this.#pick(EVENTS)(this);
    // Time is the most frequent event of all, and mostly short.
    await this.pass(this.#pick([0, 1, 10, 10, 50, 300, 300, 1_000, 1_000, 3_000, 10_000]));
  }

  /** Lets `ms` pass, with all that Node does between two timers. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms, () => rest(1));
    await rest();
  }

  /** From now on all is well; what was unfit has a new entry in the list. */
  heal(): void {
    this.note('all is well from now on');
    this.#listing = NODES;
    this.#path = '/new';
    this.#trap = undefined;
    for (const id of NODES) this.network.behave(id, WELL);
  }

  /** Something that the application calls. */
  command(name: 'reconnect' | 'connect' | 'end' | 'force end' | 'drain' | 'moveTo' | 'rebalance'): void {
    this.note(`${name}()`);
    const { client } = this;
    const ended = () => {
      this.note(`${name}() has ended`);
      this.ending -= 1;
    };
    if (name !== 'end' && name !== 'force end' && name !== 'drain') this.provokedAt = this.clock.now();
    switch (name) {
      case 'connect':
        client.connect();
        break;
      case 'reconnect':
        client.reconnect();
        break;
      case 'moveTo':
        client.moveTo(this.#pick(NODES)).catch(() => {});
        break;
      case 'rebalance':
        client.rebalance().catch(() => {});
        break;
      case 'drain':
        this.ending += 1;
        void client.drain({ timeoutMs: 500 }).then(ended);
        break;
      default:
        this.ending += 1;
        client.end(name === 'force end', ended);
    }
  }

  publish(): void {
    const payload = `${this.settlements.size}`;
    const settled: string[] = [];
    this.settlements.set(payload, settled);
    const qos = this.#pick([0, 1, 1, 2] as const);
    this.note(`publish ${payload} at QoS ${qos}`);
    this.client.publish('readings', payload, { qos }, (error) => {
      const code = (error as (Error & { code?: unknown }) | undefined)?.code;
      settled.push(error ? String(code ?? error.message) : `ok at QoS ${qos}`);
    });
  }

  subscribe(): void {
    const topic = `commands/${this.#pick(NODES)}`;
    if (this.#chance(0.6)) this.client.subscribe(topic, { qos: 1 }, () => {});
    else this.client.unsubscribe(topic, () => {});
  }

  /** A node changes, for better or worse. */
  changeNode(): void {
    const id = this.#pick(NODES);
    const conduct = this.#conduct();
    const { dial, connect, lives } = conduct;
    this.note(
      `${id} now: ${dial instanceof Error ? dial.message : dial}, ${connect}${lives ? '' : ', frozen'}`,
    );
    this.network.behave(id, conduct);
  }

  changeAllNodes(): void {
    const conduct = this.#chance(0.5) ? WELL : this.#conduct();
    this.note(`all nodes now: ${conduct.dial}, ${conduct.connect}`);
    for (const id of NODES) this.network.behave(id, conduct);
  }

  #conduct(): Conduct {
    if (this.#chance(0.4)) return WELL;
    const code = this.#pick(SOCKET_CODES);
    const failure = Object.assign(new Error(code), { code });
    return {
      dial: this.#pick(['open', 'open', 'open', 'hang', failure] as const),
      connect: this.#pick([
        0,
        'resume',
        'silent',
        'hang up',
        this.#pick(CONNACK_CODES[this.protocolVersion]),
      ] as const),
      lives: this.#chance(0.85),
      properties: this.#chance(0.3) ? { receiveMaximum: 1 + Math.floor(this.#random.next() * 5) } : {},
    };
  }

  /** The link, or whatever is open, ends in one of the ways there are. */
  breakLink(): void {
    const open = [...this.network.openTransports];
    const transport = this.#pick(open.length > 0 ? open : [undefined]);
    if (transport) this.#breakTransport(transport);
  }

  #breakTransport(transport: MemoryTransport): void {
    const how = this.#pick(['end', 'error', 'close code', 'garbage', 'disconnect', 'disconnect'] as const);
    this.note(`${transport.id} breaks: ${how}`);
    const code = this.#pick(SOCKET_CODES);
    const closeCode = this.#pick(CLOSE_CODES);
    if (how === 'end') transport.hangUp();
    else if (how === 'error') transport.hangUp(Object.assign(new Error(code), { code }));
    else if (how === 'close code') transport.hangUp(Object.assign(new Error('closed'), { closeCode }));
    else if (how === 'garbage') transport.sendRaw(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    else {
      const reasonCode = this.#pick(DISCONNECT_CODES);
      const serverReference = `${this.#pick(NODES)}.test`;
      if (this.protocolVersion === 5)
        transport.send({ cmd: 'disconnect', reasonCode, properties: { serverReference } });
      if (this.#chance(0.8)) transport.hangUp();
    }
  }

  changeList(): void {
    const some = NODES.filter(() => this.#chance(0.6));
    this.#listing = this.#pick([some, some, NODES, [], 'fails', 'hangs'] as const);
    this.note(`the list: ${this.#listing}`);
  }

  jump(): void {
    const ms = this.#random.next() * 600_000;
    if (this.#chance(0.5)) {
      this.note(`asleep for ${Math.round(ms)} ms`);
      this.clock.sleep(ms);
    } else {
      this.note('the wall clock is set');
      this.clock.shiftWall(this.#chance(0.5) ? ms * 1_000 : -ms * 1_000);
    }
  }

  /** The next event of the client finds a listener that does something. */
  setTrap(): void {
    const name = this.#pick(['end', 'force end', 'reconnect', 'connect', 'moveTo', 'drain'] as const);
    this.#trap = () => this.command(name);
  }

  randomCommand(): void {
    this.command(
      this.#pick([
        'reconnect',
        'connect',
        'end',
        'force end',
        'drain',
        'moveTo',
        'moveTo',
        'rebalance',
      ] as const),
    );
  }

  #spring(): void {
    const trap = this.#trap;
    this.#trap = undefined;
    trap?.();
  }

  async #resolve(): Promise<{ url: string; id: string }[]> {
    const listing = this.#listing;
    if (listing === 'hangs') return new Promise(() => {});
    if (listing === 'fails') throw new Error('no registry');
    return (listing as readonly string[]).map((id) => ({ url: `ws://${id}.test${this.#path}`, id }));
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random.next() * list.length)] as T;
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }
}

/** Each as often as it stands here. */
const EVENTS: readonly ((life: Life) => void)[] = [
  (life) => life.changeNode(),
  (life) => life.changeNode(),
  (life) => life.changeNode(),
  (life) => life.changeAllNodes(),
  (life) => life.breakLink(),
  (life) => life.breakLink(),
  (life) => life.breakLink(),
  (life) => life.changeList(),
  (life) => life.jump(),
  (life) => life.setTrap(),
  (life) => life.randomCommand(),
  (life) => life.publish(),
  (life) => life.publish(),
  (life) => life.publish(),
  (life) => life.subscribe(),
  () => {},
];
